"""The command itself, on real repositories and with real commands."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

API = {
    "external": True,
    "predeploy": {"environment": {"required": ["SECRET_KEY", "ADMIN_PASSWORD"], "not": {"SECRET_KEY": ["dev"]}}},
}


def api(**predeploy: Any) -> dict[str, Any]:
    return {**API, "predeploy": {**API["predeploy"], **predeploy}}  # type: ignore[dict-item]


def test_all_passes_where_all_is_as_it_should_be(shop: Any, strong: dict[str, str]) -> None:
    shop.write({"api": API}, git={"branch": "dev", "sync": {"remotes": ["origin"]}})
    shop.repository()
    shop.env(**strong)
    done = shop.run("predeploy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "may be deployed: 6 required checks passed" in done.stdout
    assert {name: each["result"] for name, each in shop.checks().items()} == {
        "api/environment": "pass", "api/secrets": "pass", "api/tls": "pass",
        "git/clean": "pass", "git/branch": "pass", "git/pushed": "pass",
    }  # fmt: skip


def test_everything_that_is_wrong_is_told_at_once(shop: Any) -> None:
    shop.write({"api": API}, git={"branch": "master", "sync": {"remotes": ["origin"]}})
    shop.repository()
    (shop.root / "new.txt").write_text("x")
    shop.commit("second")
    (shop.root / "new.txt").write_text("y")
    shop.env(SECRET_KEY="dev")
    checks = shop.checks()
    assert {name: each["result"] for name, each in checks.items()} == {
        "api/environment": "fail", "api/secrets": "fail", "api/tls": "pass",
        "git/clean": "fail", "git/branch": "fail", "git/pushed": "fail",
    }  # fmt: skip
    assert "ADMIN_PASSWORD is not set" in checks["api/environment"]["evidence"]
    assert "SECRET_KEY has a value that the manifest forbids" in checks["api/environment"]["evidence"]
    assert all(each["hint"] for each in checks.values() if each["result"] == "fail")


def test_without_a_file_the_processes_own_environment_is_judged(shop: Any, strong: dict[str, str]) -> None:
    shop.write({"api": API})
    (shop.root / ".env").write_text("SECRET_KEY=from-development-file-0123456789\n")
    assert shop.checks()["api/environment"]["evidence"] == "SECRET_KEY is not set; ADMIN_PASSWORD is not set"
    assert shop.checks(**strong)["api/environment"]["result"] == "pass"
    assert shop.checks(**strong, SOME_TOKEN="weak")["api/secrets"]["result"] == "pass", "it is none of the service's"
    shop.env("staging", **strong)
    assert shop.checks("--env", "staging")["api/environment"]["result"] == "pass"


def test_a_secret_of_development_does_not_go_to_production(shop: Any, strong: dict[str, str]) -> None:
    shop.write({"api": API})
    shop.env(**strong)
    (shop.root / ".env").write_text(f"SECRET_KEY={strong['SECRET_KEY']}\n")
    assert "SECRET_KEY has the value it has in development" in shop.checks()["api/environment"]["evidence"]


def test_a_file_of_secrets_that_is_in_git_is_found(shop: Any, strong: dict[str, str]) -> None:
    shop.write({"api": API})
    shop.repository()
    shop.env(**strong)
    assert shop.checks("--only", "secrets")["api/secrets"]["result"] == "pass"
    shop.git("add", "--force", ".env.production")
    found = shop.checks("--only", "secrets")["api/secrets"]
    assert (found["result"], found["evidence"]) == ("fail", ".env.production is in git, with its secrets")


def test_own_commands_have_their_level_and_see_the_environment(shop: Any, strong: dict[str, str]) -> None:
    commands = [
        {"name": "sees", "command": "test \"${SECRET_KEY}\" = '" + strong["SECRET_KEY"] + "'"},
        {"name": "money", "command": "test \"$$HOME\" = \"${HOME}\" && echo '$$5' | grep -q 5"},
        {"name": "lint", "command": "echo 'three errors'; exit 3", "level": "warning"},
        {"name": "gate", "command": ["sh", "-c", "echo no $1; exit 1", "sh", "${ADMIN_PASSWORD}"]},
        {"name": "lacks", "command": "echo ${NO_SUCH_VARIABLE}"},
    ]  # fmt: skip
    shop.write({"api": api(commands=commands)})
    shop.env(**strong)
    found = shop.checks("--only", "sees", "--only", "money")
    assert [each["result"] for each in found.values()] == ["pass", "pass"], found
    found = shop.checks("--only", "lint")
    assert (found["api/lint"]["result"], found["api/lint"]["level"]) == ("fail", "warning")
    assert found["api/lint"]["evidence"] == "exit code 3: three errors"
    gate = shop.checks("--only", "gate")["api/gate"]
    assert (gate["level"], gate["result"], gate["evidence"]) == ("required", "fail", "exit code 1: no •••")
    assert "NO_SUCH_VARIABLE is not set" in shop.checks("--only", "lacks")["api/lacks"]["evidence"]


def test_a_secret_in_a_shell_command_is_in_no_list_of_processes(shop: Any, strong: dict[str, str]) -> None:
    command = "! grep -q -- '-Kp2W''m9' /proc/$$$$/cmdline && test -n \"${SECRET_KEY}\""
    shop.write({"api": api(commands=[{"name": "look", "command": command}])})
    shop.env(**strong)
    assert shop.checks("--only", "look")["api/look"]["result"] == "pass"


def test_no_secret_is_in_any_report(shop: Any, tmp_path: Path) -> None:
    hidden = ["kR#9x!p%40Ω", "weakpw", "Zp4-tokentoken-93", "topsecretkeytopsecretkey", "p%23assw%2Frd"]
    noisy = f"echo $PASS_A $TOKEN_B ${{DATABASE_URL}}; echo '{hidden[0]}' >&2; exit 1"
    shop.write({"api": {**API, "database": {"url": "${DATABASE_URL}"}, "predeploy": {
        "environment": {"required": ["PASS_A", "PASSWORD_C", "TOKEN_B", "SECRET_KEY"]},
        "commands": [{"name": "noisy", "command": noisy}, {"name": "args", "command": ["false", "${PASS_A}"]}],
    }}})  # fmt: skip
    shop.env(
        PASS_A=hidden[0], PASSWORD_C=hidden[1], TOKEN_B=hidden[2], SECRET_KEY=hidden[3],
        DATABASE_URL=f"postgresql://ada:{hidden[4]}@db.example:1/x", REDIS_URL=f"redis://:{hidden[2]}@127.0.0.1:1/0",
    )  # fmt: skip
    junit, sarif = tmp_path / "j.xml", tmp_path / "s.json"
    written = ""
    for words in ([], ["--json"], ["--github"]):
        done = shop.run("predeploy", "--junit", str(junit), "--sarif", str(sarif), *words)
        assert done.returncode == 1, done.stderr
        written += done.stdout + done.stderr + junit.read_text() + sarif.read_text()
    assert written.count("api/noisy") >= 5
    for value in [*hidden, "p#assw/rd"]:
        assert value not in written
        assert json.dumps(value)[1:-1] not in written


def test_reports_are_written_and_a_folder_that_is_not_there_is_told(shop: Any, strong: dict[str, str]) -> None:
    shop.write({"api": api(commands=["false"])})
    shop.env(**strong)
    done = shop.run("predeploy", "--junit", "j.out", "--sarif", "s.out", "--github")
    assert done.returncode == 1
    assert ET.parse(shop.root / "j.out").getroot().get("failures") == "1"
    assert json.loads((shop.root / "s.out").read_text())["version"] == "2.1.0"
    (line,) = re.findall(r"^::.*$", done.stdout, re.MULTILINE)
    assert line.startswith("::error file=services.yaml,title=api/false::exit code 1%0ANext: cd ")
    lost = shop.run("predeploy", "--junit", "no/such/j.xml")
    assert (lost.returncode, "mkdir -p" in lost.stderr) == (1, True)


def test_usage(shop: Any) -> None:
    shop.write({"api": API})
    for words in (["nothing"], ["--env", "../x"], ["--only", "nothing"]):
        done = shop.run("predeploy", *words)
        assert done.returncode == 2, (words, done.stderr)
    listed = shop.run("predeploy", "--list")
    assert listed.stdout.splitlines() == [
        "api/environment  required",
        "api/secrets      required",
        "api/tls          required",
    ]


def test_an_empty_choice_shows_nothing_and_so_does_not_pass(shop: Any) -> None:
    shop.write({"api": {"external": True}})
    done = shop.run("predeploy")
    assert (done.returncode, "no required check was made" in done.stdout) == (1, True)


def test_relations_between_what_changed(shop: Any) -> None:
    services = {name: {"library": True, "path": name} for name in ("core", "tenant", "web")}
    shop.write(
        services, relations=["core -> tenant", "web <-> core"],
        git={"branch": "dev", "sync": {"branches": ["dev"], "promote": {"master": "dev"}, "remotes": ["origin"]}},
    )  # fmt: skip
    for name in services:
        (shop.root / name).mkdir()
        (shop.root / name / "a").write_text("1")
    shop.repository()
    shop.git("branch", "master")
    (shop.root / "core/a").write_text("2")
    shop.commit("core")
    found = shop.checks("--only", "relations")["relations"]
    assert (found["level"], found["result"]) == ("warning", "fail")
    assert found["evidence"] == "since master: core changed and tenant did not"
    (shop.root / "tenant/new").write_text("not even committed")
    found = shop.checks("--only", "relations")["relations"]
    assert (found["result"], found["evidence"]) == (
        "pass", "changed since master: core, tenant; related and unchanged: web",
    )  # fmt: skip


def test_pushed_is_asked_of_the_remotes_themselves(shop: Any, tmp_path: Path) -> None:
    shop.write(
        {"api": API}, git={"branch": "dev", "sync": {"remotes": {"origin": None, "org": str(tmp_path / "gone")}}}
    )
    shop.repository()

    def asked() -> tuple[str, str]:
        found = shop.checks("--only", "pushed")["git/pushed"]
        return found["result"], found["evidence"]

    assert asked() == ("skip", "could not be asked: org: unreachable, or it wants credentials")
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "gone"], env=shop.environment, check=True)
    assert asked() == ("fail", "dev is not pushed to org")
    shop.git("push", "-q", str(tmp_path / "gone"), "dev")
    assert asked() == ("pass", "pushed to origin, org")
    shop.git("update-ref", "refs/remotes/origin/dev", "HEAD")
    shop.commit("second")
    assert asked() == ("fail", "dev is not pushed to origin, org")
    shop.git("push", "-q", "origin", "HEAD:dev")
    shop.git("push", "-q", str(tmp_path / "gone"), "HEAD:dev")
    shop.git("reset", "-q", "--hard", "HEAD^")
    assert asked()[0] == "pass", "a remote that is ahead has the commit"


def test_ctrl_c_ends_it_with_what_it_started(shop: Any, strong: dict[str, str], poll: Any) -> None:
    begun = shop.root / "begun.out"
    shop.write({"api": api(commands=[f"echo $$$$ > {begun}; sleep 600 & wait"])})
    shop.env(**strong)
    process = subprocess.Popen(
        [sys.executable, "-m", "devctl", "predeploy", "--only", "api"], cwd=shop.root, env=shop.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        pid = int(poll(lambda: begun.exists() and begun.read_text().strip(), timeout=90))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in out + err) == (130, False)
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("answers", "url", "result", "said"),
    [
        ({"AUTH": b"+OK\r\n", "PING": b"+PONG\r\n"}, "redis://:{password}@127.0.0.1:{port}", "pass", "answers"),
        ({"AUTH": b"-WRONGPASS no\r\n"}, "redis://u:{password}@127.0.0.1:{port}", "fail", "WRONGPASS"),
        ({"PING": b"-NOAUTH Authentication required.\r\n"}, "redis://127.0.0.1:{port}", "fail", "none is set"),
        ({"PING": b"HTTP/1.1 400 Bad Request\r\n"}, "redis://127.0.0.1:{port}", "fail", "does not answer as one"),
        ({}, "redis://127.0.0.1:{port}", "fail", "does not answer as one"),
    ],
)
def test_a_cache_is_asked_with_its_credentials(
    shop: Any, answers: dict[str, bytes], url: str, result: str, said: str
) -> None:
    password = "kR9x-Zp4-tokentoken"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        thread = threading.Thread(target=_serve, args=(server, answers))
        thread.start()
        shop.write({"api": {"external": True, "predeploy": {"environment": {"required": ["CACHE"]}}}})
        shop.env(CACHE=url.format(password=password, port=server.getsockname()[1]))
        found = shop.checks("--only", "cache")["api/cache"]
        thread.join()
    assert (found["result"], said in found["evidence"]) == (result, True), found
    assert password not in json.dumps(found)


def test_a_real_redis(shop: Any, containers: Any, poll: Any) -> None:
    with containers("redis", 6379, {}) as port:

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        poll(listens, what="Redis listens")
        shop.write({"api": {"external": True, "predeploy": {"environment": {"required": ["CACHE"]}}}})
        for url, result in (("", "pass"), ("/3", "pass"), ("/999", "fail")):
            shop.env(CACHE=f"redis://127.0.0.1:{port}{url}")
            found = poll(lambda: _settled(shop.checks("--only", "cache")["api/cache"]), timeout=60)
            assert found["result"] == result, found
        shop.env(CACHE=f"redis://:kR9x-Zp4-tokentoken@127.0.0.1:{port}")
        found = shop.checks("--only", "cache")["api/cache"]
        assert (found["result"], "asks for no password, yet one is set" in found["evidence"]) == ("fail", True), found


def _settled(found: dict[str, str]) -> dict[str, str]:
    """Nothing while the container's port leads to a server that is only starting."""
    return {} if "does not answer" in found["evidence"] else found


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(shop: Any, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
         "/CN=localhost", "-keyout", key, "-out", certificate, "-days", "2"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        thread = threading.Thread(target=_shake, args=(server, context))
        thread.start()
        shop.write({"api": {"external": True, "predeploy": {"environment": {"required": ["CACHE"]}}}})
        shop.env(CACHE=f"rediss://localhost:{server.getsockname()[1]}")
        found = shop.checks("--only", "cache")["api/cache"]
        thread.join()
    assert (found["result"], "certificate is not trusted" in found["evidence"]) == ("fail", True), found


def _shake(server: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = server.accept()
    with connection, contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True):
        pass


def _serve(server: socket.socket, answers: dict[str, bytes]) -> None:
    connection, _ = server.accept()
    with connection:
        while data := connection.recv(4096):
            word = data.split(b"\r\n")[2].decode() if data.startswith(b"*") else ""
            if word not in answers:
                return
            connection.sendall(answers[word])
