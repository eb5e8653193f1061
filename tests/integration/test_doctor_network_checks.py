"""The doctor's checks that ask somebody elsewhere: Reddit and the mail server, both stand-ins on this machine."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from fakes.examples import loaded
from fakes.fake_reddit import CLIENT_ID, CLIENT_SECRET, FakeReddit
from harness.mailbox import Mailbox, free_port, serving

from watchdog.checks import mail, reddit

if TYPE_CHECKING:
    from pathlib import Path

    from watchdog.checks.finding import Finding


async def signed_in(home: Path, url: str, **environ: str) -> Finding:
    """Make the check against a stand-in."""
    settings = loaded(
        home,
        **{
            "REDDIT_URL": url,
            "REDDIT_CLIENT_ID": CLIENT_ID,
            "REDDIT_CLIENT_SECRET": CLIENT_SECRET,
            "REDDIT_TIMEOUT_S": "0.5",
            **environ,
        },
    )
    (finding,) = await asyncio.to_thread(lambda: list(reddit.check(settings)))
    assert CLIENT_SECRET not in str(finding)
    return finding


async def test_right_credentials_get_a_token_and_read_nothing(short_path: Path) -> None:
    """One request, and a user agent of ours."""
    async with FakeReddit() as fake:
        finding = await signed_in(short_path, fake.url)
        assert (finding.result, fake.token_requests, fake.requests) == ("ok", 1, [])
        assert fake.user_agents.pop().startswith("linux:sentimentagent:")


async def test_a_wrong_secret_is_named(short_path: Path) -> None:
    """By what to compare it with."""
    async with FakeReddit() as fake:
        finding = await signed_in(short_path, fake.url, REDDIT_CLIENT_SECRET="guessed")
    assert (finding.result, "401" in finding.found) == ("wrong", True)
    assert "REDDIT_CLIENT_SECRET" in finding.mend


async def test_blocked_limited_and_unreachable_are_told_apart(short_path: Path) -> None:
    """Each is mended elsewhere."""
    async with FakeReddit() as fake:
        found = {}
        for name, failure in {
            "blocked": fake.answer(403, {"content-type": "text/html"}, "<html>blocked</html>"),
            "limited": fake.answer(429, {"retry-after": "30"}),
            "elsewhere": fake.answer(302, {"location": "https://login.example.org/"}),
            "silent": fake.hang,
            "cut": fake.cut,
        }.items():
            fake.token_failure = failure
            found[name] = (await signed_in(short_path, fake.url)).found
    found["refused"] = (await signed_in(short_path, f"http://127.0.0.1:{free_port()}")).found
    assert "blocks this machine" in found["blocked"]
    assert "for 30 s" in found["limited"]
    assert "another place" in found["elsewhere"]
    assert "no whole answer within 0.5 s" in found["silent"] or "timed out" in found["silent"]
    assert "can't be reached" in found["cut"]
    assert "refused" in found["refused"].lower()
    assert len(set(found.values())) == len(found)


def test_without_credentials_nothing_is_asked(short_path: Path) -> None:
    """Sample data needs no Reddit."""
    (finding,) = reddit.check(loaded(short_path))
    assert (finding.result, "sample" in finding.found) == ("not checked", True)


def mail_finding(home: Path, port: int, **environ: str) -> Finding:
    """Make the check against a server on 127.0.0.1."""
    settings = loaded(
        home,
        **{
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(port),
            "SMTP_SECURITY": "none",
            "SMTP_TIMEOUT_S": "1",
            "ALERT_FROM": "a@example.org",
            "ALERT_TO": "b@example.org",
            **environ,
        },
    )
    (finding,) = mail.check(settings)
    return finding


def test_a_mail_server_is_signed_in_to_and_gets_no_mail(short_path: Path) -> None:
    """The whole way but for the mail."""
    box = Mailbox({b"agent": b"hunter2"})
    options: dict[str, Any] = {"authenticator": box.admits, "auth_require_tls": False}
    with serving(box, **options) as port:
        login = {"SMTP_USERNAME": "agent", "SMTP_PASSWORD": "hunter2"}
        finding = mail_finding(short_path, port, **login)
        assert (finding.result, "signed in as agent" in finding.found) == ("ok", True)
        finding = mail_finding(short_path, port, **{**login, "SMTP_PASSWORD": "guessed"})
    assert (finding.result, "failed to sign in" in finding.found) == ("wrong", True)
    assert "guessed" not in str(finding)
    assert box.letters == []


def test_the_step_at_which_a_mail_server_fails_is_named(short_path: Path) -> None:
    """Connecting and encrypting are mended elsewhere."""
    assert "failed to connect" in mail_finding(short_path, free_port()).found
    with serving(Mailbox()) as port:
        assert "failed to encrypt" in mail_finding(short_path, port, SMTP_SECURITY="starttls").found


def test_a_mail_server_that_says_nothing_ends_in_time(short_path: Path) -> None:
    """It takes the connection and no more."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        finding = mail_finding(short_path, server.getsockname()[1], SMTP_TIMEOUT_S="0.3")
    assert (finding.result, "failed to connect" in finding.found) == ("wrong", True)


def test_without_a_mail_server_the_check_is_not_made(short_path: Path) -> None:
    """And says what that means for alerts."""
    (finding,) = mail.check(loaded(short_path))
    assert (finding.result, "only logged" in finding.found) == ("not checked", True)
