"""The npm emulator ``@vercel/cosmosdb-server``, as a second opinion on what the fake says.

It is started only where it was installed: ``SENTIMENTAGENT_TEST_COSMOSDB_SERVER`` names the folder in which
``npm install @vercel/cosmosdb-server@1.0.1`` was run. Nothing is installed by a test. It is wrong in many places
(:data:`KNOWN_FAULTS`), so it confirms, and never decides. No store runs on it as it is; :mod:`fakes.cosmos.mended`
makes good what it can't do at all, and :data:`CONTRACT_FAULTS` is what it gets wrong even so.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_REVERSED: Final = (
    "the newest come first by the reverse of a composite index, which the service reads from either end; the emulator"
    " refuses it with 400"
)
#: Tests of the contract (tests/integration/test_store_contract.py) that fail on it, by name, and why. Each ends with
#: the client's "calls our request wrong": one that ends otherwise fails, and so does one that passes.
CONTRACT_FAULTS: Final[dict[str, str]] = dict.fromkeys(
    (
        "test_an_empty_store_answers_with_nothing_and_not_with_zero",
        "test_subreddits_match_whatever_their_case",
        "test_recent_items_come_newest_first_and_of_one_kind",
        "test_recent_items_begin_with_the_second_that_was_asked_for",
        "test_a_deleted_item_is_counted_and_never_shown",
        "test_many_deleted_items_leave_room_for_those_that_are_shown",
        "test_an_author_is_forgotten_whatever_the_case",
    ),
    _REVERSED,
)
_STARTED_S: Final = 15.0
_STOPPED_S: Final = 5.0


def missing() -> str | None:
    """Return why it cannot be started, None if it can."""
    if shutil.which("node") is None:
        return "node is not installed"
    folder = os.environ.get(FOLDER)
    if not folder:
        return f"{FOLDER} names no folder in which npm install @vercel/cosmosdb-server@{VERSION} was run"
    return None if _script(folder).is_file() else f"{_script(folder)} is missing"


def _script(folder: str) -> Path:
    return Path(folder) / "node_modules" / ".bin" / "cosmosdb-server"


@contextmanager
def emulator() -> Iterator[str]:
    """Run it on a free port of 127.0.0.1 while inside; yields its address. It keeps nothing beyond that."""
    node, folder = shutil.which("node"), os.environ[FOLDER]
    assert node is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [node, str(_script(folder).resolve()), "-p", str(port), "--host", "127.0.0.1", "--no-ssl"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(_STOPPED_S)


def _wait_for(port: int) -> None:
    """Wait until something listens."""
    until_s = time.monotonic() + _STARTED_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.05)
        else:
            return
