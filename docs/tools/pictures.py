# ruff: noqa: INP001 - a script

"""Draws the README's pictures: Control Core's real manifest and made-up states, laid out by devctl's own screens.

``python docs/tools/pictures.py`` writes docs/img/*.svg; ``python docs/tools/pictures.py FOLDER`` writes them there.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI, TerminalTheme
from rich.text import Text as RichText

from devctl.api.protocol import Snapshot, Usage
from devctl.core.model import Manifest, Runtime, Service
from devctl.core.state import ContainerIdentity, Health, ProcessIdentity, ServiceState, State
from devctl.manifest.load import load
from devctl.ui.paint import painted
from devctl.ui.progress import Progress
from devctl.ui.summary import closing
from devctl.ui.tables import dashboard
from devctl.ui.text import Text
from devctl.ui.theme import RICH

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs/img"
WIDTH = 106
BEGAN = 1000.0
GREY = (150, 150, 150)
"""What is faint must still be read on a page."""

# name → seconds after the beginning at which it started and was ready, CPU percent, megabytes
HISTORY = {
    "postgres": (0.3, 1.4, 0.2, 31),
    "redis": (0.3, 0.5, 0.1, 8),
    "db-init": (1.4, 2.6, 0.0, 0),
    "demo-app": (0.3, 0.9, 0.1, 19),
    "cc-pap-api": (2.6, 4.0, 0.4, 88),
    "cc-signup-service": (4.0, 4.8, 0.2, 61),
    "cc-bouncer": (4.0, 4.9, 0.3, 58),
    "cc-pap": (4.0, 4.6, 0.3, 131),
    "cc-docs": (0.1, 3.2, 0.6, 286),
}


def main(folder: Path) -> None:
    """Write every picture."""
    manifest = _manifest()
    folder.mkdir(exist_ok=True)
    _write(folder / "up.svg", "./dev up", _up(manifest))
    _write(folder / "status.svg", "./dev status", _status(manifest))


def _manifest() -> Manifest:
    """Control Core's own, as it runs where a Docker engine answers."""
    variables = {name: value for name, value in os.environ.items() if name != "CONTROLCORE_HOME"}
    return load(ROOT / "services.yaml", variables)


def _state(service: Service) -> ServiceState:
    if service.runtime is Runtime.LIBRARY:
        return ServiceState(name=service.name)
    started, ready = (BEGAN + seconds for seconds in HISTORY[service.name][:2])
    native = service.runtime is Runtime.PROCESS
    common = {"name": service.name, "run": 1, "since": started, "started_at": started, "ready_at": ready}
    if service.oneshot:
        return ServiceState(**common, state=State.EXITED, completed=True, exit_code=0)
    identity = ProcessIdentity(pid=4100, start=1) if native else ContainerIdentity(id="c" * 64)
    return ServiceState(**common, state=State.RUNNING, health=Health.HEALTHY, identity=identity)


def _states(manifest: Manifest) -> dict[str, ServiceState]:
    return {name: _state(service) for name, service in manifest.services.items()}


def _runs(manifest: Manifest) -> tuple[str, ...]:
    return tuple(name for name, service in manifest.services.items() if service.runtime is not Runtime.LIBRARY)


def _up(manifest: Manifest) -> list[Text]:
    progress = Progress(manifest, _runs(manifest), BEGAN, states=_states(manifest))
    return closing(progress, BEGAN + 4.9, RICH, WIDTH)


def _status(manifest: Manifest) -> list[Text]:
    usage = {
        name: Usage(cpu_percent=cpu, memory_bytes=megabytes * 1_000_000)
        for name, (_, _, cpu, megabytes) in HISTORY.items()
        if megabytes
    }
    snapshot = Snapshot(
        version="", pid=4020, started=BEGAN, clock=(BEGAN + 754, 0.0), manifest=manifest,
        states=_states(manifest), wanted=_runs(manifest), usage=usage,
    )  # fmt: skip
    return dashboard(manifest, snapshot, RICH, WIDTH)


def _write(file: Path, command: str, lines: Sequence[Text]) -> None:
    console = Console(record=True, file=io.StringIO(), width=WIDTH, force_terminal=True, color_system="truecolor")
    for line in (Text("$ ", style="dim").append(command, style="bold"), *lines):
        console.print(RichText.from_ansi(painted(line)), no_wrap=True, crop=True)
    svg = console.export_svg(title="controlcore", theme=_theme(), unique_id=file.stem)
    svg = re.sub(r"@font-face {.*?}", "", svg, flags=re.DOTALL)  # a picture fetches nothing
    svg = "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"
    file.write_text(svg, encoding="utf-8")


def _theme() -> TerminalTheme:
    colours = [tuple(MONOKAI.ansi_colors[number]) for number in range(16)]
    return TerminalTheme((22, 24, 29), tuple(MONOKAI.foreground_color), colours[:8], [GREY, *colours[9:]])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else IMAGES)
