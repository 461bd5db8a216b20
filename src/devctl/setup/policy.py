"""Which setup steps are stale, and why. Pure: it compares what was recorded with what is."""

from __future__ import annotations

from devctl.core.model import SetupStep, Value

NEVER = "it never ran here"


class Fingerprint(Value):
    """What a step was run with. ``inputs`` maps each input file's path, relative to the step's folder, to the SHA-256
    of its contents."""

    command: str
    inputs: dict[str, str] = {}


class Facts(Value):
    """What is so of a step: the record of its last success, how it is now, and which of its outputs are missing.

    ``elsewhere``: what the step of the same folder last succeeded with for other services.
    """

    recorded: Fingerprint | None
    present: Fingerprint
    missing_outputs: tuple[str, ...] = ()
    elsewhere: tuple[Fingerprint, ...] = ()


def staleness(facts: Facts) -> str:
    """Why the step must run, in a few words; "" when it need not."""
    if facts.missing_outputs and (facts.recorded or facts.elsewhere):
        return f"{_listed(facts.missing_outputs)} {'is' if len(facts.missing_outputs) == 1 else 'are'} missing"
    if facts.present in facts.elsewhere:
        return ""
    if facts.recorded is None:
        return NEVER
    if facts.recorded.command != facts.present.command:
        return "the command changed"
    names = changed(facts.recorded, facts.present)
    return f"{_listed(names)} changed" if names else ""


def changed(before: Fingerprint, after: Fingerprint) -> tuple[str, ...]:
    """The inputs that came, went or are others."""
    names = before.inputs.keys() | after.inputs.keys()
    return tuple(sorted(name for name in names if before.inputs.get(name) != after.inputs.get(name)))


def settled(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether a step that was run twice, during which these inputs changed, is done.

    What changes both times is the command's own doing (``npm install`` writes its lock file); anything else was edited
    meanwhile.
    """
    return set(second) <= set(first)


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def command_words(step: SetupStep) -> str:
    """The step as a person would name it."""
    return step.name or (step.command if isinstance(step.command, str) else " ".join(step.command))
