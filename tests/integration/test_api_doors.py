"""The doors of the running API: who reads and who acts, from here, through a proxy, from another site's page."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes.processes import FakeCollector
from fakes.running_api import RunningApi, running_api

from ipc.api_tokens import hashed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKENS = f"grafana:read:{hashed('one')},ops:admin:{hashed('two')}"
READ = ("/api/v1/health", "/api/v1/sentiment/stats", "/api/v1/subreddits", "/metrics", "/", "/api/v1/openapi.json")
OPEN = ("/api/v1/live", "/api/v1/ready")
COLLECT = "/api/v1/admin/collect"

#: How somebody who is not the operator at this machine looks from here.
STRANGERS: tuple[dict[str, str], ...] = (
    {"X_Forwarded_For": "192.0.2.7"},
    {"X_Forwarded_For": "127.0.0.1"},
    {"Forwarded": "for=127.0.0.1"},
    {"X_Real_IP": "127.0.0.1"},
    {"Host": "evil.example:8000"},
    {"Host": "sentiment.example.org"},
)


def basic(name: str, token: str) -> str:
    """Return the header by which a browser says who its user is."""
    return f"Basic {base64.b64encode(f'{name}:{token}'.encode()).decode()}"


@pytest.fixture
async def api(short_path: Path) -> AsyncIterator[RunningApi]:
    """Return an API with two tokens and a store, beside a collector."""
    (short_path / "run").mkdir(mode=0o700)
    async with (
        FakeCollector().at(short_path / "run" / "collector.sock"),
        running_api(short_path, API_TOKENS=TOKENS) as running,
    ):
        await running.store()
        yield running


async def test_at_this_machine_all_is_open(api: RunningApi) -> None:
    """As before there were tokens; a wrong one does not close what needs none."""
    for path in (*READ, *OPEN):
        assert (await api.ask("GET", path)).status == 200, path
        assert (await api.ask("GET", path, Authorization="Bearer wrong")).status == 200, path
    assert (await api.ask("POST", COLLECT)).status == 200


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_stranger_reads_nothing_without_a_token(api: RunningApi, stranger: dict[str, str]) -> None:
    """Forwarded or by another name: 401 for everything but the two questions of machines, and a browser is asked."""
    for path in READ:
        for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": basic("grafana", "wrong")}):
            response = await api.ask("GET", path, **stranger, **given)
            assert response.status == 401, (path, given)
            scheme = "Bearer" if "Bearer" in given.get("Authorization", "") else "Basic"
            assert response.headers["WWW-Authenticate"].startswith(f'{scheme} realm="SentimentAgent"')
            assert (await response.json())["error"] == ("wrong_token" if given else "token_needed")
    for path in OPEN:
        assert (await api.ask("GET", path, **stranger)).status == 200
    assert (await api.ask("GET", "/api/v1/nothing", **stranger)).status == 404


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_token_opens_reading(api: RunningApi, stranger: dict[str, str]) -> None:
    """By Bearer as by Basic, HEAD as GET; one of the scope admin reads too."""
    for given in ("Bearer one", "Bearer two", basic("grafana", "one"), basic("ops", "two")):
        for path in READ:
            assert (await api.ask("GET", path, **stranger, Authorization=given)).status == 200, path
    assert (await api.ask("HEAD", READ[1], **stranger, Authorization="Bearer one")).status == 200
    assert (await api.ask("HEAD", READ[1], **stranger)).status == 401


async def test_acting_needs_a_token_of_that_scope_by_bearer(api: RunningApi) -> None:
    """A reading token is 403; Basic is no way to act, with whatever token; each that acts is told in the log."""
    stranger = STRANGERS[0]
    for given, status in (
        ({}, 401),
        ({"Authorization": "Bearer one"}, 403),
        ({"Authorization": basic("ops", "two")}, 401),
        ({"X_Admin_Token": "two"}, 401),
        ({"Authorization": "Bearer two"}, 200),
    ):
        response = await api.ask("POST", COLLECT, **stranger, **given)
        assert response.status == status, given
        assert "Basic" not in response.headers.get("WWW-Authenticate", "")


async def test_another_sites_page_in_the_operators_browser_cannot_act(api: RunningApi) -> None:
    """It can make the browser ask; what it reads is for CORS, which names no origin here."""
    response = await api.ask("POST", COLLECT, Origin="http://evil.example", Sec_Fetch_Site="cross-site")
    assert response.status == 401
    response = await api.ask("GET", "/api/v1/subreddits", Origin="http://evil.example")
    assert response.status == 200
    assert "Access-Control-Allow-Origin" not in response.headers
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_a_preflight_needs_no_token_and_lets_one_be_sent(short_path: Path) -> None:
    """A browser sends none with it: the page of a named origin may then send Authorization, another's may not."""
    async with running_api(short_path, API_TOKENS=TOKENS, API_CORS_ORIGINS="https://dashboard.example.org") as api:
        asks = {"Host": "sentiment.example.org", "Access_Control_Request_Method": "GET"}
        wants = {"Access_Control_Request_Headers": "authorization"}
        response = await api.ask("OPTIONS", READ[1], Origin="https://dashboard.example.org", **asks, **wants)
        assert response.status == 204
        assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
        assert (await api.ask("OPTIONS", READ[1], Origin="https://evil.example", **asks, **wants)).status == 403


