"""Alembic, in the service's own interpreter: what is so, upgrade, downgrade, a new migration.

``main`` takes ``action`` (state, upgrade, downgrade, revise, merge), ``url``, ``name`` (the database's), ``identity``
(of the database that is meant, see ``_must_be``), ``variables`` (those that hold the address for the service),
``away`` (whether this is a container, where addresses are other ones), ``read_only``, ``folder`` (the scripts),
``ini`` (a file's path or text, "" for none), ``files`` (the scripts as path → text, when ``folder`` isn't in reach)
and, by action, ``to`` and ``message``.

Alembic's ``env.py`` is the user's own and may connect wherever it likes. So nothing is done before the connection it
brings has been seen to lead to the database that is meant.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

IDENTITY = (
    "select current_database()::text",
    "select oid::text from pg_database where datname = current_database()",
    "select extract(epoch from pg_postmaster_start_time())::numeric(20, 6)::text",
)
"""Together they tell a PostgreSQL database from every other."""


class OtherDatabase(Exception):
    """env.py leads to another database than the one that is meant."""


def main(given: dict[str, Any]) -> Any:
    """The action's outcome. Raises OtherDatabase and whatever Alembic, env.py or a migration raises."""
    url = address(given)
    for variable in given["variables"]:
        os.environ[variable] = url
    with tempfile.TemporaryDirectory() as place:
        config = _config(given, url, place)
        seen: dict[str, Any] = {"applied": [], "operations": []}
        _watch(given, seen)
        return ACTIONS[given["action"]](config, given, seen)


def address(given: dict[str, Any]) -> str:
    """The database's address as it is reached from here: in a container, its own variable knows better."""
    from sqlalchemy.engine import make_url

    own = [os.environ[name] for name in given["variables"] if os.environ.get(name)]
    if not given["away"] or not own:
        return str(given["url"])
    return str(make_url(own[0]).set(database=given["name"]).render_as_string(hide_password=False))


def _config(given: dict[str, Any], url: str, place: str) -> Any:
    from alembic.config import Config

    folder, ini = Path(given["folder"]), given["ini"]
    if given["files"]:
        folder = Path(place) / "migrations"
        for name, text in given["files"].items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        if ini:
            (Path(place) / "alembic.ini").write_text(ini, encoding="utf-8")
            ini = str(Path(place) / "alembic.ini")
    config = Config(ini or None)
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    config.print_stdout = lambda *_: None  # type: ignore[method-assign]
    return config


def _watch(given: dict[str, Any], seen: dict[str, Any]) -> None:
    """Look at the connection that env.py brings, and at what is done over it."""
    from alembic.runtime.environment import EnvironmentContext

    configure = EnvironmentContext.configure

    def watched(self: Any, connection: Any = None, *rest: Any, **options: Any) -> Any:
        if connection is None:
            raise OtherDatabase("env.py brings no connection")
        _must_be(given, connection)
        theirs = options.get("process_revision_directives")

        def directives(context: Any, revision: Any, scripts: Any) -> None:
            if theirs:
                theirs(context, revision, scripts)
            _take_down(scripts, seen)

        def applied(**facts: Any) -> None:
            step = facts["step"]
            seen["applied"].append(step.up_revision_id if step.is_upgrade else sorted(step.down_revision_ids) or "")

        told = options.get("on_version_apply") or ()
        options["on_version_apply"] = (*(told if isinstance(told, (list, tuple, set)) else (told,)), applied)
        options["process_revision_directives"] = directives
        return configure(self, connection, *rest, **options)

    EnvironmentContext.configure = watched  # type: ignore[method-assign]


def _must_be(given: dict[str, Any], connection: Any) -> None:
    """``identity`` is SQLite's file, or a PostgreSQL database's name, its oid and when its server started, in seconds
    since the epoch. What is asked leaves no transaction open, else Alembic would
    take it for the user's own and commit nothing."""
    began = connection.in_transaction()
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("PRAGMA database_list").fetchall()
        found = [os.path.realpath(row[2]) for row in rows if row[1] == "main"]
    else:
        found = [connection.exec_driver_sql(query).scalar() for query in IDENTITY]
    if found != given["identity"]:
        where = found[0] if found[0] != given["identity"][0] else found[0] + " of another server"
        raise OtherDatabase(f"env.py leads to {where}, not to {given['identity'][0]}")
    if connection.dialect.name != "sqlite" and not began:
        if given["action"] != "state":
            connection.exec_driver_sql("set lock_timeout = '30s'")
        if given["read_only"]:
            connection.exec_driver_sql("set default_transaction_read_only = on")
        connection.commit()
    elif not began:
        connection.rollback()


