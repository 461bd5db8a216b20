"""The one door to git in a repository: never asks, never hangs, and is led by no environment of somebody else's."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from devctl.awaited import run
from devctl.command import CommandError, OutOfTime, Raw, Result, raw

TIMEOUT = 30.0
"""Seconds a git command on this machine may take."""

_LEADS_ELSEWHERE = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_DIR",
    "GIT_EXTERNAL_DIFF", "GIT_GLOB_PATHSPECS", "GIT_GRAFT_FILE", "GIT_ICASE_PATHSPECS", "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_LITERAL_PATHSPECS", "GIT_NAMESPACE", "GIT_NOGLOB_PATHSPECS",
    "GIT_NO_REPLACE_OBJECTS", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_QUARANTINE_PATH", "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
)  # fmt: skip
"""What git sets for its hooks (git rev-parse --local-env-vars) and what changes how paths are read. The user's own
GIT_CONFIG_GLOBAL, GIT_CONFIG_COUNT, GIT_AUTHOR_NAME, GIT_SSH_COMMAND and the like stay."""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, fit for git: messages in English, and no question on a terminal."""
    own = {key: value for key, value in os.environ.items() if key not in _LEADS_ELSEWHERE}
    return own | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GCM_INTERACTIVE": "never"} | dict(extra or {})


def decoded(name: bytes) -> str:
    """A file name or ref as text; what is no text survives as surrogate escapes (and Popen turns it back)."""
    return os.fsdecode(name)


class GitFailed(CommandError):
    """git said no: ``returned`` is its exit code, ``words`` what it said."""

    def __init__(self, argv: list[str], returned: int, words: str, cwd: Path) -> None:
        super().__init__(["git", *argv], f"exit code {returned}", output=words, cwd=cwd)
        self.returned, self.words = returned, words.strip()


class Repository:
    """git in the folder ``root``. Every command is a process of its own that ends within its time."""

    def __init__(self, root: Path | str, *, options: Sequence[str] = ()) -> None:
        """``options`` are git's own, given to every command."""
        self.root, self._options = Path(root), tuple(options)
        self._ssh: dict[str, str] | None = None

    def argv(self, arguments: Sequence[str]) -> list[str]:
        """The command line. Automatic gc is not started from here: nothing is tidied while work is made safe."""
        return ["git", "-C", str(self.root), "-c", "gc.auto=0", *self._options, *arguments]

    def ask(
        self,
        *arguments: str,
        given: bytes | None = None,
        timeout: float = TIMEOUT,
        variables: Mapping[str, str] | None = None,
    ) -> Raw:
        """Run what changes nothing; a code other than 0 is an answer too. Raises CommandError out of time."""
        command = self.argv(("--no-optional-locks", *arguments))
        return raw(command, env=environment(variables), timeout=timeout, check=False, input=given)

    def do(
        self,
        *arguments: str,
        given: bytes | None = None,
        timeout: float = TIMEOUT,
        variables: Mapping[str, str] | None = None,
    ) -> bytes:
        """Run it; what it wrote. Raises GitFailed, and CommandError out of time."""
        command = self.argv(arguments)
        done = raw(command, env=environment(variables), timeout=timeout, check=False, input=given)
        if done.code:
            raise GitFailed(list(arguments), done.code, decoded(done.out + done.err), self.root)
        return done.out

    def line(self, *arguments: str) -> str:
        """The one line it answers with, "" when it fails. Raises CommandError out of time."""
        done = self.ask(*arguments)
        return "" if done.code else decoded(done.out.rstrip(b"\n"))

    async def talk(self, *arguments: str, timeout: float) -> Result | None:
        """A command that reaches over the network: its result, None when it had not ended in ``timeout`` seconds.

        Cancelled, the command is ended with its whole group.
        """
        try:
            return await run(self.argv(arguments), env=environment(self.ssh(timeout)), timeout=timeout, check=False)
        except OutOfTime:
            return None

    def ssh(self, timeout: float) -> dict[str, str]:
        """Variables that keep ssh from asking. The user's own command is kept, and only OpenSSH's gets options."""
        if "GIT_SSH" in os.environ and "GIT_SSH_COMMAND" not in os.environ:
            return {}
        if self._ssh is None:
            own = os.environ.get("GIT_SSH_COMMAND") or self.line("config", "core.sshCommand") or "ssh"
            wait = max(1, round(timeout))
            quiet = f"{own} -o BatchMode=yes -o ConnectTimeout={wait}" if _is_openssh(own) else own
            self._ssh = {"GIT_SSH_COMMAND": quiet}
        return self._ssh


def _is_openssh(command: str) -> bool:
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    return bool(words) and words[0].rpartition("/")[2] == "ssh"
