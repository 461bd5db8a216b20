"""What a good file comes to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devctl.core.model import (
    Clean,
    ComposeStack,
    Condition,
    Dependency,
    ExecProbe,
    GitRepository,
    HealthCheck,
    HttpProbe,
    LogProbe,
    Manifest,
    Mirror,
    OnUnhealthy,
    Port,
    Probe,
    ProcessSpec,
    Relation,
    RestartPolicy,
    RestartWhen,
    Runtime,
    SetupStep,
    TcpProbe,
)
from devctl.errors import DevctlError
from devctl.manifest.load import beside, load
from devctl.workspace import find

WHOLE = Path(__file__).parent / "whole.yaml"
SECRETS = {"ADMIN_PASSWORD": "hunter2", "DATABASE_URL": "postgresql://u:s3cret@h/d"}


@pytest.fixture(scope="module")
def whole() -> Manifest:
    """The manifest that has every key."""
    return load(WHOLE, SECRETS)


def test_the_whole_grammar_loads(whole: Manifest) -> None:
    root = WHOLE.parent
    assert (whole.name, whole.file, whole.root) == ("controlcore", str(WHOLE), str(root))
    names = "postgres cc-pap-api db-init cc-pap auth0 cc-pap-core cc-pap-pro-tenant cc-language-server"
    assert list(whole.services) == names.split()
    compose = str(root / "compose/controlcore-local-dev.yml")
    assert whole.compose == ComposeStack((compose,), "controlcore", str(root / ".env"))
    assert whole.variables == ("ADMIN_PASSWORD", "CONTROLCORE_HOME", "DATABASE_URL")
    assert whole.clean == Clean(("**/.next", "**/dist"), ("npm",), ("containers", "images", "build-cache"), ("docker",))


def test_relations_repositories_and_mirrors(whole: Manifest) -> None:
    root = WHOLE.parent
    assert whole.relations == (
        Relation("cc-pap", "cc-pap-api", both=True),
        Relation("cc-pap-api", "cc-pap-core", both=True),
        Relation("cc-pap-core", "cc-language-server", both=True),
        Relation("cc-pap-core", "cc-pap-pro-tenant"),
    )
    assert whole.git == (
        GitRepository(
            path=str(root / "examples/controlcore"),
            branch="dev",
            sync_branches=("dev", "master"),
            promote={"master": "dev"},
            remotes={"origin": "", "org": "git@example.org:team/workspace.git"},
        ),
    )
    ends = ("cc-pap-core", "cc-pap-pro-tenant")
    assert whole.mirrors == (Mirror(*(str(root / end) for end in ends), exclude=(".git", "node_modules"), names=ends),)


def test_a_process(whole: Manifest) -> None:
    service = whole.services["cc-pap"]
    folder = str(WHOLE.parent / "examples/controlcore/cc-pap")
    assert service.process == ProcessSpec(
        command="npm run dev",
        path=folder,
        environment={"VITE_API": "http://localhost:8000"},
        env_file=(str(WHOLE.parent / ".env"),),
        setup=(SetupStep("npm ci", folder, ("package.json", "package-lock.json"), ("node_modules",), "npm ci"),),
    )
    assert (service.runtime, service.path, service.url) == (Runtime.PROCESS, folder, "http://localhost:5173/")
    assert service.health == HealthCheck(HttpProbe("http://localhost:5173/"))
    assert service.depends_on == (Dependency("cc-pap-api"),)
    assert (service.restart, service.on_unhealthy) == (RestartPolicy(), OnUnhealthy.RESTART)
    assert (service.ports, service.profiles, service.oneshot) == ((Port(5173),), ("ui",), False)


def test_a_container_with_a_native_alternative(whole: Manifest) -> None:
    service = whole.services["cc-pap-api"]
    assert (service.runtime, service.compose, service.process) == (Runtime.CONTAINER, "cc-pap-api", None)
    assert service.native is not None
    assert service.native.path == service.path == str(WHOLE.parent / "examples/controlcore/cc-pap-api")
    assert service.on_unhealthy is OnUnhealthy.REPORT
    assert service.health == HealthCheck(HttpProbe("http://localhost:8000/health"), 5, 3, 60, 3)
    assert service.depends_on == (
        Dependency("postgres", Condition.HEALTHY, "policies and users live there"),
        Dependency("db-init", Condition.COMPLETED),
    )


def test_one_shots_external_and_libraries(whole: Manifest) -> None:
    assert whole.services["db-init"].oneshot
    assert whole.services["db-init"].restart.policy is RestartWhen.NO
    external, library = whole.services["auth0"], whole.services["cc-pap-core"]
    assert (external.runtime, external.restart.policy) == (Runtime.EXTERNAL, RestartWhen.NO)
    assert (external.url, external.on_unhealthy) == ("https://example.org/", OnUnhealthy.REPORT)
    assert (library.runtime, library.path) == (Runtime.LIBRARY, str(WHOLE.parent / "cc-pap-core"))
    assert not library.oneshot


def test_the_database_and_predeploy_keep_their_secrets_to_themselves(whole: Manifest) -> None:
    service = whole.services["cc-pap-api"]
    assert service.database is not None
    assert service.database.url == "${DATABASE_URL:-postgresql://controlcore:controlcore@localhost:5432/controlcore}"
    assert service.database.migrations == f"{service.path}/migrations"
    assert (service.database.models, service.database.hold) == ("app.models:Base", "schema")
    assert service.predeploy == {
        "environment": {"required": ["SECRET_KEY", "DATABASE_URL"], "not": {"SECRET_KEY": ["dev", "changeme"]}},
        "login": {
            "request": {
                "method": "POST",
                "url": "/auth/login",
                "json": {"username": "admin", "password": "${ADMIN_PASSWORD}"},
            },
            "status": [[200, 200]],
        },
        "commands": [{"command": "ruff check", "name": "lint", "level": "warning"}],
    }


def test_no_secret_is_in_what_is_journaled(whole: Manifest) -> None:
    """And what is journaled comes back as it was: nothing of the file's own types is left in it."""
    journal = msgspec.json.encode(whole)
    assert b"hunter2" not in journal
    assert b"s3cret" not in journal
    assert msgspec.json.decode(journal, type=Manifest) == whole


