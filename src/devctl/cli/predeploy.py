"""``devctl predeploy``: every check before a deployment, all results in one table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from devctl.cli.place import Place, here
from devctl.errors import DevctlError, Exit

if TYPE_CHECKING:
    from devctl.cli.deployment.case import Case, Task
    from devctl.safety.verdict import Check

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def predeploy(
    context: typer.Context,
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="All, when none is named.")
    ] = None,
    environment: Annotated[
        str, typer.Option("--env", metavar="NAME", help="What is deployed to; its variables are in .env.NAME.")
    ] = "production",
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="CHECK", help="Make this check alone; may be repeated.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Say which checks there are, and make none.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    github: Annotated[bool, typer.Option("--github", help="Annotations for GitHub Actions, beside the table.")] = False,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML there.")] = None,
    sarif: Annotated[Path | None, typer.Option("--sarif", metavar="FILE", help="Write SARIF 2.1.0 there.")] = None,
) -> int:
    """Every check before production. Exit code 0 only when nothing stands in the way."""
    from devctl.cli.deployment.tasks import case_of, tasks_of

    case = case_of(here(context), environment, services or [])
    tasks = tasks_of(case)
    if listed:
        widest = max((len(task.name) for task in tasks), default=0)
        sys.stdout.write("".join(f"{task.name:<{widest}}  {task.level}\n" for task in tasks))
        return Exit.DONE
    checks = made_by(case, tasks, only or [])
    for file, written in ((junit, _junit), (sarif, _sarif)):
        if file is not None:
            _write(file, written(checks, case))
    return _told(checks, case, as_json=as_json, github=github)


def made_by(case: Case, tasks: list[Task], only: list[str]) -> list[Check]:
    """Every check made, while a terminal shows which one is at work."""
    from devctl.cli.deployment.case import carry_out

    if not sys.stderr.isatty():
        return carry_out(case, tasks, only, lambda _: None)
    width = max((len(task.name) for task in tasks), default=0)

    def begin(name: str) -> None:
        sys.stderr.write(f"\r   {name:<{width}}")
        sys.stderr.flush()

    try:
        return carry_out(case, tasks, only, begin)
    finally:
        sys.stderr.write(f"\r{'':{width + 3}}\r")
        sys.stderr.flush()


def _told(checks: list[Check], case: Case, *, as_json: bool, github: bool) -> int:
    from devctl.safety.verdict import may_deploy

    if as_json:
        import msgspec

        from devctl.cli.terminal import print_json
        from devctl.safety.verdict import verdict

        print_json({"verdict": verdict(checks), "checks": msgspec.to_builtins(checks)})
    else:
        from devctl.ui.theme import Screen
        from devctl.ui.verdict import verdict_table

        screen = Screen(sys.stdout)
        screen.write(verdict_table(checks, screen.glyphs, screen.width))
    if github:
        from devctl.safety.reports.annotations import annotated

        stream = sys.stderr if as_json else sys.stdout
        stream.write("".join(f"{line}\n" for line in annotated(checks, _file(case.place))))
    return Exit.DONE if may_deploy(checks) else Exit.FAILED


def _junit(checks: list[Check], case: Case) -> str:
    from devctl.safety.reports.junit import junit

    return junit(checks, case.manifest.name)


def _sarif(checks: list[Check], case: Case) -> str:
    import json

    from devctl import __version__
    from devctl.safety.reports.sarif import sarif

    log: dict[str, Any] = sarif(checks, _file(case.place), __version__)
    return json.dumps(log, indent=2) + "\n"


def _file(place: Place) -> str:
    """The manifest as seen from the root of its repository."""
    file = place.file.resolve()
    root = next((each for each in file.parents if (each / ".git").exists()), file.parent)
    return file.relative_to(root).as_posix()


def _write(file: Path, text: str) -> None:
    from devctl.workspace import write_atomic

    try:
        write_atomic(file.absolute(), text.encode())
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise DevctlError("the report can't be written", str(file), why, f"mkdir -p {file.parent}") from error
