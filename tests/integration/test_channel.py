from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import uvloop

from ipc import channel
from ipc.channel import Connection, Door, ask, connect, connections
from ipc.errors import SettingsError, Unavailable, WireError
from ipc.framing import frame
from ipc.messages import Ack, AnyMessage, Batch, Collect, CycleStarted, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path


async def echo(connection: Connection, message: AnyMessage) -> None:
    """Acknowledge a batch, as the analyzer does."""
    assert isinstance(message, Batch)
    await connection.send(Ack(seq=message.seq))


@pytest.fixture
def path(short_path: Path) -> Path:
    """Return where the door of a test stands."""
    return short_path / "run" / "analyzer.sock"


async def raw(path: Path, data: bytes, *, then_close: bool = True) -> bytes:
    """Send bytes that no client of ours would send; return what the door answers before it closes."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(data)
    if then_close:
        writer.write_eof()
    try:
        async with asyncio.timeout(2):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def test_a_message_arrives_and_is_answered(path: Path) -> None:
    """The simplest conversation."""
    async with Door(path, Batch, echo):
        assert await ask(path, Batch(seq=7, items=()), 1) == Ack(seq=7)


async def test_the_door_is_private(path: Path) -> None:
    """The folder is 0700 and the socket 0600 from its first moment."""
    async with Door(path, Batch, echo):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x00",
        frame(encode(Batch(seq=1, items=())))[:-1],
        frame(b"\x02" + encode(Ack(seq=1))[1:]),
        frame(encode(Collect())),
        os.urandom(4096),
    ],
    ids=["http", "oversized", "empty", "half a frame", "version", "another door's message", "noise"],
)
async def test_garbage_closes_its_connection_and_no_other(path: Path, data: bytes) -> None:
    """A second client never notices; the door goes on."""
    async with Door(path, Batch, echo):
        good = await connect(path)
        assert await raw(path, data) == b""
        await good.send(Batch(seq=1, items=()))
        assert await anext(good.messages()) == Ack(seq=1)
        await good.close()


async def test_a_peer_that_stops_reading_is_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs the sender a bounded wait, and no other connection anything."""
    monkeypatch.setattr(channel, "SEND_TIMEOUT_S", 0.2)
    closed = asyncio.Event()

    async def flood(connection: Connection, _message: AnyMessage) -> None:
        try:
            while True:
                await connection.send(CycleStarted(cycle_id="x" * 100_000))
        except WireError:
            closed.set()
            raise

    async with Door(path, Batch, flood):
        _reader, writer = await asyncio.open_unix_connection(path, limit=1024)
        writer.write(frame(encode(Batch(seq=1, items=()))))
        async with asyncio.timeout(5):
            await closed.wait()
        writer.close()


async def test_half_a_frame_may_not_wait_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence between frames is allowed, within one it is not."""
    monkeypatch.setattr(channel, "HALF_FRAME_TIMEOUT_S", 0.1)
    async with Door(path, Batch, echo):
        idle = await connect(path)
        assert await raw(path, b"\x00\x00\x00\x10half", then_close=False) == b""
        await idle.send(Batch(seq=3, items=()))
        assert await anext(idle.messages()) == Ack(seq=3)
        await idle.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user to knock at the door")
async def test_another_user_is_turned_away_by_the_kernels_word(path: Path) -> None:
    """Even where somebody opened the folder and the socket to all."""
    knock = f"""
import os, socket
os.setuid(65534)
peer = socket.socket(socket.AF_UNIX)
peer.connect({str(path)!r})
peer.settimeout(5)
try:
    peer.sendall({frame(encode(Batch(seq=1, items=())))!r})
    answer = peer.recv(100)
except (BrokenPipeError, ConnectionResetError):
    answer = b""
