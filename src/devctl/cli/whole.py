"""The command line as a whole, read by typer: every verb, help, what isn't understood."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.main import get_command

from devctl import __version__
from devctl.cli.family import Command, Family
from devctl.cli.verbs import FAMILIES, VERBS
from devctl.errors import DevctlError, Exit


class Verbs(Family):
    """All verbs of devctl."""

    verbs = VERBS

    def parse_args(self, ctx: Command, args: list[str]) -> list[str]:
        """``--file`` may also stand behind the verb."""
        return super().parse_args(ctx, file_first(args))

    def format_commands(self, ctx: Command, formatter: Command) -> None:
        """The overview, by families."""
        del ctx
        for title, verbs in FAMILIES.items():
            with formatter.section(title):
                formatter.write_dl([(name, verb.about) for name, verb in verbs.items()])


def file_first(arguments: list[str]) -> list[str]:
    """The arguments with ``--file PATH`` in front of the verb, whose own option it is not."""
    for index, word in enumerate(arguments):
        if word == "--":
            break
        if word == "--file" or word.startswith("--file="):
            length = 2 if word == "--file" else 1
            return arguments[index : index + length] + arguments[:index] + arguments[index + length :]
    return arguments


app = typer.Typer(cls=Verbs, name="devctl", rich_markup_mode=None, invoke_without_command=True)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"devctl {__version__}\n")
        raise typer.Exit


@app.callback()
def devctl(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Option("-f", "--file", help="The manifest; else services.yaml here or in a parent folder.")
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")] = False,
) -> None:
    """One command brings a whole workspace up, one takes it down."""
    del version
    context.obj = file
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


def invoke(arguments: list[str]) -> int:
    """Carry out a command line; the exit code. Raises DevctlError for a wrong one."""
    try:
        return _invoked(arguments)
    except typer.Exit as ended:
        return ended.exit_code
    except typer.Abort:
        return Exit.INTERRUPTED
    except typer.TyperException as error:
        raise _usage(error, arguments) from error


def _invoked(arguments: list[str]) -> int:
    command = get_command(app)
    if "_DEVCTL_COMPLETE" in os.environ:
        command.main(arguments, prog_name="devctl")
    with command.make_context("devctl", list(arguments)) as context:
        return int(command.invoke(context) or 0)


def _usage(error: typer.TyperException, arguments: list[str]) -> DevctlError:
    context = getattr(error, "ctx", None)
    verb = next((f" {word}" for word in arguments if word in VERBS), "")
    path = context.command_path if context else f"devctl{verb}"
    message = error.format_message().strip().rstrip(".").replace("is not a valid int range", "is no whole number")
    what = message[:1].lower() + message[1:] if message[1:2].islower() else message
    return DevctlError(what, hint=f"{path} --help", code=Exit.USAGE)
