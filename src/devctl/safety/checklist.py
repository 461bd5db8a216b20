"""The checklist for people before a deployment, with the boxes that a check can tick. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from devctl.safety.verdict import Check, Result


class Item(msgspec.Struct, frozen=True):
    """A line. ``checks`` are those that tick it, by the last part of their names; without any, a person does."""

    text: str
    checks: tuple[str, ...] = ()


SECTIONS: tuple[tuple[str, tuple[Item, ...]], ...] = (
    (
        "What is deployed",
        (
            Item("Everything is committed", ("clean",)),
            Item("It is a commit of the branch that is deployed from", ("branch",)),
            Item("Every remote has it", ("pushed",)),
            Item("Images are built from it", ("images",)),
            Item("What is related to a change was changed with it, or needs no change", ("relations",)),
            Item("The manifest's own checks pass", ("*",)),
        ),
    ),
    (
        "Secrets and addresses",
        (
            Item("Required variables are set, well-formed and not those of development", ("environment",)),
            Item("No password or key is a default, weak or missing", ("secrets",)),
            Item("Whatever leaves the machine is encrypted", ("tls",)),
            Item("The database and the cache answer with these credentials", ("database", "cache")),
            Item("Secrets that anybody saw who no longer should are replaced"),
        ),
    ),
    (
        "The database",
        (
            Item("Its schema is what the models say", ("schema",)),
            Item("No migration is pending, unknown or forked", ("migrations",)),
            Item("What is pending went up, down and up again on a scratch database", ("rehearsal",)),
            Item("A login works on a freshly migrated database", ("login",)),
            Item("There is a backup from today, and somebody has restored one like it"),
            Item("The old code runs with the new schema, for as long as both are there"),
        ),
    ),
    (
        "People",
        (
            Item("Somebody who did not write it has read it"),
            Item("Those who run it know when it happens, and who goes back if it must be"),
            Item("The way back is written down: which commit, which migration, which backup"),
            Item("Somebody looks at logs and metrics for the first half hour"),
        ),
    ),
)

_NAMED = frozenset(name for _, items in SECTIONS for item in items for name in item.checks)


def checklist(checks: Sequence[Check] = ()) -> Iterator[str]:
    """The checklist as Markdown. A box is ticked when every check behind it passed; where one did not, it says why."""
    for title, items in SECTIONS:
        yield f"### {title}"
        yield ""
        for item in items:
            mine = list(_of(item, checks))
            ticked = bool(mine) and all(check.result is Result.PASS for check in mine)
            yield f"- [{'x' if ticked else ' '}] {item.text}"
            yield from (f"  - {check.name}: {_why(check)}" for check in mine if check.result is not Result.PASS)
        yield ""


def _of(item: Item, checks: Iterable[Check]) -> Iterator[Check]:
    for check in checks:
        last = check.name.rpartition("/")[2]
        if last in item.checks or ("*" in item.checks and last not in _NAMED):
            yield check


def _why(check: Check) -> str:
    return check.evidence.replace("\n", " ")