print("answered" if answer else "turned away")
"""
    async with Door(path, Batch, echo):
        for place in (path.parent.parent, path.parent, path):
            place.chmod(0o777)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", "-c", knock, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await child.communicate()
        assert await ask(path, Batch(seq=2, items=()), 1) == Ack(seq=2)
    assert said == b"turned away\n"


async def test_too_many_connections_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of this boundary; those that are there stay."""
    monkeypatch.setattr(channel, "MAX_CONNECTIONS", 2)
    async with Door(path, Batch, echo):
        held = [await connect(path) for _ in range(2)]
        with pytest.raises((Unavailable, WireError)):
            await ask(path, Batch(seq=1, items=()), 1)
        await held[0].send(Batch(seq=2, items=()))
        assert await anext(held[0].messages()) == Ack(seq=2)
        for connection in held:
            await connection.close()


async def test_a_stale_socket_is_replaced_and_a_served_one_is_not(path: Path) -> None:
    """Only a refused connect shows that nobody is there."""
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with Door(path, Batch, echo):
        with pytest.raises(Unavailable, match="served by another process"):
            async with Door(path, Batch, echo):
                pass
        assert await ask(path, Batch(seq=1, items=()), 1) == Ack(seq=1)


async def test_a_path_over_the_limit_is_refused_in_words(short_path: Path) -> None:
    """The kernel would say "AF_UNIX path too long" and nothing about what to do."""
    with pytest.raises(SettingsError, match="SENTIMENTAGENT_HOME"):
        async with Door(short_path / ("x" * 120), Batch, echo):
            pass


async def test_a_runtime_folder_that_others_may_enter_is_closed_to_them(path: Path) -> None:
    """A folder made by hand is usually 0755."""
    path.parent.mkdir(mode=0o755)
    async with Door(path, Batch, echo):
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_asking_nobody_is_unavailable(path: Path) -> None:
    """The answer names the door, so that a reader knows which process is away."""
    with pytest.raises(Unavailable, match="analyzer.sock"):
        await ask(path, Batch(seq=1, items=()), 1)


async def test_asking_one_who_never_answers_is_bounded(path: Path) -> None:
    """A stopped process keeps its socket open."""

    async def silent(_connection: Connection, _message: AnyMessage) -> None:
        return

    async with Door(path, Batch, silent):
        with pytest.raises(Unavailable, match=r"within 0\.1 s"):
            await ask(path, Batch(seq=1, items=()), 0.1)


async def test_a_client_finds_its_server_when_it_comes_and_comes_again(path: Path) -> None:
    """Every process starts without the others."""
    seen = 0

    async def client() -> None:
        nonlocal seen
        async for connection in connections(path):
            with suppress(WireError, OSError):
                await connection.send(Batch(seq=1, items=()))
                async for _ in connection.messages():
                    seen += 1
            await connection.close()

    task = asyncio.create_task(client())
    for expected in (1, 2):
        async with asyncio.timeout(5), Door(path, Batch, echo):
            while seen < expected:
                await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_failing_handler_ends_its_owner(path: Path) -> None:
    """No task lives outside a group: a door whose handler has a bug is a dead process, and is started again."""

    async def broken(_connection: Connection, _message: AnyMessage) -> None:
        raise ZeroDivisionError

    with pytest.raises(BaseExceptionGroup) as caught:
        async with asyncio.timeout(5), Door(path, Batch, broken):
            with suppress(Unavailable):
                await ask(path, Batch(seq=1, items=()), 1)
            await asyncio.sleep(5)
    assert caught.value.subgroup(ZeroDivisionError) is not None
    assert not path.exists()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_sending_to_a_peer_that_is_gone_is_a_wire_error(
    path: Path, run: Callable[[Coroutine[object, None, None]], None]
) -> None:
    """With uvloop it was a RuntimeError: to acknowledge to a collector that had just been killed ended the analyzer."""
    held: list[Connection] = []
    outcomes: list[WireError] = []

    async def hold(connection: Connection, _message: AnyMessage) -> None:
        held.append(connection)

    async def scene() -> None:
        async with Door(path, Batch, hold):
            peer = await connect(path)
            await peer.send(Batch(seq=1, items=()))
            while not held:
                await asyncio.sleep(0.01)
            await peer.close()
            for _ in range(5):
                await asyncio.sleep(0.05)
                try:
                    await held[0].send(Ack(seq=1))
                except WireError as error:
                    outcomes.append(error)

    run(scene())
    assert outcomes
