"""Our programs in a service's own interpreter: real environments, real processes."""

from __future__ import annotations

import sys
import time
import venv
from pathlib import Path
from typing import Any

import pytest

from devctl.core.model import ProcessSpec, Runtime, Service
from devctl.errors import DevctlError, Exit
from devctl.safety.inside import ProgramFailed, TooSlow, call
from devctl.safety.interpreter import Interpreter, native
from devctl.safety.url import DatabaseUrl, Dialect

PASSWORD = "p@ss:w/o?r#d %41'\"\\é"

URL = DatabaseUrl(Dialect.POSTGRESQL, user="u", password=PASSWORD)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A service's folder with an environment of its own."""
    venv.create(tmp_path / ".venv", with_pip=False, symlinks=True)
    return tmp_path


def service(folder: Path, command: str | tuple[str, ...] = "exec .venv/bin/python app.py", **spec: Any) -> Service:
    process = ProcessSpec(command=command, path=str(folder), **spec)
    return Service(name="api", runtime=Runtime.PROCESS, process=process)


def inside(folder: Path, text: str, given: Any = None, *, timeout: float = 60, **environment: str) -> Any:
    return call(native(service(folder), environment), text, given, timeout=timeout, hide=[URL])


@pytest.mark.parametrize(
    "command",
    [
        "exec .venv/bin/uvicorn app:app --port 1",
        (".venv/bin/python", "app.py"),
        "FLAG=1 .venv/bin/python3 -m app",
        ". .venv/bin/activate && uvicorn app:app",
        "cd . ; .venv/bin/gunicorn app",
        "uvicorn app:app",
    ],
)
def test_the_python_that_the_command_uses(folder: Path, command: str | tuple[str, ...]) -> None:
    found = native(service(folder, command), {"PATH": "/usr/bin:/bin"})
    assert Path(found.argv[0]).parent == folder / ".venv" / "bin"


def test_a_launcher_is_asked(folder: Path) -> None:
    assert native(service(folder, "uv run uvicorn app:app"), {}).argv == ("uv", "run", "python")


def test_the_python_of_a_program_on_the_path(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "serve").write_text(f"#!{sys.executable}\n")
    (tools / "serve").chmod(0o755)
    assert native(service(tmp_path, "serve now"), {"PATH": str(tools)}).argv == (sys.executable,)


def test_a_setup_that_has_not_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(DevctlError) as raised:
        native(service(tmp_path), {})
    assert raised.value.code is Exit.PRECONDITION
    assert raised.value.what == f"there is no {tmp_path / '.venv'}"
    assert raised.value.hint == "devctl up api"


def test_in_its_folder_with_its_environment(folder: Path) -> None:
    (folder / "app.py").write_text("NAME = 'app'\n")
    (folder / "more.env").write_text("FROM_FILE=one\nFROM_BOTH=two\n")
    spec = {"environment": {"FROM_BOTH": "${GIVEN}!"}, "env_file": (str(folder / "more.env"),)}
    text = """
import app, os, sys
def main(given):
    return [app.NAME, given, sys.prefix, os.getcwd(), os.environ["FROM_FILE"], os.environ["FROM_BOTH"]]
"""
    answer = call(native(service(folder, **spec), {"GIVEN": "three"}), text, {"ü": [1, None]}, timeout=60)
    assert answer == ["app", {"ü": [1, None]}, str(folder / ".venv"), str(folder), "one", "three!"]


def test_what_imports_print_is_not_the_answer(folder: Path) -> None:
    (folder / "app.py").write_text("import os\nprint('{}')\nos.system('echo loud')\nos.write(1, b'raw')\n")
    assert inside(folder, "import app\ndef main(given): print('more'); return 7") == 7


def test_threads_that_modules_start_do_not_hold_it_up(folder: Path) -> None:
    (folder / "app.py").write_text("import threading, time\nthreading.Thread(target=time.sleep, args=(500,)).start()\n")
    begun = time.monotonic()
    assert inside(folder, "import app\ndef main(given): return 1", timeout=120) == 1
    assert time.monotonic() - begun < 90


def test_what_does_not_import_is_shown_by_its_own_traceback(folder: Path) -> None:
    (folder / "app.py").write_text(f"url = {f'x://u:{PASSWORD}@h/d'!r}\n\nraise ValueError('bad ' + url)\n")
    with pytest.raises(ProgramFailed) as raised:
        inside(folder, "def main(given):\n    import app")
    error = raised.value
    assert (error.kind, error.what) == ("ValueError", "ValueError: bad x://u:…@h/d")
    assert any(str(folder / "app.py") in line and "line 3" in line for line in error.details)
    assert not any("<devctl>" in line for line in error.details)
    assert PASSWORD not in repr(vars(error)) + "".join(error.details)


def test_modules_that_exit_are_told_too(folder: Path) -> None:
    (folder / "app.py").write_text("raise SystemExit('SECRET_KEY is not set')\n")
    with pytest.raises(ProgramFailed) as raised:
        inside(folder, "def main(given):\n    import app")
    assert raised.value.what == "SystemExit: SECRET_KEY is not set"


def test_an_interpreter_that_dies(folder: Path) -> None:
    (folder / "app.py").write_text("import os, sys\nprint('last words', file=sys.stderr, flush=True)\nos._exit(9)\n")
    with pytest.raises(DevctlError) as raised:
        inside(folder, "def main(given):\n    import app")
    assert (raised.value.why, raised.value.details) == ("exit code 9", ("last words",))


def test_what_hangs_is_ended_and_shown(folder: Path) -> None:
    (folder / "app.py").write_text("import time\ndef wait(): time.sleep(500)\nwait()\n")
    begun = time.monotonic()
    with pytest.raises(TooSlow) as raised:
        inside(folder, "def main(given):\n    import app", timeout=4)
    assert time.monotonic() - begun < 60
    assert any("app.py" in line and "in wait" in line for line in raised.value.details)


def test_no_password_in_a_list_of_processes(folder: Path) -> None:
    text = "def main(given):\n    return open('/proc/self/cmdline', errors='replace').read()"
    assert "p@ss" not in inside(folder, text, {"url": f"postgresql://u:{PASSWORD}@h/d"})


def test_an_interpreter_that_is_not_there(folder: Path) -> None:
    with pytest.raises(DevctlError) as raised:
        call(Interpreter(("/nowhere/python",), str(folder), {}, ".venv"), "", None, timeout=5)
    assert raised.value.what == ".venv cannot be started"
