"""The door: every request is shown to Control Core first, and reaches the application only when a policy allows it.

When Control Core cannot be asked, nothing passes.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

PAP_API_URL = os.environ.get("PAP_API_URL", "http://localhost:8000")
UPSTREAM_URL = os.environ.get("UPSTREAM_URL", "http://localhost:9000")
# These belong to one connection, so they are not carried over to the next.
HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "host", "content-length", "content-encoding", "accept-encoding", "x-api-key",
}  # fmt: skip


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        app.state.client = client
        yield


app = FastAPI(title="Control Core bouncer", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    """Well when it can answer at all: what stands behind it has probes of its own."""
    return {"status": "ok", "asks": PAP_API_URL, "guards": UPSTREAM_URL}


def refusal(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"allowed": False, "reason": reason}, status)


@app.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def pass_or_refuse(request: Request, path: str) -> Response:
    """Asks, then hands the request on or refuses it."""
    client: httpx.AsyncClient = request.app.state.client
    question = {"method": request.method, "path": "/" + path, "api_key": request.headers.get("x-api-key")}
    try:
        asked = await client.post(httpx.URL(PAP_API_URL).join("/decision"), json=question)
        asked.raise_for_status()
        answer = asked.json()
    except (httpx.HTTPError, ValueError) as error:
        return refusal(503, f"Control Core cannot be asked ({type(error).__name__}), so nothing passes")
    if not answer["allow"]:
        return refusal(403, answer["reason"])
    headers = [(name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP]
    headers.append(("x-controlcore-subject", answer["subject"] or "anonymous"))
    target = httpx.URL(UPSTREAM_URL).join(httpx.URL(request.url.path or "/", query=request.url.query.encode()))
    try:
        got = await client.request(request.method, target, headers=headers, content=await request.body())
    except httpx.HTTPError as error:
        return refusal(502, f"the application does not answer ({type(error).__name__})")
    response = Response(got.content, got.status_code)
    for name, value in got.headers.multi_items():
        if name not in HOP_BY_HOP | {"date", "server"}:
            response.headers.append(name, value)
    if request.method == "HEAD" and "content-length" in got.headers:
        response.headers["content-length"] = got.headers["content-length"]
    response.headers["x-controlcore-policy"] = answer["policy"] or ""
    return response
