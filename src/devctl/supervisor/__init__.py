"""The one process that keeps a workspace as it is wanted."""

import devctl.api  # noqa: F401 - before anything else: it says how msgspec comes in
