"""The workflow of GitHub Actions that lets nothing through which ``devctl predeploy`` would stop. Pure: text goes out.

Least privilege: it may read the repository and nothing else, keeps no credentials, uses no secret of the repository.
What the services need to be secret is made up anew for each run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

FILE = ".github/workflows/pre-deployment-validation.yml"
ACTIONS = {
    "checkout": "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0",
    "python": "actions/setup-python@e797f83bcb11b83ae66e0230d6156d7c80228e7c # v6.0.0",
    "artifact": "actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0",
}
"""What is used of others, by full commit: a tag can be moved. The version is for people and for Dependabot."""
PASSWORD = "${{ github.sha }}"  # noqa: S105 - the commit: no secret, and none is needed
"""The store's password: it lives as long as the run and is reachable in it alone."""
_PLAIN = re.compile(r"(\./|/)?[A-Za-z_][\w./ =:,@%+-]*[\w./%]|[A-Za-z_]")


class Step(msgspec.Struct, frozen=True):
    """A command of the manifest: what it is called, and the folder it runs in, from the repository's root."""

    name: str
    run: str
    folder: str = ""


class Store(msgspec.Struct, frozen=True):
    """A service container: ``image``, the port, its variables and how its health is asked."""

    name: str
    image: str
    port: int
    health: str
    variables: Mapping[str, str] = {}


class Recipe(msgspec.Struct, frozen=True):
    """All that the workflow is made of.

    ``branches``: whose pushes are looked at. ``folder``: the manifest's, from the repository's root, "" when it is
    that. ``variables``: the environment of all steps; ``secret``: variables made up for each run. ``install``: how
    devctl gets there. ``setup`` and ``seed`` are the manifest's own commands, ``databases`` and ``logins`` the
    services that have one."""

    workspace: str
    install: str
    command: str = "devctl ci github"
    branches: tuple[str, ...] = ("master",)
    folder: str = ""
    python: str = "3.12"
    stores: tuple[Store, ...] = ()
    variables: Mapping[str, str] = {}
    secret: tuple[str, ...] = ()
    setup: tuple[Step, ...] = ()
    databases: tuple[str, ...] = ()
    migrated: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    seed: tuple[Step, ...] = ()
    logins: tuple[str, ...] = ()


class ExpressionError(ValueError):
    """A text of the manifest holds what GitHub would take for an expression; ``text`` is that."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def workflow(recipe: Recipe) -> str:
    """The file's text. Raises ExpressionError."""
    for text in _texts(recipe):
        if "${{" in text:
            raise ExpressionError(text)
    return "\n".join([*_head(recipe), *_job(recipe)]) + "\n"


def _texts(recipe: Recipe) -> Iterator[str]:
    """What comes from the manifest and from the command line."""
    yield recipe.install
    for step in (*recipe.setup, *recipe.seed):
        yield from (step.name, step.run, step.folder)
    for store in recipe.stores:
        yield from (store.image, *(value for value in store.variables.values() if value != PASSWORD))
    yield from recipe.branches
    yield from (_theirs(name, value) for name, value in recipe.variables.items())


def _theirs(name: str, value: str) -> str:
    """The value without the expressions that we put there."""
    return value.replace(PASSWORD, "").replace(f"${{{{ vars.{name} }}}}", "")


def _head(recipe: Recipe) -> Iterator[str]:
    yield f"# Written by `{recipe.command}` from services.yaml: change that and write it anew."
    yield "# `devctl ci check` says whether it is current."
    yield "name: Pre-deployment validation"
    yield ""
    yield "on:"
    yield "  pull_request:"
    yield "  push:"
    yield f"    branches: [{', '.join(scalar(each) for each in recipe.branches)}]"
    yield ""
    yield "permissions:"
    yield "  contents: read"
    yield ""
    yield "concurrency:"
    yield "  group: ${{ github.workflow }}-${{ github.ref }}"
    yield "  cancel-in-progress: true"
    yield ""


