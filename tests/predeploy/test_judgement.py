"""Variables, addresses, repositories, images and relations as they are judged; and what all of it comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from devctl.safety.environment import form, is_strict, open_doors, required, unprotected
from devctl.safety.release import Head, Image, Tie, clean, images, pushed, relations, right_branch
from devctl.safety.target import addresses_in, development, hidden, is_local, read, secrets_in
from devctl.safety.verdict import Check, Level, Outcome, Result, may_deploy, meant

COMMIT, OTHER = "a" * 40, "b" * 40


def check(level: Level = Level.REQUIRED, result: Result = Result.PASS) -> Check:
    return Check("x", level, result, "")


def test_only_passing_lets_a_required_check_through() -> None:
    assert may_deploy([check()])
    assert not may_deploy([check(), check(result=Result.FAIL)])
    assert not may_deploy([check(), check(result=Result.SKIP)]), "not carried out is not passed"
    assert may_deploy([check(), check(Level.WARNING, Result.FAIL), check(Level.WARNING, Result.SKIP)])
    assert not may_deploy([]), "nothing was shown"
    assert not may_deploy([check(Level.WARNING)]), "nothing required was shown"


def test_a_check_is_meant_by_its_name_its_service_or_its_last_part() -> None:
    assert all(meant("api/login", [word]) for word in ("api/login", "api", "login"))
    assert not meant("api/login", ["log", "ap", ""])
    assert all(meant("git/shop/clean", [word]) for word in ("git", "shop/clean", "clean"))
    assert meant("api/test -f /a", ["api"])
    assert not meant("relations", [""])


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("A", "x", ""), ("A", " x", "blanks"), ("A", '"x"', "quotes"), ("A", "x\ny", "more than one line"),
        ("A", "${B}", "placeholder"), ("A", "<your-id>", "placeholder"), ("A", "{{ b }}", "placeholder"),
        ("A_URL", "https://a.example/", ""), ("A_URL", "a.example", "no URL"),
        ("A_URL", "https://${HOST}/", "placeholder"),
        ("PORT", "8000", ""), ("PORT", "0", "no port"), ("APP_PORT", "80a", "no port"), ("PORT", "65536", "no port"),
        ("SUPPORT", "yes", ""), ("MAIL_FROM", "a@b.example", ""), ("MAIL_FROM", "a", "e-mail"),
        ("DEBUG", "false", ""), ("DEBUG", "maybe", "neither true nor false"),
        ("KEY", "-----BEGIN KEY-----\nx\n-----END KEY-----", ""),
    ],
)  # fmt: skip
def test_the_form_of_a_value(name: str, value: str, what: str) -> None:
    assert what in form(name, value) if what else form(name, value) == ""


def test_required_variables() -> None:
    values = {"A": "1", "B": " ", "KEY": "made-in-dev", "LEVEL": "info", "MODE": "Dev"}
    development = {"KEY": {"made-in-dev"}, "LEVEL": {"info"}}
    found = required(["A", "B", "C", "KEY", "LEVEL"], values, {"MODE": ["dev"], "GONE": ["x"]}, development)
    assert {each.name: each.what for each in found} == {
        "B": "is not set",
        "C": "is not set",
        "KEY": "has the value it has in development",
        "MODE": "has a value that the manifest forbids",
    }


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("postgresql://u:p@db.example/x", False), ("postgresql://u:p@db.example/x?sslmode=prefer", False),
        ("postgresql://u:p@db.example/x?sslmode=disable", False),
        ("postgresql://u:p@db.example/x?sslmode=require", True),
        ("postgresql+psycopg://u:p@db.example/x?sslmode=verify-full", True),
        ("postgresql+asyncpg://u:p@d.e/x?ssl=true", True),
        ("postgresql://u:p@localhost/x", True), ("postgresql://u:p@127.0.0.1/x", True),
        ("postgresql://u:p@/x?host=/run", True),
        ("postgresql://u:p@/x?host=db.example", False), ("postgresql://u:p@10.0.0.7/x", False),
        ("postgresql://u:p@localhost/x?host=db.example", False),
        ("postgresql://u:p@localhost.example/x", False), ("postgresql://u:p@127.0.0.1.example/x", False),
        ("redis://:p@cache.example", False), ("rediss://:p@cache.example", True), ("redis://[::1]:6379", True),
        ("http://api.example/", False), ("https://api.example/", True), ("mysql://u:p@db.example/x", False),
        ("mysql://u:p@db.example/x?ssl_ca=ca.pem", True), ("amqp://mq.example", False), ("amqps://mq.example", True),
        ("sqlite:///x.db", True), ("not an address", True),
    ],
)  # fmt: skip
def test_tls_is_demanded_of_what_leaves_this_machine(url: str, fits: bool) -> None:
    assert (unprotected(addresses_in({"URL": url})) == []) is fits


def test_a_store_elsewhere_needs_a_password() -> None:
    values = {"A": "redis://cache.example", "B": "https://a.example", "C": "redis://localhost"}
    assert [each.name for each in open_doors(addresses_in(values))] == ["A"]
    assert open_doors(addresses_in({"A": "rediss://:p@cache.example", "B": "postgresql://u@d.e/x?sslcert=c"})) == []


def test_which_environments_outsiders_reach() -> None:
    assert [name for name in ("production", "Staging", "eu", "ci", "CI", "dev", "test") if is_strict(name)] == [
        "production", "Staging", "eu",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("LOCALHOST.", True), ("a.localhost", True), ("127.9.9.9", True), ("::1", True), ("", True),
        ("0.0.0.0", False), ("1.127.0.0.1", False), ("mylocalhost", False),
    ],
)  # fmt: skip
def test_what_this_machine_is(host: str, local: bool) -> None:
    assert is_local(host) is local


def test_secrets_are_found_in_names_and_in_addresses() -> None:
    values = {"DATABASE_URL": "postgresql://ada:s%40fe@db/x", "SECRET_KEY": "k", "EMPTY_TOKEN": "", "LEVEL": "info"}
    assert [(each.label, each.value, each.user) for each in secrets_in(values)] == [
        ("the password in DATABASE_URL", "s@fe", "ada"),
        ("SECRET_KEY", "k", ""),
    ]
    assert hidden(values) == {"s@fe", "s%40fe", values["DATABASE_URL"], "k"}


def test_a_password_in_the_query_is_one_too() -> None:
    values = {"DATABASE_URL": "postgresql://ada@db.example/x?sslmode=require&password=s%40fe"}
    assert [(each.value, each.user) for each in secrets_in(values)] == [("s@fe", "ada")]
    assert {"s@fe", "s%40fe"} <= hidden(values)
    assert open_doors(addresses_in(values)) == []
    other = {"URL": "https://a.example/?password=page&host=localhost"}
    assert (secrets_in(other), [each.host for each in addresses_in(other)]) == ([], ["a.example"])


@pytest.mark.parametrize("password", ["pa/ss#word", "12/34", "a?b", "x@y/z", "pa/ss@wo:rd"])
def test_a_password_that_nobody_escaped_is_hidden_all_the_same(password: str) -> None:
    assert password in hidden({"DATABASE_URL": f"postgresql+psycopg://ada:{password}@db.example/x"})


def test_a_file_of_the_environment_counts_alone(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=development\nONLY_DEV=1\n")
    shell = {"A": "shell", "B": "shell"}
    assert read(tmp_path, "production", shell).values == shell
    (tmp_path / ".env.production").write_text("A=file\nPASSED\n")
    found = read(tmp_path, "production", {**shell, "PASSED": "on"})
    assert (found.values, found.source) == ({"A": "file", "PASSED": "on"}, ".env.production")


def test_values_of_development_are_those_of_env_and_the_defaults(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=one\n")
    (tmp_path / "compose.yml").write_text("x: ${A:-two} ${B-three} ${C} ${D:?no}")
    found = development(tmp_path, [tmp_path / "compose.yml", tmp_path / "gone.yml"], {})
    assert found == {"A": {"one", "two"}, "B": {"three"}}


def result_of(outcome: Outcome) -> str:
    return outcome.result.value


def test_a_clean_worktree() -> None:
    assert result_of(clean([])) == "pass"
    assert "a, b, c and 1 more" in clean(["a", "b", "c", "d"]).evidence
    assert result_of(clean(["a"])) == result_of(clean([], ["merge"])) == result_of(clean([], (), ["a"])) == "fail"


@pytest.mark.parametrize(
    ("head", "strict", "result"),
    [
        (Head(COMMIT, "master", {"master": COMMIT}, "dev"), True, "pass"),
        (Head(COMMIT, "dev", {"master": COMMIT}, "dev"), True, "pass"),  # the same commit
        (Head(COMMIT, "dev", {"master": OTHER}, "dev"), True, "fail"),
        (Head(COMMIT, "dev", {"master": OTHER}, "dev"), False, "pass"),
        (Head(COMMIT, "feature", {"master": OTHER}, "dev"), False, "fail"),
        (Head(COMMIT, "", {"master": COMMIT}, "dev"), True, "pass"),
        (Head(COMMIT, "", {"master": OTHER}, "dev"), True, "fail"),
        (Head(COMMIT, "", {"master": ""}, "dev", "master"), True, "pass"),
        (Head(COMMIT, "", {"master": ""}, "dev", "feature"), True, "fail"),
        (Head("", "", {"master": ""}, "dev"), True, "fail"),
        (Head(COMMIT, "dev", {}, "dev"), True, "pass"),
        (Head(COMMIT, "x", {}, "dev"), True, "fail"),
        (Head(COMMIT, "x"), True, "pass"),
    ],
)
def test_the_branch_that_is_deployed_from(head: Head, strict: bool, result: str) -> None:
    assert result_of(right_branch(head, strict)) == result


def test_every_remote_must_have_the_commit() -> None:
    assert result_of(pushed("dev", {"a": "has", "b": "has"})) == "pass"
    assert result_of(pushed("dev", {"a": "has", "b": "behind"})) == "fail"
    assert result_of(pushed("dev", {"a": "has", "b": "none"})) == "fail"
    assert result_of(pushed("dev", {"a": "no answer", "b": "behind"})) == "fail"
    assert result_of(pushed("dev", {"a": "has", "b": "no answer"})) == "skip"
    assert result_of(pushed("dev", {})) == "skip"


def test_images_of_this_commit() -> None:
    built = Image("a", exists=True)
    assert result_of(images([built], COMMIT, dirty=False)) == "pass"
    assert result_of(images([built], COMMIT, dirty=True)) == "fail"
    assert result_of(images([built, Image("b", exists=False)], COMMIT, dirty=False)) == "fail"
    assert result_of(images([Image("a", exists=True, change="app.py changed")], COMMIT, dirty=False)) == "fail"
    assert result_of(images([Image("a", exists=True, revision=OTHER)], COMMIT, dirty=False)) == "fail"
    assert result_of(images([Image("a", exists=True, revision=COMMIT, known=False)], COMMIT, dirty=False)) == "pass"
    assert result_of(images([Image("a", exists=True, known=False)], COMMIT, dirty=False)) == "skip"


def test_what_should_have_changed_too() -> None:
    ties = [Tie("core", "tenant"), Tie("web", "api", both=True)]
    forgotten = relations({"core"}, ties, "v1")
    assert result_of(forgotten) == "fail"
    assert "core changed and tenant did not" in forgotten.evidence
    assert result_of(relations({"core", "tenant"}, ties, "v1")) == "pass"
    assert result_of(relations({"tenant"}, ties, "v1")) == "pass", "an arrow has one direction"
    assert "related and unchanged: web" in relations({"api"}, ties, "v1").evidence
    assert result_of(relations({"api"}, ties, "v1")) == "pass"
    assert result_of(relations(set(), ties, "v1")) == "pass"
