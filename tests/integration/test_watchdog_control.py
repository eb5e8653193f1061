from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from harness.hands import DEAF, hands

from ipc.errors import Unavailable
from watchdog.control import Control
from watchdog.supervisor import Refused, Supervisor


async def test_a_restart_ends_the_process_and_another_takes_its_place(short_path: Path) -> None:
    """Gracefully; supervisord itself starts the next one, at once."""
    async with hands(short_path) as both:
        process = await both.process()
        outcome = await both.control.restart("victim", process, grace_s=5)
        assert outcome.is_done
        assert outcome.words.startswith(f"SIGTERM; process {process.pid} ended after 0.")
        assert outcome.new_pid not in {None, process.pid}
        program = await both.until(lambda each: each.statename == "RUNNING")
        assert program.pid == outcome.new_pid
        process.close()


async def test_a_process_that_does_not_listen_is_killed_after_its_grace(short_path: Path) -> None:
    """And not before."""
    async with hands(short_path, DEAF) as both:
        process = await both.process()
        outcome = await both.control.restart("victim", process, grace_s=0.3)
        assert outcome.is_done
        assert outcome.words.startswith(f"SIGTERM, and SIGKILL after 0.3 s; process {process.pid} ended after 0.3")
        process.close()


async def test_a_stopped_process_is_killed_at_once(short_path: Path) -> None:
    """It would take no SIGTERM before a SIGCONT."""
    async with hands(short_path) as both:
        process = await both.process()
        process.signal(signal.SIGSTOP)
        outcome = await both.control.restart("victim", process, grace_s=0)
        assert outcome.is_done
        assert outcome.words.startswith(f"SIGKILL; process {process.pid} ended after 0.0")
        process.close()


async def test_an_operators_stop_is_not_fought(short_path: Path) -> None:
    """Once supervisord is stopping it for somebody, nothing is done."""
    async with hands(short_path, DEAF) as both:
        process = await both.process()
        await both.supervisor.stop("victim")
        outcome = await both.control.restart("victim", process, grace_s=5)
        assert (outcome.is_done, outcome.words) == (
            False,
            f"left alone: supervisord says STOPPING, pid {process.pid}",
        )
        assert not process.died.is_set()
        process.close()


async def test_a_stop_that_comes_during_a_restart_is_respected(short_path: Path) -> None:
    """The grace runs when the operator stops it: it ends STOPPED, and stays so."""
    async with hands(short_path, DEAF) as both:
        process = await both.process()
        restart = asyncio.create_task(both.control.restart("victim", process, grace_s=0.5))
        await asyncio.sleep(0.1)
        await both.supervisor.stop("victim")
        outcome = await restart
        assert not outcome.is_done
        assert outcome.words.endswith("no new process: supervisord says STOPPED")
        process.close()


async def test_what_supervisord_does_not_start_again_is_started(short_path: Path) -> None:
    """With autorestart=false, or an exit status that was expected, it would stay EXITED."""
    async with hands(short_path, autorestart="false") as both:
        process = await both.process()
        outcome = await both.control.restart("victim", process, grace_s=5)
        assert outcome.is_done
        assert outcome.words.endswith(f"started as process {outcome.new_pid}")
        process.close()


async def test_wrong_settings_are_not_started_again(short_path: Path) -> None:
    """Status 78 stays down."""
    async with hands(short_path, "raise SystemExit(78)") as both:
        await both.until(lambda each: each.statename == "EXITED")
        outcome = await both.control.replacement("victim", 0)
        assert (outcome.is_done, outcome.words) == (False, "no new process: supervisord says EXITED")


async def test_a_crash_loop_is_stopped_against_supervisords_own_restarts(short_path: Path) -> None:
    """It passes through EXITED and STARTING all the time; STOPPED is where it stays."""
    async with hands(short_path) as both:
        await both.supervisor.programs()
        await both.supervisor.start("loop")
        outcome = await both.control.stop("loop")
        assert outcome.is_done
        assert (await both.supervisor.program("loop")).statename == "STOPPED"
        assert (await both.control.stop("loop")).is_done, "stopped already is stopped"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nobody", "supervisord has no program of this name"),
        ("missing", "the program's file does not exist"),
    ],
)
async def test_what_supervisord_refuses_is_said_in_words(short_path: Path, name: str, words: str) -> None:
    """Its faults are numbers."""
    async with hands(short_path) as both:
        await both.supervisor.programs()
        outcome = await both.control.start(name)
        assert (outcome.is_done, outcome.words) == (False, words)


async def test_a_start_of_what_runs_is_no_failure(short_path: Path) -> None:
    """Somebody else was first."""
    async with hands(short_path) as both:
        process = await both.process()
        outcome = await both.control.start("victim")
        assert (outcome.is_done, outcome.new_pid) == (True, process.pid)
        process.close()


async def test_a_hung_supervisord_ends_every_call_in_time(short_path: Path) -> None:
    """It accepts connections in the kernel and answers nobody."""
    async with hands(short_path) as both:
        impatient = Supervisor(both.supervisor.socket, timeout_s=0.1)
        both.supervisord.send_signal(signal.SIGSTOP)
        with pytest.raises(Unavailable, match=r"did not answer within 0\.1 s"):
            await impatient.programs()
        assert (await Control(impatient).start("victim")).words == "supervisord did not answer within 0.1 s"


async def test_a_supervisord_that_stops_everything_says_so(short_path: Path) -> None:
    """Then nobody's end is a crash."""
    async with hands(short_path, DEAF) as both:
        process = await both.process()
        both.supervisord.send_signal(signal.SIGTERM)
        with pytest.raises(Refused, match="supervisord stops everything") as caught:
            await both.until(lambda _: False)
        assert caught.value.code == 6
        process.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "supervisord answered b''"),
        (b"HTTP/1.0 401 Unauthorized\r\n\r\n", "supervisord answered b'HTTP/1.0 401 Unauthorized'"),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", "supervisord answered something else than XML-RPC"),
        (b"HTTP/1.0 200 OK\r\n\r\n<methodResponse/>", "supervisord answered something else than XML-RPC"),
    ],
)
async def test_whoever_answers_nonsense_is_no_supervisord(short_path: Path, answer: bytes, words: str) -> None:
    """An error that says what came, and never an exception of a parser."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"</methodCall>")
        writer.write(answer)
        writer.close()

    path = short_path / "s.sock"
    async with await asyncio.start_unix_server(serve, path):
        with pytest.raises(Unavailable) as caught:
            await Supervisor(str(path)).programs()
    assert str(caught.value).startswith(words)


def test_supervisord_is_found_where_it_told_its_children() -> None:
    """Without it, or on TCP, there is none."""
    assert Supervisor.of_environment({}) is None
    assert Supervisor.of_environment({"SUPERVISOR_SERVER_URL": "http://localhost:9001"}) is None
    supervisor = Supervisor.of_environment({"SUPERVISOR_SERVER_URL": "unix:///run/s.sock"})
    assert supervisor is not None
    beside = Path(sys.executable).parent / "supervisorctl"
    assert Control(supervisor).supervisorctl == f"{beside} -s unix:///run/s.sock"
    assert Control(Supervisor("/srv/two words/s.sock")).supervisorctl == f"{beside} -s 'unix:///srv/two words/s.sock'"
