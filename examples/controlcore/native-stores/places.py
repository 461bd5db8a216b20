"""Where the installed binaries are."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import NoReturn


def give_up(program: str, what: str, hint: str) -> NoReturn:
    """Ends with one sentence of what is wrong and one of what to do."""
    print(f"{program}: {what}\n{program}: {hint}", file=sys.stderr, flush=True)
    raise SystemExit(1)


def installed(package: str) -> Path:
    """The folder of an installed package. Looked up without importing it: its Python is not wanted."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        give_up(package, f"not installed for {sys.executable}", "run the service's setup step again")
    return Path(spec.origin).parent
