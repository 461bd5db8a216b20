"""The one process that keeps a workspace as it is wanted."""

import gc
import sys

import devctl.api  # noqa: F401 - before anything else: it says how msgspec comes in

_IS_SUPERVISOR = sys.argv[:1] == ["-m"]  # as long as Python looks for the module that it is to run; see launch too

if _IS_SUPERVISOR:
    gc.disable()  # until it serves: what modules are made of is no garbage, and looking through it takes 4 ms
    gc.set_threshold(700, 10, 10)  # Python's own until 3.12; a command that it may be a copy of looks less often

# asyncio looks for ssl, which takes 6 ms and is for connections that asyncio itself encrypts: the supervisor makes
# none. (httpx, which may have to, loads it by itself and encrypts by itself.) A module that is None counts as one that
# is not installed. Only in a process that is started as the supervisor: nobody else's asyncio is touched.
if _IS_SUPERVISOR and not {"asyncio", "ssl"} & sys.modules.keys():
    sys.modules["ssl"] = None  # type: ignore[assignment]
    try:
        import asyncio  # noqa: F401 - so that it is there for all who come after
    finally:
        del sys.modules["ssl"]
