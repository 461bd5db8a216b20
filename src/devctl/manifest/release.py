"""The grammar of what a service's database and its way to production need."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, model_validator

from devctl.manifest.forms import TEXT, Command, Free, Short, Statuses, Variables, Word, Words, one_of
from devctl.manifest.group import Group
from devctl.manifest.parsers import wrong


class Database(Group):
    """What `devctl db` and `devctl predeploy` need to know of a service's database."""

    url: Word = Field(
        description="Its address. `${VAR}` is filled in only when it is used, so that no password is written down.",
        examples=["${DATABASE_URL:-postgresql://app:app@localhost:5432/app}"],
    )
    models: Word = Field(
        "",
        description="MODULE:NAME of a declarative base or a MetaData, imported with the service's own python.",
        examples=["app.models:Base"],
    )
    migrations: Word = Field("", description="Alembic's script folder, relative to the service's `path`.")
    seed: Word = Field("", description="A command that fills a fresh database.", examples=["python seed.py"])
    hold: Annotated[str, one_of("none", "schema")] = Field(
        "none", description="`schema`: dependents wait while the schema is behind its models."
    )

    @model_validator(mode="after")
    def _fits(self) -> Database:
        if self.models and not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", self.models):
            raise wrong(f"models: “{self.models}” is no MODULE:NAME", "write app.models:Base")
        if self.hold == "schema" and not self.models:
            raise wrong("hold: schema needs models to compare with", "add models: MODULE:NAME")
        return self


class RequiredEnvironment(Group):
    """What must be so of the environment."""

    required: Variables = Field((), description="Variables that must be set.", examples=[["SECRET_KEY"]])
    not_: dict[str, Words] = Field(
        {},
        alias="not",
        description="Values that may not go to production, by variable.",
        examples=[{"SECRET_KEY": ["dev", "changeme"]}],
    )


class LoginRequest(Group):
    """An HTTP request."""

    method: Annotated[str, one_of("GET", "POST", "PUT", "PATCH")] = Field("POST", description="The request's method.")
    url: Word = Field(description="Its URL; a path alone is relative to the service's URL.", examples=["/auth/login"])
    headers: dict[str, Word] = Field({}, description="Headers beside the usual ones.")
    json_: Free = Field(
        None,
        alias="json",
        description="The JSON body.",
        examples=[{"username": "admin", "password": "${ADMIN_PASSWORD}"}],
    )
    form: dict[str, Word] = Field({}, description="The fields of a form, instead of `json`.")


class Login(Group):
    """A login that must work."""

    request: LoginRequest = Field(description="The request that logs in.")
    status: Statuses = Field(((200, 299),), description="The statuses that count as logged in.", examples=[200])


def _check(value: Any) -> Any:
    return {"command": value} if isinstance(value, str) else value


class Check(Group):
    """A command that must end with 0."""

    command: Command = Field(description="What is run, in the service's folder.", examples=["ruff check"])
    name: Word = Field("", description="What the check is called; the command when left out.")
    level: Annotated[str, one_of("required", "warning")] = Field(
        "required", description="Whether a failure stops the deployment or is only shown."
    )


class Predeploy(Group):
    """More checks before production, beside those every service gets. `${VAR}` is filled in when they run."""

    environment: RequiredEnvironment | None = Field(None, description="What must be so of the environment.")
    login: Login | None = Field(None, description="A login that must work.")
    commands: list[Annotated[Check, Short(_check, TEXT)]] = Field([], description="Commands that must end with 0.")
