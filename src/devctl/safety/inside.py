"""Small programs of ours, run by a service's own interpreter: there its models import, here they would not.

A program is the text of a Python file with ``main(given)``; what goes in and comes out is JSON. It is told everything
on its standard input, so that no password stands in a list of processes. What the service's modules print goes to
standard error: the answer has a descriptor of its own.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from devctl.command import CommandError, Result, output
from devctl.errors import DevctlError, Exit
from devctl.safety.interpreter import Interpreter
from devctl.safety.redaction import redacted
from devctl.safety.url import DatabaseUrl

PROGRAMS = Path(__file__).parent / "programs"
PACKAGE = "devctl.safety.programs"
LAST = 15
"""Lines of evidence."""
BOOT = """
import faulthandler, json, os, sys
out = os.dup(1)
os.dup2(2, 1)
call = json.loads(sys.stdin.buffer.read().decode())
faulthandler.dump_traceback_later(call["seconds"], exit=True, file=sys.__stderr__)
if os.getcwd() not in sys.path and "" not in sys.path:
    sys.path.insert(0, os.getcwd())
from importlib.machinery import ModuleSpec
class Ours:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in call["modules"]:
            return ModuleSpec(name, Ours, is_package=not call["modules"][name])
    @staticmethod
    def create_module(spec):
        return None
    @staticmethod
    def exec_module(module):
        name = module.__name__
        exec(compile(call["modules"][name], "<devctl %s>" % name, "exec"), module.__dict__)
sys.meta_path.insert(0, Ours)
try:
    answer = {"value": __import__(call["main"], fromlist=["main"]).main(call["given"])}
except BaseException as error:
    import traceback
    told = traceback.TracebackException.from_exception(error)
    seen, ours = told, ("<devctl", "<string>", "<frozen importlib")
    while seen is not None:
        seen.stack = traceback.StackSummary.from_list(f for f in seen.stack if not f.filename.startswith(ours))
        seen = seen.__cause__ or seen.__context__
    lines = "".join(told.format()).splitlines()
    answer = {"type": type(error).__name__, "text": str(error), "lines": lines[-60:]}
with os.fdopen(out, "wb") as stream:
    stream.write(("\\n" + call["mark"] + json.dumps(answer) + "\\n").encode())
os._exit(0)
"""
"""Reads what to do, and ends without waiting for threads that the service's modules have started."""


class ProgramFailed(DevctlError):
    """The program raised something; ``kind`` is the exception's name, ``text`` its words, ``details`` its traceback."""

    kind: str = ""
    text: str = ""


class TooSlow(DevctlError):
    """The program took too long; ``details`` show what it was doing."""


Program = str | Mapping[str, str]
"""The text of a program, or those of its modules by their names, the main one first; "" is a package."""


def program(name: str) -> Program:
    """One of our programs, with all that it may import."""
    modules = {f"{PACKAGE}.{path.stem}": path.read_text(encoding="utf-8") for path in PROGRAMS.glob("[a-z]*.py")}
    main = f"{PACKAGE}.{name}"
    parents = {"devctl": "", "devctl.safety": "", PACKAGE: ""}
    return {main: modules.pop(main), **modules, **parents}


def call(
    interpreter: Interpreter, text: Program, given: Any, *, timeout: float, hide: Iterable[DatabaseUrl] = ()
) -> Any:
    """What ``main(given)`` of the program returns. ``timeout`` in seconds; ``hide``: databases whose
    passwords no error may show.

    Raises ProgramFailed for what it raised, and DevctlError where the interpreter can't be started, takes too long or
    ends without an answer.
    """
    asked = _Call(interpreter, text, given, timeout, tuple(hide))
    try:
        done = output(
            asked.argv,
            cwd=interpreter.folder,
            env=interpreter.environment,
            timeout=timeout + interpreter.starting,
            check=False,
            input=asked.input,
        )
    except CommandError as error:
        raise _not_run(interpreter, error, asked.hide) from None
    return asked.read(done)


async def awaited_call(
    interpreter: Interpreter, text: Program, given: Any, *, timeout: float, hide: Iterable[DatabaseUrl] = ()
) -> Any:
    """The same for who has a loop. Cancelled, it ends the program."""
    from devctl.awaited import run

    asked = _Call(interpreter, text, given, timeout, tuple(hide))
    try:
        done = await run(
            asked.argv,
            cwd=interpreter.folder,
            env=interpreter.environment,
            timeout=timeout + interpreter.starting,
            check=False,
            input=asked.input,
        )
    except CommandError as error:
        raise _not_run(interpreter, error, asked.hide) from None
    return asked.read(done)


class _Call:
    """One question and how its answer is read."""

    def __init__(
        self, interpreter: Interpreter, text: Program, given: Any, timeout: float, hide: tuple[DatabaseUrl, ...]
    ) -> None:
        modules = {"devctl_program": text} if isinstance(text, str) else dict(text)
        self.interpreter, self.hide, self._mark = interpreter, hide, f"devctl-{secrets.token_hex(8)}:"
        self.argv = [*interpreter.argv, "-c", BOOT]
        told = {"modules": modules, "main": next(iter(modules)), "given": given, "mark": self._mark}
        self.input = json.dumps({**told, "seconds": timeout})

    def read(self, done: Result) -> Any:
        """The program's value. Raises DevctlError."""
        answer = _answer(self.interpreter, done, self._mark, self.hide)
        if "value" in answer:
            return answer["value"]
        raise _failed(answer, self.interpreter, self.hide)


def _answer(interpreter: Interpreter, done: Result, mark: str, hide: tuple[DatabaseUrl, ...]) -> dict[str, Any]:
    """The last line with the mark: what an interpreter's own start may print comes before it."""
    _, found, line = done.out.rpartition(mark)
    if found:
        answer: dict[str, Any] = json.loads(line.splitlines()[0])
        return answer
    lines = [line for line in (done.out + done.err).splitlines() if line.strip()]
    details = tuple(redacted(line, *hide) for line in lines[-LAST:])
    if any(line.startswith("Timeout (") for line in lines):
        raise _late(interpreter, details)
    why = f"exit code {done.code}" if done.code >= 0 else f"killed by signal {-done.code}"
    raise DevctlError(f"{interpreter.where} ended without an answer", interpreter.folder, why, details=details)


def _not_run(interpreter: Interpreter, error: CommandError, hide: tuple[DatabaseUrl, ...]) -> DevctlError:
    details = tuple(redacted(line, *hide) for line in error.details)
    if error.why.startswith("no end after"):
        return _late(interpreter, details)
    what = f"{interpreter.where} cannot be started"
    return DevctlError(what, interpreter.folder, redacted(error.why, *hide), error.hint, Exit.PRECONDITION, details)


def _late(interpreter: Interpreter, details: tuple[str, ...]) -> TooSlow:
    return TooSlow(f"{interpreter.where} did not answer in time", interpreter.folder, details=details)


def _failed(answer: dict[str, Any], interpreter: Interpreter, hide: tuple[DatabaseUrl, ...]) -> ProgramFailed:
    text = redacted(str(answer["text"]), *hide)
    first = text.strip().splitlines()[0] if text.strip() else ""
    failed = ProgramFailed(
        f"{answer['type']}: {first}" if first else str(answer["type"]),
        where=interpreter.folder,
        details=tuple(redacted(line, *hide) for line in answer["lines"][-LAST:]),
    )
    failed.kind, failed.text = str(answer["type"]), text
    return failed