def test_environment_stays_a_template_with_references_settled(loaded: Callable[..., Manifest]) -> None:
    manifest = loaded(
        """
services:
  api: {command: x, ports: [8000], health: "http://u:p@[::1]:8000/health"}
  web:
    command: echo ${TOKEN} $HOME
    environment:
      A: ${TOKEN}
      B: ${services.api.url}/v1?t=${TOKEN:-none}
      C: ${services.api.host}:${services.api.port}
      D: $$5
      E: 1.10
      F: yes
      G:
      H: ""
""",
        TOKEN="t0ken",
    )
    process = manifest.services["web"].process
    assert process is not None
    assert process.command == "echo t0ken $HOME"
    assert process.environment == {
        "A": "${TOKEN}",
        "B": "http://[::1]:8000/v1?t=${TOKEN:-none}",
        "C": "::1:8000",
        "D": "$$5",
        "E": "1.10",
        "F": "yes",
        "H": "",
    }
    assert manifest.services["api"].url == "http://[::1]:8000/"


def one(loaded: Callable[..., Manifest], keys: str, **environment: str) -> Manifest:
    """A manifest with the one service ``a``."""
    return loaded(f"services:\n  a: {{{keys}}}\n", **environment)


@pytest.mark.parametrize(
    ("health", "probe"),
    [
        ("http://localhost:1/x", HttpProbe("http://localhost:1/x")),
        ("{http: 'https://h/', status: 200}", HttpProbe("https://h/", ((200, 200),))),
        (
            "{http: 'http://h/', status: [200-299, '401,403']}",
            HttpProbe("http://h/", ((200, 299), (401, 401), (403, 403))),
        ),
        ("tcp://localhost:5432", TcpProbe("localhost", 5432)),
        ("{tcp: 'localhost:5432'}", TcpProbe("localhost", 5432)),
        ("{tcp: 5432}", TcpProbe("localhost", 5432)),
        ("{tcp: '[::1]:5432'}", TcpProbe("::1", 5432)),
        ("{exec: pg_isready -q}", ExecProbe("pg_isready -q")),
        ("{exec: [pg_isready, -p, 5432]}", ExecProbe(("pg_isready", "-p", "5432"))),
        ("{log: 'ready in \\d+ ms$'}", LogProbe("ready in \\d+ ms$")),
    ],
)
def test_probes(health: str, probe: Probe, loaded: Callable[..., Manifest]) -> None:
    check = one(loaded, f"command: x, health: {health if health[0] == '{' else repr(health)}").services["a"].health
    assert check == HealthCheck(probe)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("500ms", 0.5), ("5s", 5), ("1m30s", 90), ("1h", 3600), ("0s", 0), ("1.5s", 1.5), ("2m", 120)],
)
def test_durations(written: str, seconds: float, loaded: Callable[..., Manifest]) -> None:
    process = one(loaded, f"command: x, stop_grace_period: {written}").services["a"].process
    assert process is not None
    assert process.stop_grace_period == seconds


