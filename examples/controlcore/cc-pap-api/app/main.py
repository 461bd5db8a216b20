"""Control Core's API: users, policies and decisions."""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Response, status
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from redis.exceptions import RedisError
from sqlalchemy import or_, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from . import security
from .database import session
from .decision import decide
from .models import Policy, User
from .settings import ALLOWED_ORIGINS, SERVICE_TOKEN

app = FastAPI(title="Control Core", summary="Policy administration API (stand-in)", version="0.1.0")
app.add_middleware(CORSMiddleware, allow_origins=ALLOWED_ORIGINS, allow_methods=["*"], allow_headers=["*"])

Database = Annotated[Session, Depends(session)]
bearer = HTTPBearer(auto_error=False)
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


class Credentials(BaseModel):
    """What the login page sends."""

    username: str
    password: str


class Token(BaseModel):
    """A login's answer."""

    token: str
    username: str
    role: str


class NewUser(BaseModel):
    """What the signup service sends."""

    username: str = Field(min_length=3, max_length=80, pattern=r"^[A-Za-z0-9._@+-]+$")
    password: str = Field(min_length=8, max_length=200)


class CreatedUser(BaseModel):
    """A new user with the key to begin with."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    api_key_sandbox: str


class PolicyRow(BaseModel):
    """A policy as the list shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    description: str
    position: int
    effect: str
    methods: str
    path: str
    needs_key: bool
    enabled: bool
    updated_at: datetime


class Change(BaseModel):
    """What may be changed of a policy."""

    enabled: bool


class Question(BaseModel):
    """A request the bouncer holds at the door."""

    method: str
    path: str
    api_key: str | None = None


class Answer(BaseModel):
    """Whether it may pass."""

    allow: bool
    policy: str | None
    reason: str
    subject: str | None
    environment: str | None


def current_user(given: Bearer, database: Database) -> User:
    """The user the token belongs to."""
    user_id = security.session_user(given.credentials) if given else None
    user = database.get(User, user_id) if user_id is not None else None
    if user is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Log in first", {"WWW-Authenticate": "Bearer"})
    return user


@app.get("/health")
def health(response: Response, database: Database) -> dict[str, str]:
    """Well when both stores answer."""
    found = {"status": "ok", "database": "ok", "redis": "ok"}
    try:
        database.execute(text("select 1"))
    except SQLAlchemyError as error:
        found["database"] = type(error).__name__
    try:
        security.store.ping()
    except RedisError as error:
        found["redis"] = type(error).__name__
    if (found["database"], found["redis"]) != ("ok", "ok"):
        found["status"] = "failing"
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return found


@app.post("/auth/login")
def login(credentials: Credentials, database: Database) -> Token:
    """A token for the right password."""
    user = database.scalar(select(User).where(User.username == credentials.username))
    if user is None or not security.verify_password(credentials.password, user.password_hash):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Wrong username or password")
    return Token(token=security.open_session(user.id), username=user.username, role=user.role)


@app.post("/auth/logout", status_code=status.HTTP_204_NO_CONTENT)
def logout(given: Bearer) -> None:
    """Ends the session."""
    if given:
        security.close_session(given.credentials)


@app.get("/policies")
def policies(_: Annotated[User, Depends(current_user)], database: Database) -> list[PolicyRow]:
    """Every policy, in the order they decide."""
    return [PolicyRow.model_validate(row) for row in database.scalars(select(Policy).order_by(Policy.position))]


@app.patch("/policies/{policy_id}")
def change_policy(
    policy_id: int, change: Change, _: Annotated[User, Depends(current_user)], database: Database
) -> PolicyRow:
    """Switches a policy on or off."""
    policy = database.get(Policy, policy_id)
    if policy is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "No such policy")
    policy.enabled = change.enabled
    database.commit()
    database.refresh(policy)
    return PolicyRow.model_validate(policy)


@app.post("/users", status_code=status.HTTP_201_CREATED)
def create_user(new: NewUser, database: Database, x_service_token: Annotated[str, Header()] = "") -> CreatedUser:
    """A new user, for the signup service alone."""
    if not hmac.compare_digest(x_service_token.encode(), SERVICE_TOKEN.encode()):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Only the signup service may do this")
    taken = HTTPException(status.HTTP_409_CONFLICT, "This username is taken")
    if database.scalar(select(User.id).where(User.username == new.username)):
        raise taken
    user = User(
        username=new.username,
        password_hash=security.hash_password(new.password),
        api_key_sandbox=security.new_api_key("sandbox"),
    )
    database.add(user)
    try:
        database.commit()
    except IntegrityError:
        raise taken from None  # somebody was quicker
    return CreatedUser.model_validate(user)


@app.post("/decision")
def decision(question: Question, database: Database) -> Answer:
    """The bouncer's question."""
    key, user = question.api_key, None
    if key:
        user = database.scalar(select(User).where(or_(User.api_key_sandbox == key, User.api_key_production == key)))
    made = decide(
        database.scalars(select(Policy).order_by(Policy.position)), question.method, question.path, user is not None
    )
    environment = None if user is None else "production" if user.api_key_production == key else "sandbox"
    return Answer(
        allow=made.allow,
        policy=made.policy,
        reason=made.reason,
        subject=user.username if user else None,
        environment=environment,
    )
