"""The command and its supervisor: what they say to each other, and how."""

import sys

# msgspec looks into typing_extensions for three names, all of which typing has: 8 ms of every quick command. A module
# that is None counts as one that is not installed.
if not {"msgspec", "typing_extensions"} & sys.modules.keys():
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    try:
        import msgspec  # noqa: F401 - so that it is there for all who come after
    finally:
        del sys.modules["typing_extensions"]
