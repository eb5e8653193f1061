"""The channel: messages in frames over Unix stream sockets between processes of one user.

:class:`Door` serves a socket; :func:`connections` keeps a client connected; :func:`ask` is one
question and its answer. What goes wrong on one connection (garbage, an oversized length, half a
frame, a peer that stops reading) closes that connection, is logged once, and costs no other one
anything.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import stat
import struct
import time
from typing import TYPE_CHECKING, Final, Self

from ipc import logs
from ipc.errors import SettingsError, Unavailable, WireError
from ipc.framing import Deframer, frame
from ipc.messages import AnyMessage, decode, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path
    from types import TracebackType

_log = logs.log(__name__)

#: unix(7): sun_path holds 108 bytes with its closing NUL.
MAX_PATH_BYTES: Final = 107
#: A peer that takes nothing for this long has stopped reading. Chosen, not measured.
SEND_TIMEOUT_S: Final = 10.0
#: The rest of a begun frame must come within this. Chosen, not measured.
HALF_FRAME_TIMEOUT_S: Final = 10.0
#: More clients than this at one door are refused; the system itself has five at most.
MAX_CONNECTIONS: Final = 64
_READ_BYTES: Final = 256 * 1024
_FIRST_DELAY_S: Final = 0.05
_LONGEST_DELAY_S: Final = 2.0


class Connection:
    """One connected peer: send a message, receive the next."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._deframer = Deframer()
        self._received: list[AnyMessage] = []

    async def send(self, message: AnyMessage) -> None:
        """Send one message; return when the kernel has taken enough of it.

        Backpressure: waits while the peer reads slowly, up to :data:`SEND_TIMEOUT_S`.

        Raises:
            WireError: the peer stopped reading, or is gone.

        """
        if self._writer.is_closing():  # uvloop's transport would raise a RuntimeError
            raise WireError("the peer is gone")
        self._writer.write(frame(encode(message)))
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._writer.drain()
        except TimeoutError as error:
            self.abort()
            raise WireError(f"the peer read nothing for {SEND_TIMEOUT_S:g} s") from error
        except OSError as error:
            raise WireError(f"the peer is gone: {error}") from error

    async def messages(self) -> AsyncIterator[AnyMessage]:
        """Yield each message until the peer closes.

        Raises:
            WireError: what came is not ours, or ended within a frame.

        """
        while data := await self._read():
            for payload in self._deframer.feed(data):
                yield decode(payload)
        if not self._deframer.is_between_frames:
            raise WireError("the peer closed within a frame")

    async def _read(self) -> bytes:
        # Between frames a peer may be silent for as long as it likes; within one it may not.
        limit_s = None if self._deframer.is_between_frames else HALF_FRAME_TIMEOUT_S
        try:
            async with asyncio.timeout(limit_s):
                return await self._reader.read(_READ_BYTES)
        except TimeoutError as error:
            raise WireError(f"half a frame, then nothing for {HALF_FRAME_TIMEOUT_S:g} s") from error
        except OSError as error:
            raise WireError(f"the peer is gone: {error}") from error

    def abort(self) -> None:
        """Close at once; what the peer did not read is dropped."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close after what was sent; never raises."""
        self._writer.close()
        try:
            async with asyncio.timeout(1):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self.abort()


