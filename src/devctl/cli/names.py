"""Commands whose options take the words behind them."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from devctl.cli.repeated import ALL, repeated


class TakesNative(TyperCommand):
    """A command with ``--native [NAME…]``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """``--native`` alone means all."""
        return super().parse_args(ctx, repeated(args, "--native", ALL))


class TakesVolumes(TyperCommand):
    """A command with ``--volumes NAME…``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Volumes are always named."""
        return super().parse_args(ctx, repeated(args, "--volumes"))
