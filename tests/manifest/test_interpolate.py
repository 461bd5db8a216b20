"""``${…}``: a table of what comes of it."""

from __future__ import annotations

import pytest

from devctl.manifest.interpolate import (
    Reference,
    TemplateError,
    fill,
    fill_all,
    interpolate,
    parse,
    settle,
    variables,
)

ENVIRONMENT = {"A": "a", "EMPTY": "", "DOLLAR": "$A ${A}", "_X1": "x"}


def lookup(reference: Reference) -> str:
    """Every service ``s`` has values; one of them holds a dollar sign."""
    if reference.service != "s":
        raise TemplateError(f"no service is called {reference.service}")
    return {"url": "http://h:1", "host": "h$A", "port": reference.port or "1"}[reference.value]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("plain", "plain"),
        ("${A}", "a"),
        ("x${A}y${_X1}z", "xayxz"),
        ("${EMPTY}", ""),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${NONE:-d}", "d"),
        ("${NONE-d}", "d"),
        ("${NONE:-}", ""),
        ("${A:-d}", "a"),
        ("${A:-${NONE}}", "a"),
        ("${NONE:-${NO:-${N:-deep}}}", "deep"),
        ("${NONE:-x${A}y}z", "xayz"),
        ("${NONE:-a b:c-d?e}", "a b:c-d?e"),
        ("${NONE:-http://h:1/p?q=1}", "http://h:1/p?q=1"),
        ("${NONE:-$$A}", "$A"),
        ("${A:?needed}", "a"),
        ("${EMPTY?needed}", ""),
        ("${A:+other}", "other"),
        ("${EMPTY:+other}", ""),
        ("${EMPTY+other}", "other"),
        ("${NONE:+${NONE}}", ""),
        ("$$", "$"),
        ("$${A}", "${A}"),
        ("$$$$", "$$"),
        ("$$${A}", "$a"),
        ("^ready$", "^ready$"),
        ("$ {A}", "$ {A}"),
        ("a}b", "a}b"),
        ("{a}", "{a}"),
        ("${DOLLAR}", "$A ${A}"),
        ("${services.s.url}/x", "http://h:1/x"),
        ("${services.s.port}", "1"),
        ("${services.s.ports.debug}", "debug"),
        ("${NONE:-${services.s.url}}", "http://h:1"),
    ],
)
def test_a_value_is_filled_in(text: str, value: str) -> None:
    result = interpolate(text, ENVIRONMENT, lookup)
    assert (result.value, result.problems) == (value, ())


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("${NONE}", ["the variable NONE is not set"]),
        ("${NONE}${NEITHER}", ["the variable NONE is not set", "the variable NEITHER is not set"]),
        ("${NONE:-${NEITHER}}", ["the variable NEITHER is not set"]),
        ("${NONE:?ask the team}", ["NONE is not set: ask the team"]),
        ("${EMPTY:?ask ${A}}", ["EMPTY is not set: ask a"]),
        ("${NONE?}", ["NONE is not set"]),
        ("$A", ["$A has no braces"]),
        ("${", ["${ names no variable"]),
        ("${}", ["${} names no variable"]),
        ("${A", ["${A is never closed"]),
        ("${A:-${B}", ["${A:-${B} is never closed"]),
        ("${A b}", ["${A b} is no form that is known"]),
        ("${A:=b}", ["${A:=b} is no form that is known"]),
        ("${A:b}", ["${A:b} is no form that is known"]),
        ("${services.s.url:-x}", ["${services.s.url:-x} is no form that is known"]),
        ("${services.s.name}", ["${services.s.name} is no value of a service"]),
        ("${services.s}", ["${services.s} is no value of a service"]),
        ("${services.other.url}", ["no service is called other"]),
        ("${A:-" * 30 + "}" * 30, ["${…} is nested more than 20 levels deep"]),
    ],
)
def test_what_is_wrong_is_said(text: str, problems: list[str]) -> None:
    assert [each.message for each in interpolate(text, ENVIRONMENT, lookup).problems] == problems


def test_in_a_command_a_dollar_without_braces_is_the_shells() -> None:
    result = interpolate("for f in *; do echo $f ${A} $$B $${C}; done", ENVIRONMENT, in_command=True)
    assert result.value == "for f in *; do echo $f a $B ${C}; done"
    (problem,) = interpolate("echo ${i}", ENVIRONMENT, in_command=True).problems
    assert problem.hint == "set it, or give it a default: ${i:-default}, or write $${i} to leave it to the shell"


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("${A}", "${A}"),
        ("${NONE:-${A:-x}}y", "${NONE:-${A:-x}}y"),
        ("${NONE:?why $$}", "${NONE:?why $$}"),
        ("$$x^$", "$$x^$$"),
        ("${services.s.url}/${A}", "http://h:1/${A}"),
        ("${services.s.host}", "h$$A"),
        ("${NONE:-${services.s.url}}", "${NONE:-http://h:1}"),
    ],
)
def test_a_settled_template_holds_no_references_and_still_means_the_same(text: str, template: str) -> None:
    settled = settle(text, lookup)
    assert settled == template
    again = interpolate(text, ENVIRONMENT, lookup)
    if again.problems:
        with pytest.raises(TemplateError):
            fill(settled, ENVIRONMENT)
    else:
        assert fill(settled, ENVIRONMENT) == again.value


def test_fill_raises_what_is_missing_first() -> None:
    assert fill("u:${A}@$h", ENVIRONMENT) == "u:a@$h"
    with pytest.raises(TemplateError, match="the variable NONE is not set"):
        fill("${NONE}${A}", ENVIRONMENT)


def test_fill_all_reaches_into_lists_and_mappings() -> None:
    nested = {"json": {"user": "${A}", "n": 3, "no": None}, "list": ["${A}", ("$$",)]}
    assert fill_all(nested, ENVIRONMENT) == {"json": {"user": "a", "n": 3, "no": None}, "list": ["a", ("$",)]}


def test_the_variables_of_a_template_are_named_once_those_in_defaults_too() -> None:
    assert variables("${A}${B:-${C:?${D}}}${A} $E $${F} ${services.s.url}") == ("A", "B", "C", "D")
    assert variables("${A") == ()


def test_a_long_text_costs_no_depth() -> None:
    text = "${A}$$x" * 20_000
    assert interpolate(text, ENVIRONMENT).value == "a$x" * 20_000
    assert len(parse("$" * 100_001)) == 1