class Door:
    """A served Unix socket. An async context manager: open while inside.

    ``on_message(connection, message)`` is awaited for each message of a connection, in order; while
    it runs, nothing more is read from that connection (the backpressure of this boundary). A message
    of a kind that this door does not take is a :class:`WireError` like any other garbage.
    """

    def __init__(
        self,
        path: Path,
        takes: type[AnyMessage] | tuple[type[AnyMessage], ...],
        on_message: Callable[[Connection, AnyMessage], Awaitable[None]],
    ) -> None:
        self._path = path
        self._takes = takes
        self._on_message = on_message
        self._served: set[asyncio.Task[None]] = set()
        self._tasks = asyncio.TaskGroup()
        self._server: asyncio.Server | None = None
        self._inode: tuple[int, int] | None = None

    async def __aenter__(self) -> Self:
        """Bind the socket.

        Raises:
            SettingsError: the path is too long, or its folder is not private to this user.
            Unavailable: another process serves it.

        """
        check_path(self._path)
        _check_folder(self._path.parent)
        _remove_stale(self._path)
        listener = _bind(self._path)
        status = self._path.stat()
        self._inode = (status.st_dev, status.st_ino)
        await self._tasks.__aenter__()
        self._server = await asyncio.start_unix_server(self._begin, sock=listener)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening, end every connection, remove the socket if it is still ours."""
        if self._server:
            self._server.close()
        for task in self._served:
            task.cancel()
        try:
            await self._tasks.__aexit__(kind, error, trace)
        finally:
            self._remove()

    def _remove(self) -> None:
        try:
            status = self._path.stat()
            if (status.st_dev, status.st_ino) == self._inode:
                self._path.unlink()
        except FileNotFoundError:
            pass

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._tasks.create_task(self._serve(reader, writer), name=f"connection to {self._path.name}")
        self._served.add(task)
        task.add_done_callback(self._served.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        try:
            self._admit(writer)
            async for message in connection.messages():
                if not isinstance(message, self._takes):
                    raise WireError(f"a {type(message).__name__} at the door {self._path.name}")  # noqa: TRY301
                await self._on_message(connection, message)
        except WireError as error:
            _log.warning("Connection closed", door=self._path.name, reason=str(error))
        finally:
            await connection.close()

    def _admit(self, writer: asyncio.StreamWriter) -> None:
        if len(self._served) > MAX_CONNECTIONS:
            raise WireError(f"more than {MAX_CONNECTIONS} connections")
        uid = peer_uid(writer.get_extra_info("socket"))
        if uid not in {os.getuid(), 0}:
            raise WireError(f"the peer is user {uid}: only user {os.getuid()} and root may connect")


async def connect(path: Path) -> Connection:
    """Connect to the door at ``path``.

    Raises:
        OSError: nobody serves it.
        SettingsError: the path is too long for a Unix socket.

    """
    check_path(path)
    return Connection(*await asyncio.open_unix_connection(path))


async def connections(path: Path) -> AsyncIterator[Connection]:
    """Yield a fresh connection each time the caller has done with the last one; never ends.

    Between two tries it waits with a jittered, doubling delay (0.05 to 2 s); a connection that lasted
    longer than that resets it.
    """
    delay_s = _FIRST_DELAY_S
    while True:
        try:
            connection = await connect(path)
        except OSError:
            pass
        else:
            began_s = time.monotonic()
            yield connection
            if time.monotonic() - began_s > _LONGEST_DELAY_S:
                delay_s = _FIRST_DELAY_S
        await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
        delay_s = min(delay_s * 2, _LONGEST_DELAY_S)


async def ask(path: Path, question: AnyMessage, timeout_s: float) -> AnyMessage:
    """Send one message on a connection of its own and return the first answer.

    Raises:
        Unavailable: nobody serves the door, or no answer came within ``timeout_s``.
        WireError: what answered does not speak our messages.

    """
    try:
        async with asyncio.timeout(timeout_s):
            connection = await connect(path)
            try:
                await connection.send(question)
                async for answer in connection.messages():
                    return answer
            finally:
                await connection.close()
    except TimeoutError as error:
        raise Unavailable(f"{path.name} did not answer within {timeout_s:g} s") from error
    except OSError as error:
        raise Unavailable(f"{path.name} is not served: {error.strerror}") from error
    raise Unavailable(f"{path.name} closed without an answer")


def check_path(path: Path) -> None:
    """Refuse a path that does not fit into a socket address, in words."""
    length = len(os.fsencode(path))
    if length > MAX_PATH_BYTES:
        raise SettingsError(
            f"the socket path {path} has {length} bytes, and Unix sockets allow {MAX_PATH_BYTES}:"
            " choose a shorter SENTIMENTAGENT_HOME or SENTIMENTAGENT_RUN_DIR"
        )


def peer_uid(peer: socket.socket) -> int:
    """Return the user of the process at the other end, as the kernel knows it (SO_PEERCRED)."""
    layout = struct.Struct("3i")
    _pid, uid, _gid = layout.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size))
    return int(uid)


def _check_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.getuid():
        raise SettingsError(f"the runtime folder {folder} belongs to user {status.st_uid}, not to us ({os.getuid()})")
    if stat.S_IMODE(status.st_mode) & 0o077:
        folder.chmod(0o700)


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody serves: only a refused connect shows that."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(os.fspath(path))
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise Unavailable(f"{path} can't be examined: {error}") from error
    raise Unavailable(f"{path} is served by another process")


def _bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # fchmod before bind is what Linux applies to the socket file, with no moment in which it is open to others.
    os.fchmod(listener.fileno(), 0o600)
    listener.bind(os.fspath(path))
    listener.setblocking(False)
    return listener
