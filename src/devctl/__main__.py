"""``python -m devctl``."""

from __future__ import annotations

from devctl.cli.app import main

main()
