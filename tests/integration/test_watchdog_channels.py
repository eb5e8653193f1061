"""Channels beside mail, and the sign of life, against real servers on 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from aiohttp import web
from harness.mailbox import Mailbox, free_port, serving

from ipc.errors import Unavailable
from ipc.settings import AlertSettings, MailSettings, Secret
from watchdog import apprise_channel
from watchdog.alert import Alert, section
from watchdog.alerts import Alerts
from watchdog.apprise_channel import AppriseChannel
from watchdog.aside import Aside
from watchdog.commands import Commands
from watchdog.deadman import Deadman
from watchdog.steps import Steps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ALERT = Alert(
    id="1-api-hung",
    subject="[SentimentAgent] api restarted: no beat",
    at_utc=1.0,
    sections=(section("What happened", "api restarted"),),
)


class Listener:
    """An HTTP server that keeps what it was told, and answers ``status``."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.calls = 0
        self.status = 200
        self.port = 0

    async def answer(self, request: web.Request) -> web.Response:
        """Take one request."""
        self.calls += 1
        if request.can_read_body and self.status < 300:
            self.told.append(await request.json())
        return web.Response(status=self.status)

    async def heard(self, calls: int) -> None:
        """Wait for so many requests."""
        async with asyncio.timeout(10):
            while self.calls < calls:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(port: int = 0) -> AsyncIterator[Listener]:
    """Serve a listener on 127.0.0.1."""
    listener = Listener()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", listener.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    listener.port = runner.addresses[0][1]
    yield listener
    await runner.cleanup()


def mails(port: int) -> MailSettings:
    """Return settings that send to 127.0.0.1 in plain text."""
    return MailSettings(
        smtp_host="127.0.0.1",
        smtp_port=port,
        smtp_security="none",
        alert_from="agent@example.org",
        alert_to=("operator@example.org",),
    )


def resting(folder: Path, mail: MailSettings, urls: str) -> Alerts:
    """Return alerts that are not sent yet."""
    commands = Commands(sentimentagent="sentimentagent", supervisorctl="supervisorctl", logs=folder)
    return Alerts(folder, mail, AlertSettings(alert_urls=Secret(urls)), commands, first_retry_s=0.05)


apprise_here = pytest.mark.skipif(not apprise_channel.is_installed(), reason="the extra alerts is not installed")


@apprise_here
async def test_an_alert_reaches_a_channel_beside_mail() -> None:
    """Subject, text and what kind of news it is."""
    async with listening() as listener:
        steps = Steps()
        await AppriseChannel(f"json://127.0.0.1:{listener.port}/token").send(ALERT, steps)
    (told,) = listener.told
    assert told["title"] == ALERT.subject
    assert told["message"].split() == ALERT.text.split()
    assert told["type"] == "failure"
    assert [(step.name, step.outcome) for step in steps.behind] == [("settings", "ok"), ("message", "ok")]