async def test_a_refusal_is_readable_for_a_named_origin(short_path: Path) -> None:
    """Its page can show why, and ask its user for a token."""
    async with running_api(short_path, API_TOKENS=TOKENS, API_CORS_ORIGINS="https://dashboard.example.org") as api:
        headers = {"Host": "sentiment.example.org", "Origin": "https://dashboard.example.org"}
        response = await api.ask("GET", READ[1], **headers)
        assert response.status == 401
        assert response.headers["Access-Control-Allow-Origin"] == "https://dashboard.example.org"


async def test_what_is_public_is_read_by_everybody_and_acted_on_by_nobody(short_path: Path) -> None:
    """API_PUBLIC_READ says so explicitly."""
    async with running_api(short_path, API_PUBLIC_READ="yes") as api:
        for stranger in STRANGERS:
            assert (await api.ask("GET", "/api/v1/health", **stranger)).status in {200, 503}
            assert (await api.ask("POST", COLLECT, **stranger)).status == 503


async def test_a_client_that_asks_too_often_waits(short_path: Path) -> None:
    """429 with a Retry-After that holds; others, tokens and this machine are let in meanwhile."""
    limits = {"API_RATE_PER_SECOND": "1", "API_RATE_BURST": "3", "API_TRUSTED_PROXIES": "127.0.0.1"}
    async with running_api(short_path, API_TOKENS=TOKENS, **limits) as api:
        path = "/api/v1/live"
        for _ in range(3):
            assert (await api.ask("GET", path, X_Forwarded_For="10.9.9.9, 192.0.2.7")).status == 200
        response = await api.ask("GET", path, X_Forwarded_For="10.8.8.8, 192.0.2.7")
        assert (response.status, (await response.json())["error"]) == (429, "too_many_requests")
        assert response.headers["Retry-After"] == "1"
        assert (await api.ask("GET", path, X_Forwarded_For="192.0.2.8")).status == 200
        assert (await api.ask("GET", path, X_Forwarded_For="192.0.2.7", Authorization="Bearer one")).status == 200
        for _ in range(5):
            assert (await api.ask("GET", path)).status == 200
        async with asyncio.timeout(5):
            while (await api.ask("GET", path, X_Forwarded_For="192.0.2.7")).status == 429:
                await asyncio.sleep(0.1)


async def test_guessing_tokens_is_limited_too(short_path: Path) -> None:
    """A wrong one counts as the address that it came from."""
    async with running_api(short_path, API_TOKENS=TOKENS, API_RATE_PER_SECOND="0.1", API_RATE_BURST="2") as api:
        found = [
            (await api.ask("GET", READ[1], **STRANGERS[0], Authorization=f"Bearer guess{n}")).status for n in range(4)
        ]
        assert found == [401, 401, 429, 429]


async def test_without_the_proxys_name_its_clients_are_one(short_path: Path) -> None:
    """X-Forwarded-For is anybody's claim until the settings name who may make it."""
    async with running_api(short_path, API_RATE_PER_SECOND="0.1", API_RATE_BURST="1") as api:
        found = [(await api.ask("GET", OPEN[0], X_Forwarded_For=f"192.0.2.{n}")).status for n in range(3)]
        assert found == [200, 429, 429]


async def test_the_process_refuses_to_serve_others_unasked(short_path: Path) -> None:
    """Exit status 78 and one sentence, before a port is opened."""
    environ = os.environ | {"SENTIMENTAGENT_HOME": str(short_path), "API_HOST": "0.0.0.0", "API_PORT": "0"}  # noqa: S104 - refused
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from api.main import main; main()", env=environ, stderr=asyncio.subprocess.PIPE
    )
    _, told = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 78
    assert told.decode().count("\n") == 1
    assert "API_HOST=0.0.0.0 serves other machines, and nothing says who may read" in told.decode()


async def test_an_onlooker_elsewhere_needs_a_token(api: RunningApi, short_path: Path) -> None:
    """`sentimentagent watch` at another machine says that it is the token, and takes one from a file."""
    (token := short_path / "token").write_text("one\n")
    relay = await asyncio.start_server(lambda r, w: _as_if_forwarded(r, w, api), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{relay.sockets[0].getsockname()[1]}"
    async with relay:
        status, told = await _look(url)
        assert (status, "answered 401: reading it needs a token" in told) == (2, True), told
        status, told = await _look(url, "--token-file", str(token))
        assert (status, "degraded" in told) == (1, True), told


async def _look(url: str, *options: str) -> tuple[int | None, str]:
    command = Path(sys.executable).with_name("sentimentagent")
    process = await asyncio.create_subprocess_exec(
        command, "watch", "--once", "--api-url", url, *options, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await asyncio.wait_for(process.communicate(), 10)
    return process.returncode, told.decode()


async def _as_if_forwarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, api: RunningApi) -> None:
    """Pass one request on as a proxy does that names its client."""
    head = await reader.readuntil(b"\r\n\r\n")
    there, onward = await asyncio.open_connection(*api.service.addresses[0])
    onward.write(head.replace(b"\r\n", b"\r\nX-Forwarded-For: 192.0.2.7\r\n", 1))
    answer = await there.read()  # urllib asks for the connection to be closed
    writer.write(answer)
    await writer.drain()
    for each in (onward, writer):
        each.close()
