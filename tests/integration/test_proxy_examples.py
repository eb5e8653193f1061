"""deployment/nginx.conf and deployment/Caddyfile: their syntax, and what each does with the real API behind it."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web
from fakes.running_api import running_api
from harness.system import free_port

from ipc.api_tokens import hashed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

DEPLOYMENT = Path(__file__).parents[2] / "deployment"
NAME = "sentiment.example.org"
TOKENS = f"grafana:read:{hashed('one')},ops:admin:{hashed('two')}"


def program(name: str) -> str:
    """Return where a program is; skip the test where it is not."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not here: apt has it ({'nginx-light' if name == 'nginx' else name})")
    return found


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate that nobody trusts, and its key."""
    made, key = folder / "cert.pem", folder / "key.pem"
    options = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    names = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    command = [program("openssl"), "req", *options, *names, "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, capture_output=True, timeout=20, check=True)
    return made, key


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """Return the example with what an operator changes; each must be there to be changed."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def nginx(folder: Path, port: int, behind: int) -> list[str]:
    """Write the example for these ports, with the rest that nginx's own file has; return how it is run."""
    made, key = certificate(folder)
    site = replaced(
        (DEPLOYMENT / "nginx.conf").read_text(),
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("    listen [::]:80;\n", ""),
        ("    listen [::]:443 ssl;\n", ""),
        (f"/etc/letsencrypt/live/{NAME}/fullchain.pem", str(made)),
        (f"/etc/letsencrypt/live/{NAME}/privkey.pem", str(key)),
        ("127.0.0.1:8000", f"127.0.0.1:{behind}"),
    )
    (folder / "site.conf").write_text(site)
    places = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""  # its workers must get into the test's folder
    (folder / "whole.conf").write_text(
        f"{user}daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log stderr;\n"
        f"events {{}}\nhttp {{\n    access_log off;\n{places}    include {folder}/site.conf;\n}}\n"
    )
    return [program("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(folder / "whole.conf")]


def caddy(folder: Path, port: int, behind: int) -> list[str]:
    """Write the example for these ports, with a certificate of our own; return how it is run."""
    made, key = certificate(folder)
    text = replaced(
        (DEPLOYMENT / "Caddyfile").read_text(),
        ("\n{\n\tservers", "\n{\n\tadmin off\n\tauto_https disable_redirects\n\tservers"),
        (f"\n{NAME} {{", f"\nhttps://{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {made} {key}"),
        ("127.0.0.1:8000", f"127.0.0.1:{behind}"),
    )
    (folder / "Caddyfile").write_text(text)
    return [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@asynccontextmanager
async def proxied(write: Callable[[Path, int, int], list[str]], folder: Path, behind: int) -> AsyncIterator[Proxied]:
    """Run a proxy before a port while inside."""
    port = free_port()
    environ = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *write(folder, port, behind), env=environ, stdout=log, stderr=log
        )
    trust = ssl.create_default_context(cafile=folder / "cert.pem")
    async with aiohttp.ClientSession() as session:
        try:
            client = Proxied(session, port, trust)
            async with asyncio.timeout(20):
                while not await client.is_there():
                    assert process.returncode is None, (folder / "log").read_text()
                    await asyncio.sleep(0.02)
            yield client
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), 10)


