"""Runs the setup steps that are stale; nothing stale costs a few stat calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from devctl.command import CommandError
from devctl.command import run as run_command
from devctl.core.model import Service, SetupStep, Value
from devctl.errors import DevctlError
from devctl.setup.policy import command_words, staleness
from devctl.setup.records import Records
from devctl.workspace import Workspace

_running: dict[tuple[str, str], asyncio.Lock] = {}


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
    for step in service.process.setup if service.process else ():
        because = staleness(records.facts(service.name, step))
        if not because and found and found[-1].step.path == step.path:
            because = f"{command_words(found[-1].step)} runs before it"
        if because:
            found.append(StaleStep(step=step, because=because))
    return found


async def run(service: Service, workspace: Workspace, environment: Mapping[str, str]) -> str:
    """Run what is stale, one step after the other; output goes to ``logs/NAME.setup.log``.

    Returns what was redone and why, "" for nothing. Raises DevctlError with the last lines of a step that failed. Two
    services that share a step's folder and command run it one after the other, so the second finds it done.
    """
    done: list[str] = []
    for step in service.process.setup if service.process else ():
        async with _running.setdefault((step.path, str(step.command)), asyncio.Lock()):
            facts = _records(workspace).facts(service.name, step)
            because = staleness(facts) or ("the step before it ran" if done else "")
            if not because or _just_done(because, service, step, workspace):
                continue
            await _run_step(service, step, workspace, environment)
            done.append(f"{command_words(step)}: {because}")
    return "; ".join(done)


def _just_done(because: str, service: Service, step: SetupStep, workspace: Workspace) -> bool:
    """Another service with the very same step, in the same folder, already has it up to date."""
    if because != "it never ran here":
        return False
    records = _records(workspace)
    twin = records.twin(service.name, step)
    if twin is None or not step.outputs:
        return False
    records.record(service.name, step, twin)
    return not staleness(records.facts(service.name, step))


async def _run_step(service: Service, step: SetupStep, workspace: Workspace, environment: Mapping[str, str]) -> None:
    records = _records(workspace)
    log = workspace.logs / f"{service.name}.setup.log"
    if not await asyncio.to_thread(Path(step.path).is_dir):
        hint = "get the sources, or correct `path` in services.yaml"
        raise DevctlError(f"setup failed: the folder {step.path} does not exist", hint=hint)
    records.fingerprint(step)
    records.forget(service.name, step)
    try:
        await run_command(step.command, cwd=step.path, env=environment, log=log)
    except CommandError as error:
        raise DevctlError(
            what=f"{command_words(step)} failed: {error.why}",
            where=step.path,
            hint=f"cd {step.path} && {command_words(step)}",
            details=error.details,
        ) from error
    # Taken afterwards, since a command may write its own inputs: npm install does.
    records.record(service.name, step, records.fingerprint(step))


def _records(workspace: Workspace) -> Records:
    return Records(workspace.folder / "setup.json")
