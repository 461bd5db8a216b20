"""The page docs/manifest.md, made from the JSON Schema; ``python -m devctl.manifest.reference`` prints it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from devctl.manifest.forms import FORMS
from devctl.manifest.schema import json_schema
from devctl.manifest.shapes import Json

REFERENCE_FILE = Path("docs") / "manifest.md"
EXAMPLE = Path(__file__).parent / "example.yaml"
VALUES = "#how-values-are-written"
HEADINGS = {
    "Service": "services.NAME",
    "Health": "services.NAME.health",
    "Dependency": "services.NAME.depends_on.NAME",
    "Restart": "services.NAME.restart",
    "SetupStep": "services.NAME.setup",
    "Native": "services.NAME.native",
    "Database": "services.NAME.database",
    "Predeploy": "services.NAME.predeploy",
    "RequiredEnvironment": "services.NAME.predeploy.environment",
    "Login": "services.NAME.predeploy.login",
    "LoginRequest": "services.NAME.predeploy.login.request",
    "Check": "services.NAME.predeploy.commands",
    "Compose": "compose",
    "Git": "git",
    "Sync": "git.sync",
    "Mirror": "mirrors",
    "Clean": "clean",
}
LABELS = {"Service": "service", "Dependency": "condition", "SetupStep": "step", "Mirror": "mirror", "Check": "check"}
INTRODUCTION = """\
# services.yaml

*Made from the JSON Schema by `python -m devctl.manifest.reference`; change the grammar, not this page.*

One file that a person reads in a minute and that drives everything. Where the Compose Specification has a word,
that word is used with that meaning. devctl looks for it here and in the parent folders; `-f PATH` names another.
`devctl check` reads it and starts nothing. Whatever is wrong is told at once, with file, line and column, the key's
path, and what would be right.

Editors that know the YAML language server complete and check the file with this first line (the path as seen from
the file):

```yaml
# yaml-language-server: $schema=schema/services.schema.json
```

## An example

```yaml
{example}```

## Four ways to run

A service has exactly one of these keys, which says who runs it.

| key | who runs it | what devctl does |
|---|---|---|
| `compose: NAME` | a service of the central Compose file | creates, starts, probes and stops its container |
| `command: …` | a process on this machine | runs its setup, starts, probes, restarts and stops it with its whole tree |
| `external: true` | somebody else | probes it; dependents wait for it |
| `library: true` | nobody | nothing; it takes part in `relations` and `mirrors` |

`native:` beside `compose:` says how the same service runs without a container: for the services named by
`devctl up --native NAME…`, or for all of them when no Docker engine answers. It is never a silent switch: the screen
and `status` say which runtime each service has, and why.

A service that another one waits for with `service_completed_successfully`, or that has `restart: "no"`, no `health`
and no `ports`, is a one-shot: it ends with 0 and then counts as completed.

## Variables

| written | becomes |
|---|---|
| `${VAR}` | the variable's value; a mistake when it is not set |
| `${VAR:-default}` | the value, or the default when it is not set or empty |
| `${VAR:?message}` | the value, or a mistake with this message when it is not set or empty |
| `${VAR:+other}` | `other` when it is set and not empty, otherwise nothing |
| `${services.NAME.url}` | the address of another service's `http` health check, without a path: `http://host:8000` |
| `${services.NAME.host}`, `${services.NAME.port}` | its host, its first port |
| `${services.NAME.ports.debug}` | its port of that name |
| `$$` | a dollar sign |

A default may hold further `${…}`; without the colon (`${VAR-default}`) an empty value counts as set. Values come from
the environment of the command and, where that has none, from `.env` beside services.yaml, as in Compose. Inside `[ ]`
and `{ }` YAML wants quotes around `"${VAR}"`.

In `command`, `setup`, `exec` and `seed`, `$VAR` without braces is left to the shell, and `$${VAR}` becomes the
shell's `${VAR}`.

Secrets belong into `environment`, `database.url` and `predeploy`: there the variables are filled in only when they are
used (a process's also from its `env_file`), and are never written down. Everywhere else values are filled in when the
file is read. What runs keeps the environment it was started with. After a change in an `env_file`, `.env` or such a
variable, `devctl up` and then `devctl restart SERVICE` give it the new one.

## How values are written

Plain text is text: `1.10` stays `1.10`, and `no` needs no quotes. A key without a value counts as left out. Keys at the
top that begin with `x-` are ignored, so anchors can stand there.

| form | what may stand | such as |
|---|---|---|
"""


def render() -> str:
    """The page."""
    schema = json_schema()
    groups = [*_group("The keys at the top", schema)]
    for name, heading in HEADINGS.items():
        groups += _group(f"`{heading}`", schema["$defs"][name])
    introduction = INTRODUCTION.replace("{example}", EXAMPLE.read_text(encoding="utf-8"))
    return introduction + "".join(f"{line}\n" for line in [*_forms(), *groups])


def _forms() -> Iterator[str]:
    for name, form in FORMS.items():
        examples = ", ".join(_code(each) for each in form.get("examples", ()))
        yield f"| {name} | {form['description']} | {examples} |"


def _group(heading: str, group: Json) -> Iterator[str]:
    yield from ("", f"## {heading}", "", group["description"], "")
    yield from ("| key | value | default | meaning |", "|---|---|---|---|")
    required = group.get("required", ())
    for key, schema in group["properties"].items():
        default = "**required**" if key in required else _code(schema["default"]) if "default" in schema else ""
        yield f"| `{key}` | {_value(schema)} | {default} | {_meaning(schema)} |"


def _meaning(schema: Json) -> str:
    examples = schema.get("examples", ())
    return f"{schema['description']}" + (
        f" Such as {' or '.join(_code(each) for each in examples)}." if examples else ""
    )


def _code(value: Any) -> str:
    text: str = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{text}`".replace("|", "\\|")


def _value(schema: Json) -> str:
    """What may stand there, in words."""
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        options = [_value(each) for each in schema["anyOf"] if not _is_template(each)]
        return ", or ".join(dict.fromkeys(options))
    if "enum" in schema:
        return " · ".join(f"`{each}`" for each in schema["enum"])
    return _typed(schema)


def _is_template(schema: Json) -> bool:
    return "pattern" in schema and schema["pattern"].lstrip("^").startswith(("\\$", "on-failure"))


def _typed(schema: Json) -> str:
    match schema.get("type"):
        case "array":
            return f"list of {_value(schema['items'])}"
        case "object":
            return f"mapping of names to {_value(schema['additionalProperties'])}"
        case None:
            return "anything"
        case kinds:
            return "text" if kinds == "string" else "text or nothing" if kinds == ["string", "null"] else "value"


def _link(name: str) -> str:
    if name in FORMS:
        return f"[{name}]({VALUES})"
    heading = HEADINGS[name]
    anchor = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in "_-")
    label = LABELS.get(name) or heading.rpartition(".")[2]
    return f"[{label}](#{anchor})"


def check(root: Path) -> str:
    """An empty text when the page below ``root`` is current, otherwise what to do."""
    file = root / REFERENCE_FILE
    if file.is_file() and file.read_text(encoding="utf-8") == render():
        return ""
    return f"{REFERENCE_FILE} is not what the code says: python -m devctl.manifest.reference > {REFERENCE_FILE}"


if __name__ == "__main__":
    sys.stdout.write(render())
