"""supervisord's XML-RPC over its Unix socket: a raw POST each call, every call bounded in time.

Any call also makes supervisord's main loop turn, which otherwise ticks once a second: a process
that has died is then replaced in 13 to 20 ms instead of up to 1026 (measured). Nothing here
decides anything.
"""

from __future__ import annotations

import asyncio
import xmlrpc.client
from typing import TYPE_CHECKING, Any, Final
from xml.parsers.expat import ExpatError

import msgspec

from ipc.errors import SentimentAgentError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The slowest of the calls below took 12 ms (p50); a second more than the tick is a hung supervisord.
TIMEOUT_S: Final = 2.0
#: All states of a dozen programs are 10 kB. Chosen, not measured.
_MAX_ANSWER_BYTES: Final = 1024 * 1024

SHUTDOWN_STATE: Final = 6
ALREADY_STARTED: Final = 60
NOT_RUNNING: Final = 70
#: Faults in words, by supervisor's xmlrpc.py.
_FAULTS: Final = {
    SHUTDOWN_STATE: "supervisord stops everything",
    10: "supervisord has no program of this name",
    20: "the program's file does not exist",
    21: "the program's file can't be executed",
    30: "supervisord could not do it",
    40: "it ended while it was starting",
    50: "it could not be started",
    ALREADY_STARTED: "it was already started",
    NOT_RUNNING: "it was not running",
}


class Refused(SentimentAgentError):
    """supervisord answered with a fault: ``code`` is its number, the text says it in words."""

    def __init__(self, code: int) -> None:
        super().__init__(_FAULTS.get(code, f"supervisord answered fault {code}"))
        self.code = code


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What supervisord says of one program."""

    name: str
    group: str
    statename: str
    #: 0 while none lives.
    pid: int
    #: Negative after a signal; 0 also while it runs.
    exitstatus: int


class Supervisor:
    """A supervisord, by the path of its socket. Holds no connection: one call, one connection."""

    def __init__(self, socket: str, timeout_s: float = TIMEOUT_S) -> None:
        self.socket = socket
        self._timeout_s = timeout_s
        self._full_names: dict[str, str] = {}

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Supervisor | None:
        """Return the supervisord that started this process, as it told its child; None when none did."""
        url = environ.get("SUPERVISOR_SERVER_URL", "")
        return cls(url.removeprefix("unix://")) if url.startswith("unix://") else None

    async def programs(self) -> dict[str, Program]:
        """Return what supervisord says of every program, by name.

        Raises:
            Unavailable: it does not answer.
            Refused: it stops everything (code 6).

        """
        answer = await self._call("supervisor.getAllProcessInfo")
        programs = [_program(each) for each in answer]
        self._full_names = {program.name: f"{program.group}:{program.name}" for program in programs}
        return {program.name: program for program in programs}

    async def program(self, name: str) -> Program:
        """Return what supervisord says of one program. Raises as :meth:`programs`."""
        return _program(await self._call("supervisor.getProcessInfo", self._full(name)))

    async def start(self, name: str) -> None:
        """Start a program and do not wait for it. Raises as :meth:`programs`."""
        await self._call("supervisor.startProcess", self._full(name), False)

    async def stop(self, name: str) -> None:
        """Begin to stop a program: its signal now, SIGKILL after its stopwaitsecs. Raises as :meth:`programs`."""
        await self._call("supervisor.stopProcess", self._full(name), False)

    async def pid(self) -> int:
        """Return supervisord's own pid. Raises as :meth:`programs`."""
        return int(await self._call("supervisor.getPID"))

    def _full(self, name: str) -> str:
        # "group:name" names a program whether or not it stands in a [group:x] section.
        return self._full_names.get(name, name)

    async def _call(self, method: str, *arguments: str | bool) -> Any:  # noqa: ANN401 - whatever the method returns
        body = xmlrpc.client.dumps(arguments, method).encode()
        head = f"POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._exchange(head.encode() + body)
        except TimeoutError as error:
            raise Unavailable(f"supervisord did not answer within {self._timeout_s:g} s") from error
        except OSError as error:
            raise Unavailable(f"supervisord can't be reached: {error.strerror or error}") from error
        return _result(answer)

    async def _exchange(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self.socket)
        try:
            writer.write(request)
            answer = b""
            while len(answer) < _MAX_ANSWER_BYTES and (data := await reader.read(_MAX_ANSWER_BYTES)):
                answer += data
            return answer
        finally:
            writer.transport.abort()


def _result(answer: bytes) -> Any:  # noqa: ANN401 - whatever the method returns
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if len(status) < 2 or status[1] != b"200":  # noqa: PLR2004 - a status line has at least two words
        raise Unavailable(f"supervisord answered {head[:60]!r}")
    try:
        (result,), _ = xmlrpc.client.loads(body)
    except xmlrpc.client.Fault as fault:
        raise Refused(fault.faultCode) from fault
    except (ExpatError, xmlrpc.client.Error, ValueError) as error:
        raise Unavailable(f"supervisord answered something else than XML-RPC: {error}") from error
    return result


def _program(answer: dict[str, Any]) -> Program:
    try:
        return msgspec.convert(answer, Program)
    except msgspec.ValidationError as error:
        raise Unavailable(f"supervisord answered something unknown: {error}") from error
