"""Sign up for Control Core: one page and the API it calls, on one port. Users are made by cc-pap-api."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

PAP_API_URL = os.environ.get("PAP_API_URL", "http://localhost:8000")
SERVICE_TOKEN = os.environ.get("SERVICE_TOKEN", "controlcore-dev-service")
PAGE = Path(__file__).with_name("page.html")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with httpx.AsyncClient(
        base_url=PAP_API_URL, headers={"X-Service-Token": SERVICE_TOKEN}, timeout=10, trust_env=False
    ) as client:
        app.state.client = client
        yield


app = FastAPI(title="Control Core signup", summary="Signup service (stand-in)", version="0.1.0", lifespan=lifespan)


class Signup(BaseModel):
    """What the page sends."""

    username: str = Field(min_length=3, max_length=80)
    password: str = Field(min_length=8, max_length=200)


class Welcome(BaseModel):
    """The new user and the key to begin with."""

    username: str
    api_key_sandbox: str


@app.get("/", include_in_schema=False)
def page() -> FileResponse:
    return FileResponse(PAGE, media_type="text/html")


@app.get("/health")
def health() -> dict[str, str]:
    """Well when it can answer at all."""
    return {"status": "ok"}


@app.post("/signup", status_code=201)
async def signup(request: Request, new: Signup) -> Welcome:
    """Makes the user; what cc-pap-api says against it is passed on as it stands."""
    try:
        made = await request.app.state.client.post("/users", json=new.model_dump())
    except httpx.HTTPError as error:
        raise HTTPException(503, f"cc-pap-api does not answer ({type(error).__name__})") from error
    if made.status_code == 409:
        raise HTTPException(409, made.json()["detail"])
    if made.status_code == 422:
        raise HTTPException(422, "Use letters, digits and . _ @ + - for the username")
    if made.is_error:
        raise HTTPException(502, f"cc-pap-api refused with {made.status_code}")
    return Welcome.model_validate(made.json())
