"""A verb's command line, declared beside its work. typer, which costs an everyday command a third of its time, comes in
only when it is needed: for help, for mistakes, for what ``simple`` does not understand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import typer

Work = TypeVar("Work", bound=Callable[..., int])


class Declared:
    """Stands for a Typer app with one command. ``takes``: the class of devctl.cli.names that reads its options."""

    def __init__(self, takes: str = "") -> None:
        self._takes = takes
        self.work: Callable[..., int] = _nothing

    def command(self, work: Work) -> Work:
        """The verb's function. Its annotations may name typer without importing it."""
        self.work = work
        return work

    def typer(self) -> typer.Typer:
        """The app."""
        import typer

        from devctl.cli import names

        self.work.__globals__.setdefault("typer", typer)  # where typer looks up what the annotations name
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        how: dict[str, Any] = {"cls": getattr(names, self._takes)} if self._takes else {}
        app.command(**how)(self.work)
        return app


def _nothing() -> int:
    raise NotImplementedError
