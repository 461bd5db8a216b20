"""What the workflow is made of, read off the manifest, its Compose file and the repository they stand in."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from devctl import __version__
from devctl.cli.deployment.case import Case, asked_of
from devctl.cli.deployment.tasks import case_of
from devctl.cli.place import Place
from devctl.core.model import Service
from devctl.errors import DevctlError, Exit
from devctl.manifest.interpolate import TemplateError, fill, variables
from devctl.safety import cache
from devctl.safety.policy import harmless
from devctl.safety.secrets import kind_of
from devctl.safety.target import defaults, hidden
from devctl.safety.url import DatabaseUrl, Dialect, UrlError, parse
from devctl.safety.workflow import FILE, PASSWORD, ExpressionError, Recipe, Step, Store, workflow

INSTALLED = re.compile(r"^# Written by `devctl ci github --install (?P<command>'.*'|\S+)`", re.MULTILINE)
CACHE = re.compile(r"(REDIS|VALKEY|CACHE)_URL")
POSTGRES, REDIS = "postgres:16-alpine", "redis:7-alpine"
FROM_SOURCE = """\
python -m venv "$RUNNER_TEMP/devctl"
"$RUNNER_TEMP/devctl/bin/pip" install --quiet --require-hashes -r requirements.lock
"$RUNNER_TEMP/devctl/bin/pip" install --quiet --no-deps --no-build-isolation .
echo "$RUNNER_TEMP/devctl/bin" >> "$GITHUB_PATH\""""
"""Where the repository is devctl's own."""


class Written:
    """The workflow's file, and what should stand in it. ``install`` is the command that brings devctl, if one is given;
    otherwise the one that the file was written with last time."""

    def __init__(self, place: Place, install: str | None = None) -> None:
        self.root = repository_of(place)
        self.file = self.root / FILE
        self.present = self.file.read_text(encoding="utf-8") if self.file.is_file() else None
        known = INSTALLED.search(self.present or "")
        self.install = install or (shlex.split(known["command"])[0] if known else "")
        if not self.install.isprintable():
            raise DevctlError(
                "the command is more than one line", hint="write a script, and name that", code=Exit.USAGE
            )
        self.command = f"devctl ci github --install {shlex.quote(self.install)}" if self.install else "devctl ci github"
        self.wanted = self._wanted(place)

    def _wanted(self, place: Place) -> str:
        try:
            return workflow(recipe(place, self.root, self.install, self.command))
        except ExpressionError as error:
            raise DevctlError(
                "the manifest holds what GitHub would take for an expression",
                place.manifest.file,
                f"${{{{ in “{error.text[:60]}”",
                "leave it to the shell: an environment variable",
                Exit.USAGE,
            ) from error


def repository_of(place: Place) -> Path:
    """The root of the repository that the manifest stands in. Raises DevctlError."""
    folder = place.file.resolve().parent
    for each in (folder, *folder.parents):
        if (each / ".git").exists():
            return each
    hint = "git init, or name the manifest of a repository: devctl -f PATH ci github"
    raise DevctlError("the workspace is in no git repository", str(folder), hint=hint, code=Exit.PRECONDITION)


def recipe(place: Place, root: Path, install: str, command: str) -> Recipe:
    """All that the workflow is made of. Raises DevctlError."""
    case = case_of(place, "ci", [])
    release = [branch for each in case.manifest.git for branch in each.promote]
    days = [each.branch for each in case.manifest.git if each.branch]
    stores, values = _stores(case)
    services = [each for each in case.services if each.database or each.predeploy]
    secret = [name for each in services for name in case.named(each) if kind_of(name) and name not in values]
    return Recipe(
        workspace=case.manifest.name,
        install=install or _install(case.root),
        command=command,
        branches=tuple(dict.fromkeys(release or days or ["master"])),
        folder=_inside(case.root, root, "the manifest"),
        stores=tuple(stores),
        variables=values | _others(case, services, {*values, *secret}),
        secret=tuple(dict.fromkeys(secret)),
        setup=tuple(_setup(services, root)),
        migrated=tuple(each.name for each in services if each.database and each.database.migrations),
        compared=tuple(each.name for each in services if each.database and each.database.models),
        seed=tuple(_seed(services, root)),
        logins=tuple(each.name for each in services if (each.predeploy or {}).get("login")),
    )


def _install(root: Path) -> str:
    """From its own source in its own repository, from the index elsewhere."""
    project = root / "pyproject.toml"
    own = project.is_file() and re.search(r'^name = "controlcore-devctl"$', project.read_text(), re.MULTILINE)
    return FROM_SOURCE if own else f"python -m pip install --quiet controlcore-devctl=={__version__}"


def _inside(path: Path, root: Path, what: str) -> str:
    """The path as seen from the repository's root, "" for that itself. Raises DevctlError for one outside."""
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(root):
        why = f"{real} is outside {root}, and a workflow has this repository alone"
        raise DevctlError(f"{what} is in another repository", why=why, hint="write the workflow there", code=Exit.USAGE)
    found = real.relative_to(root).as_posix()
    return "" if found == "." else found


