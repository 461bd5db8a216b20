"""Which setup steps are stale, and why. Pure: it compares what was recorded with what is."""

from __future__ import annotations

from devctl.core.model import SetupStep, Value


class Fingerprint(Value):
    """What a step was run with. ``inputs`` maps each input file's path, relative to the step's folder, to the SHA-256
    of its contents."""

    command: str
    inputs: dict[str, str] = {}


class Facts(Value):
    """What is so of a step: the record of its last success, how it is now, and which of its outputs are missing."""

    recorded: Fingerprint | None
    present: Fingerprint
    missing_outputs: tuple[str, ...] = ()


def staleness(facts: Facts) -> str:
    """Why the step must run, in a few words; "" when it need not."""
    if facts.recorded is None:
        return "it never ran here"
    if facts.missing_outputs:
        return f"{_listed(facts.missing_outputs)} {'is' if len(facts.missing_outputs) == 1 else 'are'} missing"
    if facts.recorded.command != facts.present.command:
        return "the command changed"
    changed = _changed(facts.recorded.inputs, facts.present.inputs)
    return f"{_listed(changed)} changed" if changed else ""


def _changed(before: dict[str, str], after: dict[str, str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def command_words(step: SetupStep) -> str:
    """The step as a person would name it."""
    return step.name or (step.command if isinstance(step.command, str) else " ".join(step.command))