class Proxied:
    """A client that asks a proxy by the site's name, and believes its certificate alone."""

    def __init__(self, session: aiohttp.ClientSession, port: int, trust: ssl.SSLContext) -> None:
        self._session = session
        self._port = port
        self._trust = trust

    async def is_there(self) -> bool:
        """Tell whether the proxy listens."""
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        writer.close()
        return True

    def ask(self, method: str, path: str, **headers: str) -> aiohttp.client._RequestContextManager:
        """Ask; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()} | {"Host": NAME}
        url = f"https://127.0.0.1:{self._port}{path}"
        return self._session.request(method, url, headers=named, ssl=self._trust, server_hostname=NAME)

    async def status(self, method: str, path: str, **headers: str) -> int:
        """Ask for the status alone."""
        async with self.ask(method, path, **headers) as response:
            await response.read()
            return response.status


both = pytest.mark.parametrize("write", [nginx, caddy], ids=["nginx", "caddy"])


def test_nginx_finds_nothing_wrong_with_the_example(tmp_path: Path) -> None:
    """Within the file that reads conf.d; ports and certificate are the test's."""
    done = subprocess.run(
        [*nginx(tmp_path, free_port(), 8000), "-t"], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr
    assert "syntax is ok" in done.stderr


def test_caddy_finds_nothing_wrong_with_the_example(tmp_path: Path) -> None:
    """The file as it is; it is laid out as Caddy lays out its files."""
    environ = os.environ | {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    example = str(DEPLOYMENT / "Caddyfile")
    for command in (["validate", "--adapter", "caddyfile", "--config", example], ["fmt", example]):
        done = subprocess.run(
            [program("caddy"), *command], capture_output=True, text=True, timeout=20, check=False, env=environ
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout == Path(example).read_text()


@both
async def test_through_the_proxy_everybody_needs_a_token(
    write: Callable[[Path, int, int], list[str]], short_path: Path
) -> None:
    """The proxy is on this machine, its clients are not: whatever they say of themselves."""
    settings = {"API_TOKENS": TOKENS, "API_TRUSTED_PROXIES": "127.0.0.1"}
    (folder := short_path / "proxy").mkdir()
    async with running_api(short_path, **settings) as api:
        await api.store()
        async with proxied(write, folder, api.service.addresses[0][1]) as client:
            path = "/api/v1/subreddits"
            assert await client.status("GET", "/api/v1/ready") == 200
            for claim in (
                {},
                {"X_Forwarded_For": "127.0.0.1"},
                {"X_Forwarded_For": ""},
                {"Forwarded": "for=127.0.0.1"},
            ):
                assert await client.status("GET", path, **claim) == 401, claim
                assert await client.status("POST", "/api/v1/admin/collect", **claim) == 401, claim
            async with client.ask("GET", path, Authorization="Bearer one") as response:
                assert response.status == 200
                assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
                assert response.headers["X-Content-Type-Options"] == "nosniff"
            # Without a collector: but the door is open.
            assert await client.status("POST", "/api/v1/admin/collect", Authorization="Bearer two") == 503


@both
async def test_the_limit_is_the_clients_and_not_the_proxys(
    write: Callable[[Path, int, int], list[str]], short_path: Path
) -> None:
    """A client can't have another one's limit by naming it: what the proxy saw counts."""
    settings = {"API_TRUSTED_PROXIES": "127.0.0.1", "API_RATE_PER_SECOND": "0.01", "API_RATE_BURST": "2"}
    (folder := short_path / "proxy").mkdir()
    async with (
        running_api(short_path, **settings) as api,
        proxied(write, folder, api.service.addresses[0][1]) as client,
    ):
        found = [await client.status("GET", "/api/v1/live", X_Forwarded_For=f"192.0.2.{n}") for n in range(3)]
        assert found == [200, 200, 429]


@both
async def test_events_come_through_one_at_a_time(
    write: Callable[[Path, int, int], list[str]], short_path: Path
) -> None:
    """The second is sent when the client has the first; its going is noticed behind the proxy."""
    has_first, has_gone = asyncio.Event(), asyncio.Event()

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await has_first.wait()
        await response.write(b"data: 2\n\n")
        try:
            while True:
                await response.write(b": still here\n\n")
                await asyncio.sleep(0.05)
        except OSError:
            has_gone.set()
        return response

    application = web.Application()
    application.router.add_get("/api/v1/events", events)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with asyncio.timeout(30), proxied(write, short_path, runner.addresses[0][1]) as client:
        async with client.ask("GET", "/api/v1/events") as response:
            assert await response.content.readuntil(b"\n\n") == b"data: 1\n\n"
            has_first.set()
            assert await response.content.readuntil(b"\n\n") == b"data: 2\n\n"
            response.close()
        await has_gone.wait()
    await runner.cleanup()
