"""Looking from outside at an API that answers, hangs, lies, or is not there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from harness.mailbox import Mailbox, free_port, serving

from ipc.errors import Unavailable
from ipc.settings import MailSettings
from watchdog import onlooker, tellers, web
from watchdog.watch_command import watch

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent


class FakeApi:
    """Answers every request with what is set, or does something worse."""

    def __init__(self) -> None:
        self.status = 200
        self.body: bytes = b""
        #: Sent, byte by byte, for ever.
        self.drips = False
        self.asked: list[str] = []
        self.says("healthy")

    def says(self, status: str, *reasons: str, **fields: Any) -> None:  # noqa: ANN401 - any field of health
        """Answer with a health of this status."""
        self.status = 503 if status == "unhealthy" else 200
        self.body = json.dumps({"status": status, "reasons": reasons, **fields}).encode()

    @contextmanager
    def at(self, port: int = 0) -> Iterator[str]:
        """Serve; yield the address."""
        fake, end = self, threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.asked.append(self.path)
                self.send_response(fake.status)
                self.end_headers()
                if fake.drips:
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    end.wait(5)
                self.wfile.write(fake.body)

            def log_message(self, *_call: object) -> None:
                """Print nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            end.set()
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """Give the test run its handlers back: the command takes them for its process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def api() -> FakeApi:
    """Return an API that is well."""
    return FakeApi()


@pytest.mark.parametrize(
    ("status", "exit_status"), [("healthy", 0), ("degraded", 1), ("unhealthy", 2)], ids=["0", "1", "2"]
)
def test_once_is_one_line_and_an_exit_status(api: FakeApi, status: str, exit_status: int) -> None:
    """For cron and for other monitors; a 503 with the same object is read as well."""
    api.says(status, "a reason", processes={"api": {"memory_mb": 47.2}, "collector": None})
    with api.at() as url:
        done = CliRunner().invoke(watch, ["--once", "--api-url", url])
    assert done.exit_code == exit_status
    lines = done.output.splitlines()
    assert f"{status:<11} memory api 47 MB, collector not measured; a reason" in lines[0]
    assert len(lines) == (1 if status == "healthy" else 2)
    assert api.asked == ["/api/v1/health"]


def test_a_backend_of_one_process_is_understood(api: FakeApi) -> None:
    """The health object before this system's had one process only."""
    api.says("healthy", process={"memory_mb": 245.3, "pid": 1}, database={"connected": True})
    with api.at() as url:
        seen = onlooker.look(f"{url}/api/v1/health", 1)
    assert (seen.status, seen.memory_mb) == ("healthy", {"api": 245.3})


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"<html>Bad gateway</html>", 502, "answered 502, and that is no health"),
        (b'{"status": "fine"}', 200, "no health"),
        (b"", 200, "no health"),
        (b" " * (web.MAX_ANSWER_BYTES + 1), 200, "gave no HTTP answer"),
    ],
    ids=["proxy", "another word", "empty", "endless"],
)
def test_what_is_no_health_is_unreachable(api: FakeApi, body: bytes, status: int, says: str) -> None:
    """A proxy's page with 200 is not a healthy system."""
    api.body, api.status = body, status
    with api.at() as url:
        seen = onlooker.look(url, 2, again_after_s=0)
    assert seen.status == "unreachable"
    assert says in seen.reasons[0]
    assert len(api.asked) == 2


def test_an_answer_that_drips_ends_in_time(api: FakeApi) -> None:
    """A limit for each read would never be reached."""
    api.drips = True
    with api.at() as url:
        began_s = time.monotonic()
        with pytest.raises(Unavailable, match="did not answer within 0.3 s"):
            web.get(url, 0.3)
    assert time.monotonic() - began_s < 2


def test_only_web_addresses_are_asked(tmp_path: Path) -> None:
    """An address is no way to read a file."""
    with pytest.raises(Unavailable, match="no http or https"):
        web.get(f"file://{tmp_path}", 1)