def _setup(services: Iterable[Service], root: Path) -> Iterator[Step]:
    """Every setup step once: services that share one share its result."""
    seen = set()
    for service in services:
        spec = service.process or service.native
        for step in spec.setup if spec else ():
            command = step.command if isinstance(step.command, str) else shlex.join(step.command)
            folder = _inside(Path(step.path), root, f"the setup of {service.name}")
            if (command, folder) not in seen:
                seen.add((command, folder))
                yield Step(f"Set up {service.name}", command, folder)


def _seed(services: Iterable[Service], root: Path) -> Iterator[Step]:
    for service in services:
        if service.database and service.database.seed:
            folder = _inside(Path(service.path), root, service.name) if service.path else ""
            yield Step(f"Fill the database of {service.name}", _seeding(service), folder)


def _seeding(service: Service) -> str:
    """The seed, with the service's own python first on the PATH, as devctl runs it."""
    seed = service.database.seed if service.database else ""
    spec = service.process or service.native
    words = [] if spec is None else spec.command.split() if isinstance(spec.command, str) else list(spec.command)
    found = next((word.rpartition("/")[0] for word in words if "/bin/" in word and not word.startswith("/")), "")
    return f'PATH="$PWD/{found}:$PATH" {seed}' if found and not seed.startswith((".", "/")) else seed


def _stores(case: Case) -> tuple[list[Store], dict[str, str]]:
    """The service containers, and the variables that lead to them."""
    images = _images(case)
    stores: dict[str, Store] = {}
    values: dict[str, str] = {}
    for service in case.services:
        if (url := _url(case, service)) and url.dialect is Dialect.POSTGRESQL:
            store = stores.setdefault("postgres", _postgres(url, images))
            user, name = store.variables["POSTGRES_USER"], store.variables["POSTGRES_DB"]
            address = f"postgresql://{user}:{PASSWORD}@localhost:5432/{name}"
            values |= dict.fromkeys(variables(service.database.url if service.database else "")[:1], address)
        for name in case.named(service):
            known = _defaults(case).get(name, ())
            if CACHE.fullmatch(name) or any(cache.is_cache(value) for value in known):
                image = _first(images, "redis|valkey", REDIS)
                stores.setdefault("redis", Store("redis", image, 6379, "redis-cli ping"))
                values[name] = "redis://localhost:6379/0"
    return list(stores.values()), values


def _postgres(url: DatabaseUrl, images: Iterable[str]) -> Store:
    user, name = (each if re.fullmatch(r"\w+", each) else "postgres" for each in (url.user, url.name))
    name += "" if harmless(name) else "_ci"  # what a runner's port leads to can't be seen: the name has to say it
    known = {"POSTGRES_USER": user, "POSTGRES_PASSWORD": PASSWORD, "POSTGRES_DB": name}
    image = _first(images, "postgres|postgis|timescale|pgvector", POSTGRES)
    return Store("postgres", image, 5432, f"pg_isready -U {user} -d {name}", known)


def _first(images: Iterable[str], pattern: str, otherwise: str) -> str:
    return next((each for each in images if re.search(pattern, each)), otherwise)


def _url(case: Case, service: Service) -> DatabaseUrl | None:
    """The database's address by the manifest's own default, wherever the workflow is written: no ``.env`` has a
    say."""
    if service.database is None:
        return None
    try:
        return parse(fill(service.database.url, {}))
    except TemplateError:
        name = case.manifest.name.replace("-", "_")
        return DatabaseUrl(Dialect.POSTGRESQL, user=name, name=name)
    except UrlError:
        return None


def _images(case: Case) -> list[str]:
    """The images of the Compose file, with its defaults."""
    import yaml

    found: list[str] = []
    for file in case.manifest.compose.files if case.manifest.compose else ():
        try:
            tree: Any = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError):
            continue
        for service in ((tree or {}).get("services") or {}).values():
            if isinstance(service, dict) and isinstance(service.get("image"), str):
                try:
                    found.append(fill(service["image"], {}))
                except TemplateError:
                    continue
    return found


def _others(case: Case, services: Iterable[Service], known: set[str]) -> dict[str, str]:
    """Required variables that are neither secret nor an address of a store: the default that the manifest or a
    Compose file has, else the variable of the repository on GitHub. Nothing of one machine alone gets in."""
    found = {}
    for service in services:
        for name in asked_of(service).get("required", ()):
            if name not in known:
                values = sorted(each for each in _defaults(case).get(name, ()) if not hidden({name: each}))
                found[name] = values[0] if values else f"${{{{ vars.{name} }}}}"
    return found


def _defaults(case: Case) -> Mapping[str, Collection[str]]:
    """The defaults ``${VAR:-…}`` that are in the repository for everybody."""
    stack = case.manifest.compose
    return defaults([Path(case.manifest.file), *(Path(file) for file in (stack.files if stack else ()))])