def _state(config: Any, given: dict[str, Any], seen: dict[str, Any]) -> Any:
    """{"revisions": [{"id", "down", "message", "file", "needs"}], newest first, "heads", "current"}."""
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(config)
    found: list[str] = []

    def note(revisions: Any, _: Any) -> list[Any]:
        found.extend(revisions)
        return []

    with EnvironmentContext(config, scripts, fn=note, dont_mutate=True):
        scripts.run_env()
    return {
        "revisions": [
            {
                "id": each.revision,
                "down": sorted(_several(each.down_revision)),
                "needs": sorted(_several(each.dependencies)),
                "message": (each.doc or "").strip(),
                "file": os.path.relpath(each.path, scripts.dir),
            }
            for each in scripts.walk_revisions()
        ],
        "heads": sorted(scripts.get_heads()),
        "current": sorted(found),
    }


def _several(value: Any) -> list[str]:
    if not value:
        return []
    return [value] if isinstance(value, str) else list(value)


def _upgrade(config: Any, given: dict[str, Any], seen: dict[str, Any]) -> Any:
    """The revisions that were applied, in order."""
    from alembic import command

    command.upgrade(config, given["to"])
    return seen["applied"]


def _downgrade(config: Any, given: dict[str, Any], seen: dict[str, Any]) -> Any:
    """The revisions it came down to, in order."""
    from alembic import command

    command.downgrade(config, given["to"])
    return seen["applied"]


def _revise(config: Any, given: dict[str, Any], seen: dict[str, Any]) -> Any:
    """{"id", "file", "text", "operations"}; None when there is nothing to migrate, and then nothing is written."""
    from alembic import command

    return _written(command.revision(config, given["message"], autogenerate=True), config, seen)


def _merge(config: Any, given: dict[str, Any], seen: dict[str, Any]) -> Any:
    """As _revise."""
    from alembic import command

    return _written(command.merge(config, "heads", message=given["message"]), config, seen)


def _written(script: Any, config: Any, seen: dict[str, Any]) -> Any:
    from alembic.script import ScriptDirectory

    if not script or isinstance(script, list):
        return None
    text = Path(script.path).read_text(encoding="utf-8")
    file = os.path.relpath(script.path, ScriptDirectory.from_config(config).dir)
    return {"id": script.revision, "file": file, "text": text, "operations": seen["operations"]}


def _take_down(scripts: Any, seen: dict[str, Any]) -> None:
    """What a new migration does, in order; without anything to do it isn't written."""
    for script in scripts:
        for group in script.upgrade_ops_list:
            seen["operations"].extend(_flat(group.ops))
    if not seen["operations"]:
        scripts[:] = []


def _flat(operations: Any) -> list[dict[str, Any]]:
    found = []
    for each in operations:
        if hasattr(each, "ops"):
            found.extend(_flat(each.ops))
        else:
            found.append(_operation(each))
    return found


def _operation(each: Any) -> dict[str, Any]:
    """``kind`` is the class's name without Op; the rest is what says whether data is lost."""
    kind = type(each).__name__.replace("Op", "")
    column = getattr(each, "column", None)
    described: dict[str, Any] = {
        "kind": kind,
        "table": _name(getattr(each, "table_name", "") or getattr(each, "source_table", "")),
        "name": _name(
            getattr(each, "column_name", "")
            or getattr(column, "name", "")
            or getattr(each, "constraint_name", "")
            or getattr(each, "index_name", "")
        ),
    }
    if column is not None:
        described["nullable"] = bool(column.nullable)
        described["default"] = bool(
            column.server_default is not None or getattr(column, "computed", None) or getattr(column, "identity", None)
        )
    if kind == "AlterColumn":
        described["nullable"] = each.modify_nullable
        described["default"] = each.modify_server_default not in (False, None) or bool(each.existing_server_default)
        if each.modify_type is not None:
            described["before"], described["after"] = _type(each.existing_type), _type(each.modify_type)
    return described


def _name(value: Any) -> str:
    return str(value or "")


def _type(kind: Any) -> dict[str, Any]:
    numbers = {key: getattr(kind, key, None) for key in ("length", "precision", "scale", "timezone", "dimensions")}
    return {
        "name": type(kind).__name__.upper(),
        "bases": [base.__name__.upper() for base in type(kind).__mro__],
        "values": [str(value) for value in getattr(kind, "enums", None) or ()],
        **{key: value for key, value in numbers.items() if isinstance(value, (int, bool))},
    }


ACTIONS = {"state": _state, "upgrade": _upgrade, "downgrade": _downgrade, "revise": _revise, "merge": _merge}
