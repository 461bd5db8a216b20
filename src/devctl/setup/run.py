"""Runs the setup steps that are stale; nothing stale costs a few stat calls."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from weakref import WeakValueDictionary

from devctl.awaited import run as run_command
from devctl.command import CommandError
from devctl.core.model import Service, SetupStep, Value
from devctl.errors import DevctlError
from devctl.logs import setup_log
from devctl.setup.policy import Facts, changed, command_words, settled, staleness
from devctl.setup.records import Records
from devctl.workspace import Workspace

OnLine = Callable[[str], None]

_running: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
"""One lock for each folder and command, as long as somebody runs it or waits for it."""


class StaleStep(Value):
    """A step that must run, and why."""

    step: SetupStep
    because: str

    def __str__(self) -> str:
        return f"{command_words(self.step)}: {self.because}"


def stale(service: Service, workspace: Workspace) -> list[StaleStep]:
    """The steps of ``service`` that would run, in order. Raises DevctlError for a missing input."""
    records = _records(workspace)
    found: list[StaleStep] = []
    for number, step in enumerate(_steps(service)):
        because = staleness(records.facts(service.name, number, step))
        if not because and found:
            because = f"{command_words(found[-1].step)} runs before it"
        if because:
            found.append(StaleStep(step=step, because=because))
    return found


async def run(
    service: Service, workspace: Workspace, environment: Mapping[str, str], on_line: OnLine | None = None
) -> str:
    """Run what is stale, one step after the other; output goes to ``logs/NAME.setup.log`` and to ``on_line``.

    ``environment`` without a PATH is only part of the user's, and this process's stands in for the rest. Returns what
    was redone and why, "" for nothing. Raises DevctlError with the last lines of a step that failed. Two services that
    share a step's folder and command run it one after the other, so the second finds it done.
    """
    done: list[str] = []
    user = environment if "PATH" in environment else {**os.environ, **environment}
    for number, step in enumerate(_steps(service)):
        lock = _running.setdefault((step.path, str(step.command)), asyncio.Lock())
        async with lock:
            records = _records(workspace)
            facts = await _facts(service, number, step, records)
            because = staleness(facts) or ("the step before it ran" if done else "")
            if because:
                await _run_step(service, number, StaleStep(step=step, because=because), workspace, user, on_line)
                done.append(f"{command_words(step)}: {because}")
            elif records.learned or facts.recorded != facts.present:
                records.record(service.name, number, step, facts.present)
    return "; ".join(done)


def _steps(service: Service) -> tuple[SetupStep, ...]:
    return service.process.setup if service.process else ()


async def _facts(service: Service, number: int, step: SetupStep, records: Records) -> Facts:
    """Hashing thousands of inputs must not hold up the loop."""
    if not await asyncio.to_thread(Path(step.path).is_dir):
        hint = "get the sources, or correct `path` in services.yaml"
        raise DevctlError(f"setup failed: the folder {step.path} does not exist", hint=hint)
    return await asyncio.to_thread(records.facts, service.name, number, step)


async def _run_step(
    service: Service,
    number: int,
    stale_step: StaleStep,
    workspace: Workspace,
    environment: Mapping[str, str],
    on_line: OnLine | None,
) -> None:
    """Run it, and once more when its inputs changed meanwhile. Recorded only once nothing is left to be done."""
    step, records, log = stale_step.step, _records(workspace), workspace.logs / f"{setup_log(service.name)}.log"
    records.forget(step)
    before = await asyncio.to_thread(records.fingerprint, step)
    moved: list[tuple[str, ...]] = []
    because = stale_step.because
    while len(moved) < 2:
        await _begin_log(log, f"$ {command_words(step)}  # {because}\n")
        await _execute(step, environment, log, on_line)
        after = await asyncio.to_thread(records.fingerprint, step)
        moved.append(changed(before, after))
        if not moved[-1]:
            break
        before, because = after, f"{moved[-1][0]} changed while it ran"
    if len(moved) < 2 or settled(moved[0], moved[1]):
        records.record(service.name, number, step, before)


async def _begin_log(log: Path, line: str) -> None:
    def append() -> None:
        with log.open("a") as file:
            file.write(line)

    try:
        await asyncio.to_thread(append)
    except OSError as error:
        raise DevctlError("the setup's log cannot be written", str(log), error.strerror or "", "df -h") from error


async def _execute(step: SetupStep, environment: Mapping[str, str], log: Path, on_line: OnLine | None) -> None:
    try:
        await run_command(step.command, cwd=step.path, env=environment, log=log, on_line=on_line)
    except CommandError as error:
        shown = step.command if isinstance(step.command, str) else shlex.join(step.command)
        raise DevctlError(
            what=f"{command_words(step)} failed: {error.why}",
            where=step.path,
            hint=error.hint or f"cd {shlex.quote(step.path)} && {shown}",
            details=error.details,
        ) from error


def _records(workspace: Workspace) -> Records:
    return Records(workspace.folder / "setup.json")
