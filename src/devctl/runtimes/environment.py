"""What a native process is started with: its environment and its arguments."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from devctl.core.model import ProcessSpec
from devctl.errors import DevctlError
from devctl.manifest.interpolate import TemplateError, fill
from devctl.runtimes.host import MARK

_PLAIN_WORD = re.compile(r"[\w./+@-]+")
_KEY = re.compile(r"(?:export\s+)?([A-Za-z_][\w.-]*)\s*(?:=|:\s)\s*(.*)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}
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
    files = read_env_files(spec.env_file)
    own = {key: _filled(key, template, {**files, **user}) for key, template in spec.environment.items()}
    asked = {**files, **own}
    user.pop("NO_COLOR", None)
    defaults = {} if "NO_COLOR" in asked else {"FORCE_COLOR": "1"}
    return {**user, "PYTHONUNBUFFERED": "1", **defaults, "PWD": spec.path, **asked, MARK: mark}


def _filled(key: str, template: str, values: Mapping[str, str]) -> str:
    try:
        return fill(template, values)
    except TemplateError as error:
        raise DevctlError(error.message, where=f"environment.{key}", hint=error.hint) from error


def read_env_files(paths: tuple[str, ...]) -> dict[str, str]:
    """The values of dotenv files, later ones winning. Raises DevctlError naming file and line."""
    found: dict[str, str] = {}
    for path in paths:
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            hint = "create it or correct `env_file`"
            raise DevctlError("the env_file cannot be read", where=path, why=why, hint=hint) from error
        found.update(parse_dotenv(text, path))
    return found


def parse_dotenv(text: str, where: str = ".env") -> dict[str, str]:
    """KEY=VALUE lines: ``export``, comments, '…' as it stands, "…" with escapes; quotes may span lines."""
    found: dict[str, str] = {}
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        first, line = at, lines[at].strip()
        at += 1
        if not line or line.startswith("#"):
            continue
        match = _KEY.fullmatch(line)
        if match is None:
            raise DevctlError("not KEY=VALUE", where=f"{where}:{first + 1}", why=line[:40], hint="write KEY=VALUE")
        key, value = match.groups()
        if value[:1] in {"'", '"'}:
            while _closing(value) < 0 and at < len(lines):
                value += "\n" + lines[at]
                at += 1
        found[key] = _value(value, f"{where}:{first + 1}")
    return found


def _closing(value: str) -> int:
    """Where the quote that ``value`` begins with is closed, -1 if nowhere."""
    at = 1
    while at < len(value):
        if value[at] == "\\" and value[0] == '"':
            at += 1
        elif value[at] == value[0]:
            return at
        at += 1
    return -1


def _value(value: str, where: str) -> str:
    if value[:1] not in {"'", '"'}:
        return re.split(r"(?:^|\s)#", value, maxsplit=1)[0].strip()
    end = _closing(value)
    if end < 0:
        raise DevctlError("a quote is not closed", where=where, why=value[:40], hint=f"close it with {value[0]}")
    inner = value[1:end]
    if value[0] == "'":
        return inner
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), inner, flags=re.DOTALL)


def arguments_of(command: str | tuple[str, ...]) -> list[str]:
    """What is executed: a string by the shell, a tuple as it is."""
    return ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)


def missing_command(command: str | tuple[str, ...], path: str, search: str | None) -> str:
    """The program that ``command`` begins with when it certainly cannot be found, else "".

    ``path`` is the folder it runs in, ``search`` the PATH. Of a shell command only a plain first word is judged.
    """
    word = _first_word(command) if isinstance(command, str) else command[0]
    if not word:
        return ""
    if "/" in word:
        return "" if (Path(path) / word).exists() else word
    return "" if shutil.which(word, path=search) else word


def _first_word(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    if not words or not command.lstrip().startswith(words[0]) or not _PLAIN_WORD.fullmatch(words[0]):
        return ""
    return "" if _SHELL_WORDS.fullmatch(words[0]) else words[0]


def check(spec: ProcessSpec, environment: Mapping[str, str]) -> None:
    """Raise the DevctlError of what certainly cannot be started."""
    if not Path(spec.path).is_dir():
        hint = "correct `path` in services.yaml, or get the sources"
        raise DevctlError("its folder does not exist", where=spec.path, why=os.strerror(errno.ENOENT), hint=hint)
    if word := missing_command(spec.command, spec.path, environment.get("PATH")):
        hint = f"install {word}, or correct `command` in services.yaml"
        raise DevctlError(f"{word}: command not found", why=f"looked for it in {spec.path} and PATH", hint=hint)