def _job(recipe: Recipe) -> Iterator[str]:
    yield "jobs:"
    yield "  validate:"
    yield f"    name: {scalar(f'May {recipe.workspace} be deployed?')}"
    yield "    runs-on: ubuntu-24.04"
    yield "    timeout-minutes: 30"
    if recipe.stores:
        yield "    services:"
        for store in recipe.stores:
            yield from _store(store)
    yield "    env:"
    yield "      DOCKER_HOST: unix:///none # services are plain processes here: no image is built to look at one"
    yield from _mapping(recipe.variables, 6)
    if recipe.folder:
        yield "    defaults:"
        yield "      run:"
        yield f"        working-directory: {scalar(recipe.folder)}"
    yield "    steps:"
    yield from _preparation(recipe)
    yield from _checks(recipe)


def _store(store: Store) -> Iterator[str]:
    yield f"      {store.name}:"
    yield f"        image: {scalar(store.image)}"
    if store.variables:
        yield "        env:"
        yield from _mapping(store.variables, 10)
    yield f'        ports: ["{store.port}:{store.port}"]'
    yield "        options: >-"
    yield f'          --health-cmd "{store.health}"'
    yield "          --health-interval 2s --health-timeout 5s --health-retries 30"


def _preparation(recipe: Recipe) -> Iterator[str]:
    yield f"      - uses: {ACTIONS['checkout']}"
    yield "        with:"
    yield "          fetch-depth: 0 # what a change touches is seen by comparing it with the branch it is for"
    yield "          persist-credentials: false"
    yield f"      - uses: {ACTIONS['python']}"
    yield "        with:"
    yield f'          python-version: "{recipe.python}"'
    yield from _step("Install devctl", recipe.install.splitlines(), minutes=10)
    if recipe.secret:
        yield from _step("Make up secrets for this run", _secrets(recipe.secret))
    yield from _step("Is this workflow what the manifest says?", ["devctl ci check"])
    for step in recipe.setup:
        yield from _step(step.name, step.run.splitlines(), step.folder, minutes=10)


def _secrets(names: Sequence[str]) -> list[str]:
    """Each is masked before anything else learns of it."""
    return [
        f"for name in {' '.join(names)}; do",
        "  value=$(openssl rand -hex 32)",
        '  echo "::add-mask::$value"',
        '  echo "$name=$value" >> "$GITHUB_ENV"',
        "done",
    ]  # fmt: skip


def _checks(recipe: Recipe) -> Iterator[str]:
    for name in recipe.migrated:
        yield from _step(f"Migrate the database of {name}", [f"devctl db upgrade {name}"], minutes=10)
    for name in recipe.compared:
        yield from _step(f"Compare the schema of {name} with its models", [f"devctl db check {name}"], minutes=5)
    for step in recipe.seed:
        yield from _step(step.name, step.run.splitlines(), step.folder, minutes=5)
    for name in recipe.logins:
        yield from _step(f"Log in to {name}", [f"devctl predeploy --env ci --only login {name}"], minutes=10)
    reports = '--github --junit "$RUNNER_TEMP/predeploy.xml" --sarif "$RUNNER_TEMP/predeploy.sarif"'
    yield from _step("Every check before a deployment", [f"devctl predeploy --env ci {reports}"], minutes=20)
    yield "      - name: Keep the reports"
    yield "        if: ${{ !cancelled() }}"
    yield f"        uses: {ACTIONS['artifact']}"
    yield "        with:"
    yield "          name: predeploy"
    yield "          path: |"
    yield "            ${{ runner.temp }}/predeploy.xml"
    yield "            ${{ runner.temp }}/predeploy.sarif"
    yield "          if-no-files-found: ignore"
    yield "          retention-days: 14"


def _step(name: str, lines: Sequence[str], folder: str = "", minutes: int = 5) -> Iterator[str]:
    yield f"      - name: {scalar(name)}"
    if folder:
        yield f"        working-directory: {scalar(folder)}"
    yield f"        timeout-minutes: {minutes}"
    if len(lines) == 1 and scalar(lines[0]) == lines[0]:
        yield f"        run: {lines[0]}"
        return
    yield "        run: |"
    yield from (f"          {line}" for line in lines)


def _mapping(values: Mapping[str, str], indent: int) -> Iterator[str]:
    yield from (f"{' ' * indent}{name}: {scalar(value)}" for name, value in values.items())


def scalar(text: str) -> str:
    """A text as YAML, in quotes unless it certainly needs none. JSON's quotes are YAML's."""
    words = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
    plain = _PLAIN.fullmatch(text) and ": " not in text and " #" not in text and text.lower() not in words
    return text if plain else json.dumps(text, ensure_ascii=False)
