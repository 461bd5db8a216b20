"""The checks of a service's database: reached, as its models say, all migrations there, those to come tried out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from devctl.cli.deployment.case import Case, Task, of_error
from devctl.core.model import Service
from devctl.errors import DevctlError
from devctl.safety.history import Place, Standing
from devctl.safety.verdict import Level, Outcome, failed, passed, skipped

if TYPE_CHECKING:
    from devctl.cli.db.place import Target
    from devctl.safety.migrations import Migrations
    from devctl.safety.schema.policy import Difference
    from devctl.safety.url import DatabaseUrl

_SHOWN = 3


def tasks(case: Case, service: Service) -> Iterator[Task]:
    """The checks of a service that has a database."""
    name, database = service.name, service.database
    if database is None:
        return
    yield Task(f"{name}/database", Level.REQUIRED, lambda: _reached(case, service))
    if database.models:
        yield Task(f"{name}/schema", Level.REQUIRED, lambda: _schema(case, service))
    if database.migrations:
        yield Task(f"{name}/migrations", Level.REQUIRED, lambda: _migrations(case, service))
        yield Task(f"{name}/rehearsal", Level.REQUIRED, lambda: _rehearsal(case, service))


def _reached(case: Case, service: Service) -> Outcome:
    from devctl.cli.deployment.place import deployed
    from devctl.safety.policy import is_loopback
    from devctl.safety.server import connected
    from devctl.safety.url import Dialect

    url = deployed(case, service).url
    if url.dialect is Dialect.SQLITE:
        if _is_file(url.name):
            return passed(f"a file: {url.shown}")
        return failed(f"there is no file {url.shown}", f"devctl db upgrade {service.name}")
    with connected(url) as connection:
        row = connection.execute(
            "select current_user, current_setting('server_version'),"
            " coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false)"
        ).fetchone()
    user, version, secure = row or ("", "", False)
    said = f"{url.shown} lets {user} in: PostgreSQL {version.split()[0]}, {'with' if secure else 'without'} TLS"
    if case.strict and not secure and not is_loopback(url.server):
        return failed(said, "add sslmode=verify-full to its address, or sslmode=require")
    return passed(said)


def _is_file(name: str) -> bool:
    from pathlib import Path

    return Path(name).is_file()


def _schema(case: Case, service: Service) -> Outcome:
    from devctl.cli.db.check import check_all
    from devctl.cli.db.reach import identity_of
    from devctl.cli.deployment.place import deployed
    from devctl.safety.url import Dialect

    target = deployed(case, service)
    identity = identity_of(target.url)  # first: no container is started for a database that doesn't answer
    postgresql = target.url.dialect is Dialect.POSTGRESQL
    (checked,) = check_all(target.place, [target], identity if postgresql else ())
    if checked.problem is not None:
        return of_error(case, checked.problem)
    if not checked.differences:
        return passed(f"{target.url.shown} is as the models say")
    names = [_said(each) for each in checked.differences]
    return failed(f"{target.url.shown} differs from the models: {_some(names)}", f"devctl db check {service.name}")


def _said(each: Difference) -> str:
    return f"{each.kind.value.replace('_', ' ')} {'.'.join(filter(None, (each.table, each.name)))}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _standing(case: Case, service: Service) -> Standing:
    from devctl.cli.db.reach import migrations_of
    from devctl.cli.deployment.place import deployed

    return migrations_of(deployed(case, service)).standing()


def _migrations(case: Case, service: Service) -> Outcome:
    from devctl.cli.db.reach import migrations_of
    from devctl.cli.db.standing import must_be_known
    from devctl.cli.deployment.place import deployed

    target = deployed(case, service)
    migrations = migrations_of(target)
    standing = migrations.standing()
    must_be_known(target, migrations, standing)
    if standing.place is Place.BEHIND:
        pending = [each.id for each in standing.pending]
        return failed(f"{target.url.shown} lacks {_some(pending)}", _upgrade(case, service))
    return passed(f"{target.url.shown} has every migration")


def _upgrade(case: Case, service: Service) -> str:
    if not case.strict:
        return f"devctl db upgrade {service.name}"
    return "back it up, then alembic upgrade head, then devctl predeploy again"


def _rehearsal(case: Case, service: Service) -> Outcome:
    """What is pending, up, down and up again on a scratch database that has been brought to where the target is."""
    from devctl.cli.deployment.place import migrations_on, trying

    standing = _standing(case, service)
    if standing.place in {Place.AHEAD, Place.FORKED}:
        return skipped("the history of the migrations does not fit", f"see {service.name}/migrations")
    if not standing.pending:
        return passed("no migration is pending")
    with trying(case, service) as (near, url):
        why_not = _copied(case, service, near, url, standing.current)
        migrations = migrations_on(near, url)  # after it: what is made anew is another database
        if why_not:
            for each in standing.current:
                migrations.upgrade(each)
        where = "a scratch copy of its schema" if not why_not else f"a scratch database, migrated there ({why_not})"
        return rehearsed(case, migrations, standing, url, where)


def _copied(case: Case, service: Service, near: Target, url: DatabaseUrl, current: Sequence[str]) -> str:
    """Copy the schema that is deployed to; why it couldn't be, "" when it was. An empty one needs no copy."""
    from devctl.cli.deployment.place import deployed

    if not current:
        return ""
    try:
        _copy(deployed(case, service), near, url, current)
    except DevctlError as error:
        from devctl.safety.scratch import emptied

        emptied(url)
        return case.blotted(f"{error.what}: {error.why}" if error.why else error.what)
    return ""


def _copy(source: Target, near: Target, url: DatabaseUrl, current: Sequence[str]) -> None:
    from devctl.cli.db.store import tools_of
    from devctl.safety.schema_copy import copy_schema, copy_sqlite
    from devctl.safety.server import connected, version
    from devctl.safety.url import Dialect

    if url.dialect is Dialect.SQLITE:
        copy_sqlite(source.url.name, url.name)
        return
    majors = []
    for each in (source.url, url):
        with connected(each) as connection:
            majors.append(version(connection))
    copy_schema(tools_of(source, majors[0]), tools_of(near, majors[1]), url, current)


def rehearsed(case: Case, migrations: Migrations, standing: Standing, url: DatabaseUrl, where: str) -> Outcome:
    """Each half is told by its own name when it fails."""
    from devctl.safety.scratch import fingerprint

    ids = [each.id for each in standing.pending]
    to = list(standing.current)
    before = fingerprint(url)
    if problem := _tried(case, "upgrade", migrations.upgrade):
        return problem
    after = fingerprint(url)
    if problem := _tried(case, "downgrade", lambda: [migrations.downgrade(each) for each in to or ["base"]]):
        return problem
    left = sorted(_without_own(fingerprint(url)) ^ _without_own(before))
    if left:
        return failed(f"the downgrade does not undo the upgrade: {_some(left)}", "correct the migration's downgrade()")
    if problem := _tried(case, "second upgrade", migrations.upgrade):
        return problem
    if fingerprint(url) != after:
        return failed("a second upgrade comes to something else than the first", "correct the migration's upgrade()")
    return passed(f"{_some(ids)} went up, down and up again on {where}")


def _without_own(lines: frozenset[str]) -> set[str]:
    """Without Alembic's own table, which stays when the first migration is taken back."""
    return {line for line in lines if "alembic_version" not in line}


def _tried(case: Case, what: str, work: Callable[[], object]) -> Outcome | None:
    try:
        work()
    except DevctlError as error:
        found = of_error(case, error)
        return failed(
            f"the {what} fails on a scratch database: {found.evidence}", found.hint or "correct the migration"
        )
    return None
