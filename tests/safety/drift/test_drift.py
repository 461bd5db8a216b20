"""A database against its models: every kind of difference planted and found, nothing said of fresh schemas. On two
servers, of two versions, with and without a container."""

from __future__ import annotations

import importlib.util
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.pool import NullPool

from devctl.safety.programs import schema
from devctl.safety.schema.description import Description
from devctl.safety.schema.policy import Difference, differences

HERE = Path(__file__).parent
DOCS = Path(__file__).parents[3] / "docs" / "database.md"


def beside(name: str) -> Any:
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(f"drift_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


planted, fresh = beside("planted"), beside("fresh")


class Bed:
    """A database that is emptied between plantings."""

    def __init__(self, url: str) -> None:
        self.url = url
        address = url.replace("postgresql:", "postgresql+psycopg:")
        options = {"options": "-c synchronous_commit=off"}
        self.engine: Engine = create_engine(
            address, isolation_level="AUTOCOMMIT", poolclass=NullPool, connect_args=options
        )

    def run(self, *statements: str) -> None:
        with self.engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def clear(self) -> None:
        names = ("public", "billing", '"Odd name"')
        self.run(*(f"DROP SCHEMA IF EXISTS {name} CASCADE" for name in names), "CREATE SCHEMA public")

    def differences(self, metadata: MetaData) -> list[Difference]:
        found = schema.described(self.url, metadata, 60)
        return list(differences(msgspec.convert(found, Description)))


@pytest.fixture(scope="module", params=["container", "process"])
def bed(request: pytest.FixtureRequest) -> Iterator[Bed]:
    server = request.getfixturevalue("postgres" if request.param == "container" else "embedded")
    name = f"drift_{request.param}_test"
    server.run("postgres", f"drop database if exists {name} with (force)", f"create database {name}")
    made = Bed(server.url(name))
    yield made
    made.engine.dispose()
    server.run("postgres", f"drop database {name} with (force)")


@pytest.fixture
def clear(bed: Bed) -> Bed:
    bed.clear()
    return bed


@pytest.mark.parametrize("make", fresh.SCHEMAS, ids=lambda make: make.__name__)
def test_nothing_is_said_of_a_fresh_schema(clear: Bed, make: Callable[[], MetaData]) -> None:
    clear.run(*fresh.SETUP.split("; "))
    metadata = make()
    metadata.create_all(clear.engine)
    clear.run(*filter(None, [getattr(make, "after", "")]))
    assert clear.differences(metadata) == []


def test_nothing_is_said_of_the_bed_itself(clear: Bed) -> None:
    planted.metadata.create_all(clear.engine)
    assert clear.differences(planted.metadata) == []


@pytest.mark.parametrize("case", planted.CASES, ids=lambda case: case.what)
def test_what_is_planted_is_found(clear: Bed, case: Any) -> None:
    planted.metadata.create_all(clear.engine)
    clear.run(*case.sql.split("; "))
    found = clear.differences(planted.metadata)
    assert (case.kind, case.place) in [(each.kind.value, each.place) for each in found]
    along = {each.table for each in found}
    assert along == {case.place.partition(".")[0]}, "and nothing is said of what was left alone"
    with warnings.catch_warnings(), clear.engine.connect() as connection:
        warnings.simplefilter("ignore")
        alembic = "found" if planted.alembic_finds(connection) else "missed"
    assert f"| {case.what} | found | {alembic} |" in DOCS.read_text(), "the table in the docs says what happens"


def test_the_table_in_the_docs_has_every_case_and_no_other() -> None:
    rows = re.findall(r"^\| (.+?) \| found \| (?:found|missed) \|$", DOCS.read_text(), re.MULTILINE)
    assert rows == [case.what for case in planted.CASES]
