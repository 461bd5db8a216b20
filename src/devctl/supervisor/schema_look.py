"""One look at the database of a service: where its interpreter and its address are, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from devctl.core.model import Manifest, Runtime, Service
from devctl.core.state import ContainerIdentity, Schema, SchemaVerdict, ServiceState
from devctl.errors import DevctlError, Exit
from devctl.manifest import envfile
from devctl.safety.interpreter import Interpreter, inside, native
from devctl.safety.schema.check import awaited_describe, judged
from devctl.safety.schema.policy import behind, missing_words, upgrade_command
from devctl.safety.url import Dialect, database_url
from devctl.supervisor.unsaid import is_unsaid

TIMEOUT, WHOLE = 5.0, 20.0
"""Seconds a database may take for an answer, and all of it."""


async def look(
    manifest: Manifest,
    service: Service,
    state: ServiceState,
    environment: Mapping[str, str],
    engine: Mapping[str, str],
) -> Schema:
    """CURRENT or BEHIND. ``environment`` is that of whoever asked for the service, ``engine`` what the docker command
    needs. What was behind when the password was still known stays so. Raises DevctlError."""
    if is_unsaid(service):
        told = Schema(SchemaVerdict.UNCHECKED, "its password is in no journal", "devctl up")
        return state.schema if state.schema.verdict is SchemaVerdict.BEHIND else told
    spec = service.process or service.native
    files = envfile.read_all(spec.env_file, environment) if spec else {}
    url = database_url(service, environment, files)
    if url.dialect is Dialect.SQLITE and url.name:
        url = url.named(str(Path(service.path or manifest.root) / url.name))
    interpreter = _interpreter(service, state, environment, engine)
    found = await awaited_describe(interpreter, manifest, service, url, timeout=TIMEOUT, whole=WHOLE)
    missing = behind(judged(manifest, service, found))
    if not missing:
        return Schema(SchemaVerdict.CURRENT)
    words = tuple(f"{each.place}: {each.model}" for each in missing[:8])
    return Schema(SchemaVerdict.BEHIND, missing_words(missing), upgrade_command(manifest, service), words)


def _interpreter(
    service: Service, state: ServiceState, environment: Mapping[str, str], engine: Mapping[str, str]
) -> Interpreter:
    if service.runtime is not Runtime.CONTAINER:
        return native(service, environment)
    if not isinstance(state.identity, ContainerIdentity):
        raise DevctlError(f"{service.name} has no container", code=Exit.PRECONDITION)
    return inside(state.identity.id, {**environment, **engine})
