"""The one process that keeps a workspace as it is wanted."""

import sys

import devctl.api  # noqa: F401 - before anything else: it says how msgspec comes in

# asyncio looks for ssl, which takes 6 ms and is for connections that asyncio itself encrypts: the supervisor makes
# none. (httpx, which may have to, loads it by itself and encrypts by itself.) A module that is None counts as one that
# is not installed. Only in a process that is started as the supervisor: nobody else's asyncio is touched.
if sys.argv[:1] == ["-m"] and not {"asyncio", "ssl"} & sys.modules.keys():
    sys.modules["ssl"] = None  # type: ignore[assignment]
    try:
        import asyncio  # noqa: F401 - so that it is there for all who come after
    finally:
        del sys.modules["ssl"]