def test_a_proxy_of_the_environment_is_not_asked(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """The health of this machine is not to be had from another one."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with api.at() as url:
        assert onlooker.look(url, 1).status == "healthy"


def test_a_moment_without_an_api_is_no_change(api: FakeApi) -> None:
    """A restarted API is away for half a second: it is looked at twice."""
    port = free_port()
    seen: list[onlooker.Look] = []
    looker = threading.Thread(target=lambda: seen.append(onlooker.look(f"http://127.0.0.1:{port}", 1, 0.5)))
    looker.start()
    time.sleep(0.1)
    with api.at(port):
        looker.join()
    assert seen[0].status == "healthy"


def test_it_goes_on_while_the_api_is_away_and_ends_when_asked(api: FakeApi, tmp_path: Path) -> None:
    """A line a look, a line a change, a command for each change, and exit status 0 at the end."""
    port, told = free_port(), tmp_path / "told"
    script = tmp_path / "tell"
    script.write_text(f'#!/bin/sh\necho "$WATCH_BEFORE>$WATCH_STATUS $(cat)" >>{told}\n')
    script.chmod(0o755)
    command = [str(BIN / "sentimentagent"), "watch", "--interval", "1", "--api-url", f"http://127.0.0.1:{port}"]
    with subprocess.Popen([*command, "--alert-command", str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert " unreachable " in process.stdout.readline()
        assert " CHANGED from not looked at to unreachable: " in process.stdout.readline()
        api.says("degraded", "analyzer is down")
        with api.at(port):
            while " degraded " not in (line := process.stdout.readline()):
                assert " unreachable " in line
            assert " CHANGED from unreachable to degraded: analyzer is down" in process.stdout.readline()
            assert " degraded " in process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) == 0
    first, second = told.read_text().splitlines()
    assert first.startswith(">unreachable ")
    assert second.startswith("unreachable>degraded ")
    assert second.endswith("CHANGED from unreachable to degraded: analyzer is down")


LOOKS = [
    onlooker.Look(at_utc=0.0, status="degraded", reasons=("reason 0",)),
    onlooker.Look(at_utc=1.0, status="unhealthy", reasons=("reason 1",)),
]


def test_mails_wait_for_their_server_and_come_in_order() -> None:
    """What could not be sent is sent at a later round."""
    port, box = free_port(), Mailbox()
    settings = MailSettings(
        smtp_host="127.0.0.1",
        smtp_port=port,
        smtp_security="none",
        smtp_timeout_s=1,
        alert_from="a@example.org",
        alert_to=("b@example.org",),
    )
    teller = tellers.Mail(settings)
    for look in LOOKS:
        teller.tell(None, look, "words")
        (failure,) = teller.round()
        assert "the mail is kept" in failure
    with serving(box, port=port):
        assert list(teller.round()) == []
        assert list(teller.round()) == []
    assert [str(letter["Subject"]).rpartition(" ")[2] for letter in box.letters] == ["0", "1"]


@pytest.mark.parametrize(
    ("command", "says"),
    [("false", "ended with 1"), ("/no/such/program", "No such file"), ("sleep 9", "timed out after")],
)
def test_a_command_that_fails_is_said_to_have_failed(command: str, says: str) -> None:
    """And stops nobody from looking on."""
    teller = tellers.Command(command, limit_s=0.2)
    teller.tell(None, LOOKS[0], "words")
    (failure,) = teller.round()
    assert says in failure
    assert list(teller.round()) == []


def test_mail_without_a_server_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not at three in the morning."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(tmp_path))
    done = CliRunner().invoke(watch, ["--once", "--mail"])
    assert done.exit_code == 78
    assert "SMTP_HOST" in done.output


def test_settings_are_not_needed_where_an_address_is_given(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine has none; a broken file there is no reason to be blind."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(tmp_path))
    (tmp_path / ".env").write_text("API_PORTS=1\n")
    with api.at() as url:
        assert CliRunner().invoke(watch, ["--once", "--api-url", url]).exit_code == 0
    assert CliRunner().invoke(watch, ["--once"]).exit_code == 78
    assert os.environ["SENTIMENTAGENT_HOME"] == str(tmp_path)
