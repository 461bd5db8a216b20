"""How a wait for services ended, as ``up`` and ``restart`` tell it."""

from __future__ import annotations

from devctl.cli.place import Place
from devctl.cli.waiting import Words, lost
from devctl.core.outcome import Verdict, settled
from devctl.errors import Exit
from devctl.ui.progress import Progress

SHOWN = 12
"""Log lines shown of a service that failed."""


def is_settled(progress: Progress) -> bool:
    """Whether nothing is left to wait for."""
    return settled(_awaited(progress))


def finished(progress: Progress) -> Exit:
    """The exit code. Raises DevctlError when the supervisor went before all was settled."""
    found = _awaited(progress)
    if not settled(found):
        raise lost()
    ready = all(verdict is Verdict.READY for verdict in found.values())
    return Exit.DONE if ready and not progress.gone else Exit.FAILED


def _awaited(progress: Progress) -> dict[str, Verdict]:
    """The verdicts of all but those that somebody has taken down meanwhile."""
    found, gone = progress.verdicts(), progress.gone
    return {name: verdict for name, verdict in found.items() if name not in gone} if gone else found


def words_of(place: Place) -> Words:
    """Reads the last lines of a service's present run."""

    def read(name: str) -> tuple[str, ...]:
        from devctl.logs import Logs

        logs = Logs(place.workspace.root)
        return logs.words(name, logs.run_offset(name), SHOWN) if logs.path(name).exists() else ()

    return read
