"""A command made of verbs. Only the module of the one that is called is imported."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

from typer.core import TyperGroup
from typer.main import get_command

from devctl.cli.declared import Declared
from devctl.cli.verbs import Verb
from devctl.errors import DevctlError, Exit

Command = Any
"""typer keeps the classes of commands and contexts to itself."""


class Family(TyperGroup):
    """The verbs by name. ``path`` is what is typed before them."""

    verbs: ClassVar[Mapping[str, Verb]] = {}
    path: ClassVar[str] = "devctl"

    def list_commands(self, ctx: Command) -> list[str]:
        """All verbs, in the overview's order."""
        del ctx
        return list(self.verbs)

    def get_command(self, ctx: Command, cmd_name: str) -> Command:
        """The verb's command, None for one that doesn't exist."""
        del ctx
        verb = self.verbs.get(cmd_name)
        if verb is None:
            return None
        app = import_module(verb.module).app
        command = get_command(app.typer() if isinstance(app, Declared) else app)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Command, args: list[str]) -> Command:
        """Raises DevctlError, with the verb that was probably meant, for an unknown one."""
        if args[0] not in self.verbs and not args[0].startswith("-"):
            raise self._unknown(args[0])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Command, formatter: Command) -> None:
        """The overview, from the table of verbs: nothing is imported for it."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.about) for name, verb in self.verbs.items()])

    def _unknown(self, word: str) -> DevctlError:
        from difflib import get_close_matches

        near = get_close_matches(word, self.verbs, 1)
        hint = f"did you mean {self.path} {near[0]}?" if near else f"{self.path} --help lists the verbs"
        what = f"there is no verb {word!r}" if self.path == "devctl" else f"{self.path} has no verb {word!r}"
        return DevctlError(what, hint=hint, code=Exit.USAGE)