@apprise_here
@pytest.mark.parametrize("fault", ["refused", "away", "unknown"])
async def test_a_channel_that_fails_says_why_and_shows_no_secret(
    fault: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not in the error, and not in a log, even where everything is logged."""
    caplog.set_level(logging.DEBUG)
    async with listening() as listener:
        listener.status = 403
        port = listener.port if fault == "refused" else free_port()
        scheme = "slack" if fault == "unknown" else "json"
        url = f"{scheme}://agent:hush-hush@127.0.0.1:{port}/s3cr3t-token"
        with pytest.raises(Unavailable) as caught:
            await AppriseChannel(url).send(ALERT, Steps())
    words = {"refused": "error=403", "away": "Connection error", "unknown": "can't use this slack URL"}
    assert words[fault] in str(caught.value)
    ours = "\n".join(each.getMessage() for each in caplog.records if not each.name.startswith("aiohttp"))
    ours += "".join(capfd.readouterr())
    for secret in ("hush-hush", "s3cr3t-token"):
        assert secret not in str(caught.value)
        assert secret not in ours


@apprise_here
async def test_a_channel_that_says_nothing_ends_in_time_and_leaves_nobody_behind() -> None:
    """A service that accepts and is silent is not waited for, and the program that waited is gone."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        channel = AppriseChannel(f"json://127.0.0.1:{silent.getsockname()[1]}/?rto=30", limit_s=1.5)
        began_s = time.monotonic()
        with pytest.raises(Unavailable, match=r"no answer within 1\.5 s"):
            await channel.send(ALERT, Steps())
        assert time.monotonic() - began_s < 4
    commands = [" ".join(child.cmdline()) for child in psutil.Process().children()]
    assert not any("apprise_sender" in command for command in commands)


@apprise_here
async def test_one_channel_that_is_away_holds_up_no_other_and_sends_nothing_twice(tmp_path: Path) -> None:
    """Each has its own spool; what waited is sent when its server is back."""
    box, port = Mailbox(), free_port()
    with serving(box) as mail_port:
        alerts = resting(tmp_path, mails(mail_port), f"json://127.0.0.1:{port}/topic")
        task = asyncio.create_task(alerts.run())
        await alerts.put(ALERT)
        await box.letter()
        async with asyncio.timeout(10):
            while "kept, not sent" not in alerts.words:
                await asyncio.sleep(0.01)
        assert alerts.words.startswith("mail; json kept, not sent: ")
        assert alerts.waiting == 1
        async with listening(port) as listener:
            await listener.heard(1)
            async with asyncio.timeout(10):
                while alerts.waiting:
                    await asyncio.sleep(0.01)
        assert alerts.words == "mail and json"
        task.cancel()
        await asyncio.wait({task})
    assert len(box.letters) == 1
    assert len(listener.told) == 1


@apprise_here
async def test_what_waits_for_a_wrong_url_goes_to_the_corrected_one(tmp_path: Path) -> None:
    """It stayed in the folder of the wrong one, and nobody said so."""
    wrong = resting(tmp_path, MailSettings(), f"json://127.0.0.1:{free_port()}/tpoic")
    await wrong.put(ALERT)
    async with listening() as listener:
        alerts = resting(tmp_path, MailSettings(), f"json://127.0.0.1:{listener.port}/topic")
        await alerts.load()
        assert alerts.waiting == 1
        task = asyncio.create_task(alerts.run())
        await listener.heard(1)
        async with asyncio.timeout(10):
            while alerts.waiting:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait({task})
    assert list(tmp_path.rglob("*.json")) == []


@apprise_here
@pytest.mark.parametrize("urls", ["", "ntfy://host/topic", "json://host/a, json://host/b"])
async def test_what_waits_for_nobody_is_said_and_stays(
    tmp_path: Path, urls: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a channel of its scheme, or with two, nobody knows whose it is; one that is set keeps its own."""
    wrong = resting(tmp_path, mails(free_port()), "json://host/tpoic")
    await wrong.put(ALERT)
    alerts = resting(tmp_path, mails(free_port()), urls)
    await alerts.load()
    assert alerts.waiting == 1, "the mail's"
    (left,) = tmp_path.glob("json-*/*.json")
    said = capsys.readouterr().out
    assert said.count("Alerts wait for a channel that is set no more") == 1
    assert left.parent.name in said


async def test_a_missing_extra_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alerts go by mail meanwhile, and nothing piles up for a channel that can't be used."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    alerts = resting(tmp_path, mails(free_port()), "ntfy://host/topic,slack://a/b/c")
    missing = "the extra is not installed: pip install 'sentimentagent[alerts]'"
    assert alerts.words == f"mail; ntfy and slack not used: {missing}"
    await alerts.put(ALERT)
    assert [path.parent.name for path in tmp_path.rglob("*.json")] == ["mail"]


def test_a_comma_within_a_url_parts_nothing() -> None:
    """Only one before another scheme does."""
    urls = apprise_channel.urls(Secret("json://host/?to=a,b , ntfys://host/topic,"))
    assert urls == ["json://host/?to=a,b", "ntfys://host/topic,"]
    assert apprise_channel.urls(Secret("")) == []


def test_a_channels_name_and_key_show_nothing_of_its_url() -> None:
    """They stand in words and in the name of a folder."""
    channel = AppriseChannel("slack://hush/hush/hush")
    assert channel.name == "slack"
    assert channel.key.startswith("slack-")
    assert "hush" not in channel.key
    assert AppriseChannel("no url").name == "url"


async def test_the_sign_of_life_is_given_only_while_all_is_watched() -> None:
    """Whoever waits for it must notice a watchdog that turns and watches nothing."""
    is_well = False
    async with listening() as listener:
        deadman = Deadman(Secret(f"http://127.0.0.1:{listener.port}/ping"), lambda: is_well, every_s=0.02)
        task = asyncio.create_task(deadman.run())
        await asyncio.sleep(0.2)
        assert listener.calls == 0
        is_well = True
        await listener.heard(3)
        task.cancel()
        await asyncio.wait({task})


async def test_a_sign_of_life_that_does_not_arrive_is_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    """And once more when it arrives again; the URL is in neither."""
    async with listening() as listener:
        listener.status = 500
        url = f"http://127.0.0.1:{listener.port}/s3cr3t"
        task = asyncio.create_task(Deadman(Secret(url), lambda: True, every_s=0.02).run())
        await listener.heard(4)
        listener.status = 200
        await listener.heard(7)
        task.cancel()
        await asyncio.wait({task})
    said = capsys.readouterr().out
    assert said.count("ALERT_DEADMAN_URL is not reached") == 1
    assert said.count("ALERT_DEADMAN_URL is reached again") == 1
    assert "s3cr3t" not in said


@pytest.mark.parametrize(("fault", "words"), [("status", "it answered 404"), ("away", "it can't be reached")])
async def test_a_sign_of_life_says_why_it_did_not_arrive(fault: str, words: str) -> None:
    """Without the URL, which is a secret."""
    async with listening() as listener:
        listener.status = 404
        port = listener.port if fault == "status" else free_port()
        with pytest.raises(Unavailable, match=words) as caught:
            await Deadman(Secret(f"http://127.0.0.1:{port}/s3cr3t"), lambda: True).call()
    assert "s3cr3t" not in str(caught.value)


async def test_a_sign_of_life_that_hangs_is_not_asked_for_twice_at_once() -> None:
    """Threads that hang must not pile up in a process that lives long."""
    release = threading.Event()
    aside = Aside(limit_s=0.05)
    with pytest.raises(Unavailable, match=r"no answer within 0\.05 s"):
        await aside.call(release.wait)
    with pytest.raises(Unavailable, match="the last try still hangs"):
        await aside.call(release.wait)
    release.set()
    async with asyncio.timeout(5):
        while True:
            with contextlib.suppress(Unavailable):
                assert await aside.call(lambda: 3) == 3
                break
            await asyncio.sleep(0.01)
