from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest
from harness.tree import Tree

from watchdog.notify import Notifier
from watchdog.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(60)


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self.heard: list[str] = []

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()

    async def hears(self, message: str, within_s: float = 15) -> None:
        """Wait for a message."""
        async with asyncio.timeout(within_s):
            while message not in self.heard:
                self.heard.append((await asyncio.get_running_loop().sock_recv(self._socket, 4096)).decode())

    def listen(self) -> list[str]:
        """Return what has come since the last time."""
        heard = []
        while True:
            try:
                heard.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return heard


@pytest.fixture
def systemd(short_path: Path) -> Iterator[Systemd]:
    """Return a listening systemd."""
    listener = Systemd(short_path / "notify")
    yield listener
    listener.close()


async def test_systemd_hears_of_readiness_and_life(short_path: Path, systemd: Systemd) -> None:
    """READY when all four are ready, WATCHDOG while supervisord answers.

    WATCHDOG_PID names supervisord, as its children inherit it, and changes nothing.
    """
    environ = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "600000", "WATCHDOG_PID": "1"}
    async with Tree(short_path, environ) as tree:
        await systemd.hears("READY=1")
        assert {each.beat.state for each in (await tree.report()).processes if each.beat} == {"ready"}
        await systemd.hears("STATUS=all ready")
        systemd.heard.clear()
        began_s = time.monotonic()
        for _ in range(3):
            systemd.heard.clear()
            await systemd.hears("WATCHDOG=1")
        assert time.monotonic() - began_s < 3
        os.kill((await tree.ready())["api"], signal.SIGKILL)
        await systemd.hears("STATUS=not ready: api; api crashed", within_s=5)
        await systemd.hears("STATUS=all ready", within_s=5)


async def test_a_reload_is_no_stop(short_path: Path, systemd: Systemd) -> None:
    """It looked like a shutdown, systemd was told of one, and killed the reloaded system a minute later."""
    async with Tree(short_path, {"NOTIFY_SOCKET": str(systemd.path)}, processes=("watchdog",)) as tree:
        await systemd.hears("READY=1")
        systemd.heard.clear()
        await tree.supervisorctl("reload")
        await systemd.hears("READY=1")
        assert "STOPPING=1" not in systemd.heard


async def test_a_hung_supervisord_is_not_vouched_for(short_path: Path, systemd: Systemd) -> None:
    """Without its answer there is no WATCHDOG, so that systemd notices; and READY is said once."""
    environ = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "400000"}
    async with Tree(short_path, environ, processes=("watchdog",)) as tree:
        await systemd.hears("READY=1")
        supervisord = tree.family()[0]
        supervisord.suspend()
        await tree.until(lambda: "supervisord did not answer within 2 s" in tree.log(), 10, "it is noticed")
        systemd.listen()
        await asyncio.sleep(1)
        assert systemd.listen() == []
        supervisord.resume()
        await systemd.hears("WATCHDOG=1", within_s=5)
        assert systemd.heard.count("READY=1") == 1


async def test_a_stopped_watchdog_does_not_stop_the_service(short_path: Path, systemd: Systemd) -> None:
    """STOPPING=1 would make systemd end everything."""
    async with Tree(short_path, {"NOTIFY_SOCKET": str(systemd.path)}, processes=("watchdog",)) as tree:
        await systemd.hears("READY=1")
        await tree.supervisorctl("stop", "watchdog")
        assert "STOPPING=1" not in systemd.listen()


async def test_one_that_an_operator_stopped_does_not_hold_readiness_back(short_path: Path, systemd: Systemd) -> None:
    """The others work; a service that never gets ready would be killed by systemd."""
    async with Tree(short_path, {"NOTIFY_SOCKET": str(systemd.path)}, processes=("watchdog", "collector")) as tree:
        await tree.supervisorctl("stop", "collector")
        await systemd.hears("READY=1")
        await systemd.hears("STATUS=collector stopped")


async def test_systemctl_status_says_why_one_is_not_started(short_path: Path, systemd: Systemd) -> None:
    """Wrong settings that show only when the process opens its files; the words do not change with each countdown."""
    async with Tree(short_path, {"NOTIFY_SOCKET": str(systemd.path)}, processes=("watchdog", "api")) as tree:
        await systemd.hears("READY=1")
        tree.order("api", "misconfigured")
        reason = "it ended with status 78: its settings are wrong, and only the operator can mend them"
        await systemd.hears(f"STATUS=api quarantined: {reason}")


@pytest.mark.parametrize(
    ("environ", "interval_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, None),
        ({"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "30000000"}, None),
        ({"NOTIFY_SOCKET": "set", "WATCHDOG_USEC": "30000000"}, 15.0),
        ({"NOTIFY_SOCKET": "set", "WATCHDOG_USEC": "soon"}, None),
        ({"NOTIFY_SOCKET": "set", "WATCHDOG_USEC": "0"}, None),
    ],
)
def test_the_interval_is_half_of_what_systemd_allows(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], interval_s: float | None
) -> None:
    """And there is none where nobody listens."""
    if environ.get("NOTIFY_SOCKET"):
        environ = {**environ, "NOTIFY_SOCKET": str(systemd.path)}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    notifier = Notifier(environ)
    assert notifier.interval_s == interval_s
    notifier.close()


def test_what_systemd_did_not_take_is_said_again(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its queue was full as all were ready: without READY=1 the service would be killed as never started."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(systemd.path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as crowd:
        crowd.setblocking(False)
        crowd.connect(str(systemd.path))
        with pytest.raises(BlockingIOError):
            for _ in range(10_000):
                crowd.send(b"STATUS=of another")
    notifier, registry = Notifier({"NOTIFY_SOCKET": "set"}), Registry(time.monotonic)
    notifier.round_made([], registry, has_looked=True)
    assert "READY=1" not in systemd.listen()
    for _ in range(2):
        notifier.round_made([], registry, has_looked=True)
    assert systemd.listen() == ["READY=1", "STATUS=all ready"]
    notifier.close()
