"""Options that take the words behind them: ``--native``, ``--native postgres redis``, ``--volumes data cache``."""

from __future__ import annotations

ALL = "all"


def repeated(arguments: list[str], option: str, bare: str = "") -> list[str]:
    """``--option a b`` as ``--option=a --option=b``: up to the next option or ``--``. Alone it becomes
    ``--option=bare``, where there is such a thing. ``--option=a`` takes that one word."""
    found: list[str] = []
    index = 0
    while index < len(arguments):
        word = arguments[index]
        index += 1
        if word == "--":
            return [*found, word, *arguments[index:]]
        if word != option:
            found.append(word)
            continue
        end = index
        while end < len(arguments) and not arguments[end].startswith("-"):
            end += 1
        taken = arguments[index:end] or ([bare] if bare else [])
        found += [f"{option}={name}" for name in taken] or [word]
        index = end
    return found
