"""The npm emulator ``@vercel/cosmosdb-server``, as a second opinion on what the fake says.

It is started only where it was installed: ``SENTIMENTAGENT_TEST_COSMOSDB_SERVER`` names the folder in which
``npm install @vercel/cosmosdb-server@1.0.1`` was run. Nothing is installed by a test. It is wrong in many places
(:data:`KNOWN_FAULTS`), so it confirms, and never decides.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FOLDER: Final = "SENTIMENTAGENT_TEST_COSMOSDB_SERVER"
VERSION: Final = "1.0.1"
#: Any key will do for it.
KEY: Final = "ZmFrZQ=="
#: What it says where it is wrong, by the probe of tests/integration/test_cosmos_emulator.py. The fake says otherwise,
#: by the service's documentation and the SDK. It never answers 429, and takes any key.
KNOWN_FAULTS: Final[dict[str, object]] = {
    # The service and the SDK refuse it across partitions.
    "aggregate without VALUE": [{"n": 9}],
    # A syntax error in its grammar.
    "offset": "refused with 400",
    # A query of one partition key is not understood.
    "one partition key": "refused with 400",
    # In place of 404.
    "missing": "refused with 500",
    # One that deletes what it has made.
    "batch": "refused with 500",
    # Nothing expires.
    "expired": ["short"],
}
_STARTED_S: Final = 15.0
_STOPPED_S: Final = 5.0


def missing() -> str | None:
    """Return why it cannot be started, None if it can."""
    if shutil.which("node") is None:
        return "node is not installed"
    folder = os.environ.get(FOLDER)
    if not folder:
        return f"{FOLDER} names no folder with @vercel/cosmosdb-server@{VERSION}"
    return None if _script(folder).is_file() else f"{_script(folder)} is missing"


def _script(folder: str) -> Path:
    return Path(folder) / "node_modules" / ".bin" / "cosmosdb-server"


@asynccontextmanager
async def emulator(port: int) -> AsyncIterator[str]:
    """Run it on a port of 127.0.0.1 while inside; yields its address."""
    node, folder = shutil.which("node"), os.environ[FOLDER]
    assert node is not None
    command = [node, str(_script(folder).resolve()), "-p", str(port), "--host", "127.0.0.1", "--no-ssl"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_STARTED_S):
            await _answers(port)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        async with asyncio.timeout(_STOPPED_S):
            await process.wait()


async def _answers(port: int) -> None:
    """Wait until something listens."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return
