"""PostgreSQL writes expressions and types in its own words: two that mean the same are then written alike.

It is asked to EXPLAIN a SELECT of them, which plans and executes nothing. Both sides, what the models say and what the
catalogs hold, go the same way. The columns come from a row of typed NULLs, so no table is read, none need exist, and no
right to one is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from devctl.safety.programs.connect import Refused, Session

MOST = 400
"""Expressions in one question."""
_SPACE = re.compile(r"\s+")


class Canonical:
    """Answers are remembered: the same default stands at many columns. What isn't understood is an error in the
    transaction, which goes back to the one savepoint then: nothing has been done since."""

    def __init__(self, session: Session) -> None:
        self._session = session
        session.run("SAVEPOINT devctl")
        self._types: dict[str, str | None] = {}
        self._values: dict[tuple[str, str], str | None] = {}

    def learn_types(self, types: Sequence[str]) -> None:
        """Ask for these types (SQL) at once."""
        fresh = [each for each in dict.fromkeys(types) if each and each not in self._types]
        answers = self._ask([f"CAST(NULL AS {each})" for each in fresh])
        for type_, answer in zip(fresh, answers):
            self._types[type_] = None if answer is None else _type_in(answer)

    def type(self, sql: str) -> str | None:
        """A type as format_type writes it, None when the server doesn't know it."""
        return self._types.get(sql)

    def learn_values(self, values: Sequence[tuple[str, str]]) -> None:
        """Ask for these (expression, type) pairs at once: defaults, which name no columns."""
        fresh = [each for each in dict.fromkeys(values) if each not in self._values]
        answers = self._ask(["CAST(({}) AS {})".format(*each) for each in fresh])
        self._values.update(zip(fresh, answers))

    def value(self, expression: str, type_: str) -> str | None:
        """A default, None when it could not be understood."""
        return self._values.get((expression, type_))

    def of_rows(self, table: str, columns: Mapping[str, str], expressions: Sequence[str]) -> dict[str, str | None]:
        """Expressions over a table's columns (name → type)."""
        if not expressions:
            return {}
        fresh = list(dict.fromkeys(expressions))
        row = ", ".join(f"NULL::{type_} AS {quoted(name)}" for name, type_ in columns.items())
        source = f" FROM (SELECT {row} OFFSET 0) AS {quoted(table)}"
        answers = self._ask([f"({each})" for each in fresh], source)
        prefix = re.compile(rf"(?<![\w\".])(?:{re.escape(table)}|{re.escape(quoted(table))})\.")
        return {each: answer and _bare(prefix.sub("", answer)) for each, answer in zip(fresh, answers)}

    def _ask(self, expressions: Sequence[str], source: str = "") -> list[str | None]:
        answers: list[str | None] = []
        for at in range(0, len(expressions), MOST):
            answers += self._batch(expressions[at : at + MOST], source)
        return answers

    def _batch(self, expressions: Sequence[str], source: str) -> list[str | None]:
        """One question; when something in it is not understood, it is halved until that is found."""
        if not expressions:
            return []
        try:
            return list(self._explain(expressions, source))
        except Refused:
            if len(expressions) == 1:
                return [None]
        middle = len(expressions) // 2
        return self._batch(expressions[:middle], source) + self._batch(expressions[middle:], source)

    def _explain(self, expressions: Sequence[str], source: str) -> list[str]:
        """now() at the end keeps the list of columns from being one that is handed on as it is, unprinted."""
        query = "EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT {}, now(){}".format(", ".join(expressions), source)
        try:
            plan = self._session.value(query)
        except Refused:
            self._session.run("ROLLBACK TO SAVEPOINT devctl")
            raise
        found: Any = json.loads(plan) if isinstance(plan, str) else plan
        output: list[str] = found[0]["Plan"]["Output"]
        if len(output) != len(expressions) + 1:
            raise Refused("a plan of another length")
        return output[:-1]


def quoted(name: str) -> str:
    """An identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def _type_in(answer: str) -> str:
    """``NULL::character varying(80)`` → ``character varying(80)``; a domain stands last."""
    depth, quote, at = 0, False, 0
    for index, letter in enumerate(answer):
        quote = quote != (letter == '"')
        if not quote:
            depth += (letter == "(") - (letter == ")")
            if depth == 0 and answer.startswith("::", index):
                at = index + 2
    return answer[at:]


def _bare(text: str) -> str:
    """Without parentheses around the whole."""
    while text.startswith("(") and _closing(text) == len(text) - 1:
        text = text[1:-1]
    return text


def _closing(text: str) -> int:
    depth, quote = 0, ""
    for index, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        else:
            depth += (letter == "(") - (letter == ")")
            if depth == 0:
                return index
    return -1


def plain(text: str) -> str:
    """An expression that PostgreSQL could not read, in a form of its own: spaces and outer parentheses do not count."""
    return _bare(_SPACE.sub(" ", text).strip())