@pytest.mark.parametrize(
    ("written", "size"),
    [("10MB", 10_000_000), ("10mb", 10_000_000), ("1 GB", 10**9), ("64KiB", 65536), ("1.5 MiB", 1572864), ("512", 512)],
)
def test_sizes(written: str, size: int, loaded: Callable[..., Manifest]) -> None:
    manifest = loaded(f"services: {{a: {{command: x}}}}\ngit: {{sync: {{max_file_size: {written}}}}}\n")
    assert manifest.git[0].max_file_size == size
    assert manifest.git[0].path == manifest.root


@pytest.mark.parametrize(
    ("written", "ports"),
    [
        ("8000", (Port(8000),)),
        ("[8000, '8001']", (Port(8000), Port(8001))),
        ("{http: 8000, debug: 9229}", (Port(8000, "http"), Port(9229, "debug"))),
        ('["${PORT:-8000}"]', (Port(8123),)),
    ],
)
def test_ports(written: str, ports: tuple[Port, ...], loaded: Callable[..., Manifest]) -> None:
    assert one(loaded, f"command: x, ports: {written}", PORT="8123").services["a"].ports == ports


@pytest.mark.parametrize(
    ("written", "policy"),
    [
        ("no", RestartPolicy(RestartWhen.NO)),
        ('"no"', RestartPolicy(RestartWhen.NO)),
        ("always", RestartPolicy(RestartWhen.ALWAYS)),
        ("on-failure:5", RestartPolicy(max_retries=5)),
        ("{max_retries: 9, initial_delay: 1s, max_delay: 2s}", RestartPolicy(RestartWhen.ON_FAILURE, 9, 1, 2)),
        ("{initial_delay: 1m}", RestartPolicy(RestartWhen.ON_FAILURE, 3, 60, 60)),
    ],
)
def test_restart(written: str, policy: RestartPolicy, loaded: Callable[..., Manifest]) -> None:
    assert one(loaded, f"command: x, restart: {written}").services["a"].restart == policy


@pytest.mark.parametrize(
    ("keys", "oneshot"),
    [
        ("command: x, restart: no", True),
        ("command: x, restart: no, ports: [1]", False),
        ("command: x, restart: no, health: 'tcp://h:1'", False),
        ("command: x", False),
        ("external: true", False),
    ],
)
def test_oneshots(keys: str, oneshot: bool, loaded: Callable[..., Manifest]) -> None:
    assert one(loaded, keys).services["a"].oneshot is oneshot


def test_what_somebody_waits_for_to_complete_is_a_oneshot(loaded: Callable[..., Manifest]) -> None:
    manifest = loaded(
        """
services:
  a: {command: x, ports: [1]}
  b: {command: x, depends_on: {a: {condition: service_completed_successfully}}}
"""
    )
    assert [each.oneshot for each in manifest.services.values()] == [True, False]


@pytest.mark.parametrize(
    ("written", "signal"), [("SIGINT", "SIGINT"), ("int", "SIGINT"), ("SigTerm", "SIGTERM"), ("15", "SIGTERM")]
)
def test_signals(written: str, signal: str, loaded: Callable[..., Manifest]) -> None:
    process = one(loaded, f"command: x, stop_signal: {written}").services["a"].process
    assert process is not None
    assert process.stop_signal == signal


def test_setup_in_its_three_spellings(loaded: Callable[..., Manifest]) -> None:
    manifest = one(loaded, "command: x, path: web, setup: [make, {command: [npm, ci], path: ../tools, name: tools}]")
    root = Path(manifest.root)
    process = manifest.services["a"].process
    assert process is not None
    assert process.setup == (
        SetupStep("make", str(root / "web"), name="make"),
        SetupStep(("npm", "ci"), str(root / "tools"), name="tools"),
    )
    single = one(loaded, "command: x, setup: make").services["a"].process
    assert single is not None
    assert single.setup == (SetupStep("make", str(root), name="make"),)


def test_paths_are_relative_to_the_file_and_a_home_may_stand(loaded: Callable[..., Manifest]) -> None:
    manifest = loaded(
        """
services:
  a: {command: x, path: "${BASE:-../up}/a"}
  b: {command: x, path: /absolute/b/../c}
  c: {command: x, path: ~/c}
  d: {command: x}
""",
        HOME="/home/u",
    )
    above = Path(manifest.root).parent
    paths = [service.path for service in manifest.services.values()]
    assert paths == [str(above / "up/a"), "/absolute/c", "/home/u/c", manifest.root]
    assert one(loaded, 'command: x, path: "${BASE}/a"', BASE="examples").services["a"].path.endswith("/examples/a")


