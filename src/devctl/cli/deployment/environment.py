"""The checks of variables: set, fit, secret, and leading to where TLS is demanded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from devctl.cli.deployment.case import Case, Task, asked_of
from devctl.core.model import Service
from devctl.safety import cache
from devctl.safety.environment import Problem, open_doors, required, unprotected, weak
from devctl.safety.target import addresses_in, secrets_in
from devctl.safety.verdict import Level, Outcome, failed, passed


def tasks(case: Case, service: Service) -> Iterator[Task]:
    """The checks of a service's variables; none of a service whose manifest part speaks of no variable."""
    name = service.name
    if asked_of(service):
        yield Task(f"{name}/environment", Level.REQUIRED, lambda: _required(case, service))
    if case.named(service) or service.database:
        yield Task(f"{name}/secrets", Level.REQUIRED, lambda: _weak(case, service))
        if case.strict:
            yield Task(f"{name}/tls", Level.REQUIRED, lambda: _unprotected(case, service))
    if any(cache.is_cache(value) for value in case.values(service).values()):
        yield Task(f"{name}/cache", Level.REQUIRED, lambda: _cache(case, service))


def _required(case: Case, service: Service) -> Outcome:
    asked = asked_of(service)
    names = list(asked.get("required", ()))
    forbidden = dict(asked.get("not", {}))  # type: ignore[arg-type]
    problems = required(names, case.target.values, forbidden, case.development if case.strict else {})
    if not problems:
        return passed(f"{len(names)} required variables are fit, read from {case.target.source}")
    return failed(_said(problems), _where(case, problems[0].name))


def _weak(case: Case, service: Service) -> Outcome:
    secrets = secrets_in(case.values(service))
    doors = open_doors(addresses_in(case.values(service)))
    problems = [*weak(secrets, case.words), *doors, *_in_git(case)]
    if not problems:
        return passed(f"{len(secrets)} passwords and keys looked at, none weak" if secrets else "it has none")
    hint = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))' makes a good one"
    return failed(_said(problems), hint)


def _in_git(case: Case) -> list[Problem]:
    """Whether the file with the secrets is in the repository, where everybody has it for ever."""
    from devctl.git.repository import Repository

    file = case.target.file
    if not file or not secrets_in(case.target.values):
        return []
    tracked = Repository(case.root).ask("ls-files", "--error-unmatch", "--", file).code == 0
    return [Problem(case.target.source, "is in git, with its secrets")] if tracked else []


def _unprotected(case: Case, service: Service) -> Outcome:
    addresses = addresses_in(case.values(service))
    problems = unprotected(addresses)
    if problems:
        return failed(_said(problems), _where(case, problems[0].name))
    away = [each for each in addresses if not each.local]
    return passed(f"{len(away)} addresses elsewhere, all with TLS" if away else "no address leads to another machine")


def _cache(case: Case, service: Service) -> Outcome:
    answers = [cache.ping(value) for value in case.values(service).values() if cache.is_cache(value)]
    return passed(f"{', '.join(answers)} answers")


def _said(problems: Sequence[Problem]) -> str:
    return "; ".join(str(each) for each in problems)


def _where(case: Case, name: str) -> str:
    """Where the variable is to be put right."""
    if case.target.file:
        return f"put it right in {case.target.source}"
    return f"set {name}, or put it into .env.{case.target.name} beside services.yaml"
