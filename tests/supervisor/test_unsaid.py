"""No password of a database in the journal, and what was held is held by the next supervisor all the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from devctl.core.history import Known, Standing
from devctl.core.model import Database, Manifest, ProcessSpec, Runtime, Service
from devctl.core.state import Schema, SchemaVerdict, ServiceState
from devctl.supervisor.journal import Journal, read
from devctl.supervisor.schema_look import look
from devctl.supervisor.unsaid import is_unsaid


def service(url: str) -> Service:
    spec = ProcessSpec(command="x", path="/")
    return Service(name="api", runtime=Runtime.PROCESS, process=spec, database=Database(url=url, models="a:b"))


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("postgresql://me:s3c%40ret@h/d", "postgresql://me:…@h/d"),
        ("postgresql://:s3cret@h/d", "postgresql://:…@h/d"),
        ("${DB:-postgresql://me:s3cret@h:1/d}", "${DB:-postgresql://me:…@h:1/d}"),
        ("postgresql://me@h/d?password=s3c}ret&x=1", "postgresql://me@h/d?password=…}ret&x=1"),
        ("postgresql://me:${PW}@h/d?x=1", "postgresql://me:${PW}@h/d?x=1"),
        ("postgresql://${USER}:${PW:?no}@h/d", "postgresql://${USER}:${PW:?no}@h/d"),
        ("sqlite:///app.db", "sqlite:///app.db"),
        ("${DATABASE_URL}", "${DATABASE_URL}"),
    ],
)
def test_what_is_written_of_an_address(tmp_path: Path, url: str, written: str) -> None:
    manifest = Manifest(name="m", file="f", root="/", services={"api": service(url)})
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write([Known(manifest=manifest), Standing(states={}, retired={"api": service(url)})])
    journal.close()
    known, stands = read(tmp_path / "journal.jsonl")
    assert isinstance(known, Known)
    assert isinstance(stands, Standing)
    for found in (known.manifest.services["api"], stands.retired["api"]):
        assert found.database is not None
        assert found.database.url == written
        assert is_unsaid(found) == (url != written)


@pytest.mark.parametrize("verdict", [SchemaVerdict.BEHIND, SchemaVerdict.PENDING])
def test_without_the_password_what_was_behind_stays_behind(verdict: SchemaVerdict) -> None:
    here = service("postgresql://me:…@h/d")
    state = ServiceState(name="api", schema=Schema(verdict, "users.key is missing"))
    manifest = Manifest(name="m", file="f", root="/", services={"api": here})
    found = asyncio.run(look(manifest, here, state, {}, {}))
    assert found.verdict == (SchemaVerdict.BEHIND if verdict is SchemaVerdict.BEHIND else SchemaVerdict.UNCHECKED)
