# ruff: noqa: INP001 - a script
"""The table of docs/database.md: every difference that the tests plant, and whether `alembic check` sees it.

``python docs/tools/drift.py postgresql://USER:PASSWORD@HOST/SCRATCH`` plants them one at a time in a database that may
be emptied, and prints the rows.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path
from typing import Any

PLANTED = Path(__file__).parents[2] / "tests" / "safety" / "drift" / "planted.py"


def cases() -> Any:
    """The tests' module of plantings."""
    spec = importlib.util.spec_from_file_location("planted", PLANTED)
    assert spec is not None  # noqa: S101 - the file is there
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    sys.modules["planted"] = module
    spec.loader.exec_module(module)
    return module


def main(address: str) -> None:
    """Print the rows."""
    import msgspec
    from sqlalchemy import create_engine

    from devctl.safety.programs.schema import described
    from devctl.safety.schema.description import Description
    from devctl.safety.schema.policy import differences

    planted = cases()
    engine = create_engine(address.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    totals = [0, 0]
    for case in planted.CASES:
        with engine.connect() as connection, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"):
                connection.exec_driver_sql(statement)
            planted.metadata.create_all(connection)
            for statement in case.sql.split("; "):
                connection.exec_driver_sql(statement)
            found = differences(msgspec.convert(described(address, planted.metadata, 60), Description))
            ours = any((each.kind.value, each.place) == (case.kind, case.place) for each in found)
            theirs = planted.alembic_finds(connection)
        totals[0] += ours
        totals[1] += theirs
        words = ["found" if each else "missed" for each in (ours, theirs)]
        sys.stdout.write(f"| {case.what} | {words[0]} | {words[1]} |\n")
    sys.stdout.write(f"| **of {len(planted.CASES)}** | **{totals[0]}** | **{totals[1]}** |\n")


if __name__ == "__main__":
    main(sys.argv[1])
