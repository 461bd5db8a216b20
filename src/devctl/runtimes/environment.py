"""What a native process is started with: its environment and its arguments."""

from __future__ import annotations

import errno
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from devctl.core.model import ProcessSpec
from devctl.errors import DevctlError
from devctl.runtimes.host import MARK

_PLAIN_WORD = re.compile(r"[\w./+@-]+")
_SHELL_WORDS = re.compile(
    r"[.:]|alias|bg|break|builtin|case|cd|command|continue|declare|do|echo|enable|eval|exec|exit|export|false|fg|for"
    r"|function|getopts|hash|if|jobs|kill|let|local|nohup|popd|printf|pushd|pwd|read|readonly|return|select|set|shift"
    r"|shopt|source|test|time|times|trap|true|type|typeset|ulimit|umask|unalias|unset|until|wait|while"
)


def environment_of(spec: ProcessSpec, given: Mapping[str, str], mark: str) -> dict[str, str]:
    """The environment of a process: the user's, over it the env_files' values, over them the manifest's.

    ``given`` without a PATH is only part of the user's environment, and this process's stands in for the rest.
    Colour is kept (the log is read on a terminal later) and Python is told not to hold back its output, unless asked
    otherwise. Raises DevctlError.
    """
    user = dict(given) if "PATH" in given else {**os.environ, **given}
    files = _read(spec.env_file, user) if spec.env_file else {}
    own = {
        key: _filled(key, text, {**files, **user}) if "$" in text else text for key, text in spec.environment.items()
    }
    asked = {**files, **own}
    user.pop("NO_COLOR", None)
    defaults = {} if "NO_COLOR" in asked else {"FORCE_COLOR": "1"}
    return {**user, "PYTHONUNBUFFERED": "1", **defaults, "PWD": spec.path, **asked, MARK: mark}


def _read(files: tuple[str, ...], user: Mapping[str, str]) -> dict[str, str]:
    from devctl.manifest import envfile

    return envfile.read_all(files, user)


def _filled(key: str, template: str, values: Mapping[str, str]) -> str:
    from devctl.manifest.interpolate import TemplateError, fill

    try:
        return fill(template, values)
    except TemplateError as error:
        raise DevctlError(error.message, where=f"environment.{key}", hint=error.hint) from error


def arguments_of(command: str | tuple[str, ...]) -> list[str]:
    """What is executed: a string by the shell, a tuple as it is."""
    return ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)


def program_of(command: str | tuple[str, ...], path: str, search: str | None) -> tuple[str, str]:
    """The program that ``command`` begins with, as it is written, and its file, "" when it certainly cannot be found.

    ``path`` is the folder it runs in, ``search`` the PATH. Of a shell command only a plain first word is judged; for
    others both are "".
    """
    word = _first_word(command) if isinstance(command, str) else command[0]
    return word, _file_of(word, path, search) if word else ""


def _file_of(word: str, path: str, search: str | None) -> str:
    """The file that is executed for it, as the C library finds it: a folder of the PATH that is no whole path counts
    from ``path``. "" when there is none. Looked for anew each time: programs come and go."""
    if "/" in word:
        return word if (Path(path) / word).exists() else ""
    for folder in (os.environ.get("PATH", os.defpath) if search is None else search).split(os.pathsep):
        file = os.path.join(path, folder, word)  # noqa: PTH118 - twenty folders at every start
        if os.access(file, os.X_OK) and not os.path.isdir(file):  # noqa: PTH112 - as above
            return file
    return ""


def _first_word(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    if not words or not command.lstrip().startswith(words[0]) or not _PLAIN_WORD.fullmatch(words[0]):
        return ""
    return "" if _SHELL_WORDS.fullmatch(words[0]) else words[0]


def check(spec: ProcessSpec, environment: Mapping[str, str]) -> str | None:
    """The file to execute where that is known, so that nobody looks for it again. Raises the DevctlError of what
    certainly cannot be started."""
    if not Path(spec.path).is_dir():
        hint = "correct `path` in services.yaml, or get the sources"
        raise DevctlError("its folder does not exist", where=spec.path, why=os.strerror(errno.ENOENT), hint=hint)
    word, file = program_of(spec.command, spec.path, environment.get("PATH"))
    if word and not file:
        hint = f"install {word}, or correct `command` in services.yaml"
        raise DevctlError(f"{word}: command not found", why=f"looked for it in {spec.path} and PATH", hint=hint)
    return file if isinstance(spec.command, tuple) and "PATH" in environment else None