def test_anchors_merge_keys_and_extensions(loaded: Callable[..., Manifest]) -> None:
    manifest = loaded(
        """
x-node: &node {setup: npm ci, stop_signal: SIGINT, restart: always}
services:
  a: {<<: *node, command: x}
  b: {command: x, restart: "no", <<: [*node]}
"""
    )
    a, b = (manifest.services[name] for name in "ab")
    assert a.process is not None
    assert b.process is not None
    assert a.process.setup == b.process.setup != ()
    assert (a.restart.policy, b.restart.policy) == (RestartWhen.ALWAYS, RestartWhen.NO)


def test_a_mistake_in_an_anchor_is_told_where_it_stands(
    write: Callable[..., Path], mistakes: Callable[..., list[str]]
) -> None:
    path = write("name: demo\nx-node: &n\n  stop_signal: zzz\nservices:\n  a: {<<: *n, command: x, ports: [0]}\n")
    assert mistakes(path, {}) == [
        "3:16: services.a.stop_signal: “zzz” is no signal that stops a process; write SIGTERM or SIGINT",
        "5:34: services.a.ports: “0” is no port; write a number from 1 to 65535",
    ]


def test_dotenv_beside_the_file_comes_last(write: Callable[..., Path]) -> None:
    write("PORT=1111\nBOTH=file\n", ".env")
    path = write('name: demo\nservices: {a: {command: "x ${BOTH}", ports: ["${PORT}"]}}\n')
    service = load(path, {"BOTH": "environment"}).services["a"]
    assert service.process is not None
    assert (service.process.command, service.ports) == ("x environment", (Port(1111),))
    assert beside(path, {"BOTH": "environment"}) == {"BOTH": "environment", "PORT": "1111"}


def test_a_process_may_take_its_secret_from_its_env_file(
    write: Callable[..., Path], mistakes: Callable[..., list[str]]
) -> None:
    write("SECRET=s\n", "api.env")
    text = "name: demo\nservices:\n  a:\n    {0}\n    environment: {{A: '${{SECRET}}'}}\n    command: x\n"
    process = load(write(text.format("env_file: [api.env, absent.env]")), {}).services["a"].process
    assert process is not None
    assert process.environment == {"A": "${SECRET}"}
    assert len(mistakes(write(text.format("path: x")), {})) == 1
    write("no name\n", "api.env")
    assert "the line is no NAME=value" in mistakes(write(text.format("env_file: api.env")), {})[0]


def test_find(write: Callable[..., Path], tmp_path: Path) -> None:
    deep = tmp_path / "a/b/c"
    deep.mkdir(parents=True)
    outer, inner = write("x"), write("x", "a/services.yml")
    assert find(tmp_path) == outer
    assert find(deep) == inner
    assert find(deep, Path("../../services.yml")).samefile(inner)
    assert find(deep, outer) == outer
    inner.unlink()
    assert find(deep) == outer


def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(DevctlError, match="the current folder is gone"):
        find(Path())


def test_find_nothing(tmp_path: Path) -> None:
    with pytest.raises(DevctlError) as caught:
        find(tmp_path)
    assert (caught.value.what, caught.value.where, caught.value.code) == ("there is no services.yaml", str(tmp_path), 2)
    assert caught.value.hint
    with pytest.raises(DevctlError, match=r"other\.yaml: there is no such manifest"):
        find(tmp_path, Path("other.yaml"))


def test_finding_a_manifest_and_choosing_load_no_grammar() -> None:
    """Commands that need no manifest pay for none of it."""
    code = (
        "import sys, devctl.manifest.load, devctl.manifest.choose, devctl.manifest.interpolate\n"
        "print([name for name in ('pydantic', 'httpx', 'docker', 'rich') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_a_key_without_a_value_counts_as_left_out(loaded: Callable[..., Manifest]) -> None:
    with_none = loaded("services:\n  a:\n    command: x\n    ports:\n    stop_signal: null\n    profiles: ~\n")
    assert with_none == loaded("services:\n  a: {command: x}\n")


def test_only_a_service_is_sent_to_the_compose_file(
    write: Callable[..., Path], mistakes: Callable[..., list[str]]
) -> None:
    path = write("name: demo\nvolumes: {}\nservices:\n  a: {library: true, volumes: []}\n")
    above, below = mistakes(path, {})
    assert "Compose file" not in above
    assert "Compose file" in below


def test_a_number_beyond_all_measure_is_none_in_json(loaded: Callable[..., Manifest]) -> None:
    request = "{url: /a, json: {many: [1e400, -1e400, 1.5], none: null}}"
    manifest = loaded(f"services:\n  a: {{command: x, predeploy: {{login: {{request: {request}}}}}}}\n")
    predeploy: Any = manifest.services["a"].predeploy
    assert predeploy["login"]["request"]["json"] == {"many": [None, None, 1.5], "none": None}
