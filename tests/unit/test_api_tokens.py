"""Tokens: how they are written in the settings, how they come in a request, and that only the right one opens."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from api.token_command import token
from api.tokens import Given, Tokens, read
from ipc.api_tokens import hashed, parse
from ipc.environment import load
from ipc.errors import SettingsError
from ipc.settings import Secret

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES = Secret(f"grafana:read:{hashed('one')}, ops:admin:{hashed('two').upper()},")


def basic(text: str) -> str:
    """Return the header of HTTP Basic."""
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("header", "given"),
    [
        ("Bearer one", Given("bearer", "one")),
        ("bearer  one ", Given("bearer", "one")),
        ("Bearer", Given("bearer", "")),
        (basic("grafana:one"), Given("basic", "one", "grafana")),
        (basic("grafana:a:b"), Given("basic", "a:b", "grafana")),
        (basic(":"), Given("basic", "", "")),
        (basic("no colon"), None),
        ("Basic !!!", None),
        (f"Basic {base64.b64encode(bytes([255, 58, 255])).decode()}", None),
        ("Digest username=x", None),
        ("", None),
        ("one", None),
    ],
)
def test_what_a_header_gives_is_read_without_an_error(header: str, given: Given | None) -> None:
    """Whatever stands there: it is anybody's."""
    assert read(header) == given


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (Given("bearer", "one"), "grafana"),
        (Given("bearer", "two"), "ops"),
        (Given("basic", "one", "grafana"), "grafana"),
        (Given("basic", "one", "ops"), None),
        (Given("basic", "one", ""), None),
        (Given("bearer", ""), None),
        (Given("bearer", "ONE"), None),
        (Given("bearer", "one "), None),
        (Given("bearer", hashed("one")), None),
        (Given("bearer", "\udcff"), None),
    ],
)
def test_only_a_whole_token_is_found(given: Given, name: str | None) -> None:
    """Its hash opens nothing; with Basic the user must be its name."""
    found = Tokens(ENTRIES).find(given)
    assert (found.name if found else None) == name


def test_without_tokens_none_is_right() -> None:
    """Not even an empty one."""
    tokens = Tokens(Secret(""))
    assert tokens.find(Given("bearer", "")) is None
    assert not tokens.has("read")
    assert Tokens(ENTRIES).has("admin")


@pytest.mark.parametrize(
    "text",
    [
        "sa_a-token-itself",
        "grafana:read",
        f"grafana:write:{hashed('one')}",
        f"gra fana:read:{hashed('one')}",
        f":read:{hashed('one')}",
        f"grafana:read:{hashed('one')[:-1]}",
        f"grafana:read:{hashed('one')}:more",
        f"grafana:read:{hashed('one')},sa_a-token-itself",
        f"grafana:read:{hashed('one')},grafana:admin:{hashed('two')}",
    ],
)
def test_a_wrong_entry_is_refused_and_not_repeated(text: str) -> None:
    """Whoever pastes the token where its hash belongs finds it in no log."""
    with pytest.raises(SettingsError, match="API_TOKENS") as caught:
        parse(Secret(text))
    assert "sa_" not in str(caught.value)
    assert hashed("one")[:-1] not in str(caught.value)


def test_hashes_are_shown_like_secrets() -> None:
    """Not at all."""
    (first, second) = parse(ENTRIES)
    assert hashed("one") not in repr((first, second))
    assert second.entry == f"ops:admin:{hashed('two')}"


@pytest.mark.parametrize(("options", "scope"), [([], "read"), (["--scope", "admin"], "admin")])
def test_a_new_token_opens_what_it_says(options: list[str], scope: str) -> None:
    """What the command prints for the settings, put there, knows the token that it printed."""
    ran = CliRunner().invoke(token, ["new", "grafana", *options])
    assert ran.exit_code == 0
    made, line = (row.split()[-1] for row in ran.output.splitlines()[:2])
    found = Tokens(Secret(line.removeprefix("API_TOKENS="))).find(Given("bearer", made))
    assert found is not None
    assert (found.name, found.scope) == ("grafana", scope)
    assert len(made) > 40
    assert made not in CliRunner().invoke(token, ["new", "grafana"]).output


def test_a_name_that_would_not_fit_is_refused() -> None:
    """A colon would end it, a comma the entry."""
    for name in ("a:b", "a,b", "", "x" * 65, "a b"):
        assert CliRunner().invoke(token, ["new", name]).exit_code == 2


def test_the_list_shows_names_and_scopes_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who has a token, and no hash."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(tmp_path))
    assert CliRunner().invoke(token, ["list"]).output == "no tokens\n"
    monkeypatch.setenv("API_TOKENS", ENTRIES.reveal())
    assert CliRunner().invoke(token, ["list"]).output == "read   grafana\nadmin  ops\n"
    monkeypatch.setenv("API_TOKENS", "nonsense")
    assert CliRunner().invoke(token, ["list"]).exit_code == 78


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org", "localhost.example.org"])  # noqa: S104 - refused
def test_serving_other_machines_needs_a_word_on_who_may_read(tmp_path: Path, host: str) -> None:
    """Tokens, or everybody: said explicitly, in one sentence that names both."""
    environ = {"SENTIMENTAGENT_HOME": str(tmp_path), "API_HOST": host}
    for more in ({}, {"ADMIN_TOKEN": "x"}, {"API_TOKENS": " , "}):
        with pytest.raises(
            SettingsError, match=f"API_HOST={host} serves other machines.*API_TOKENS.*API_PUBLIC_READ=yes"
        ):
            load(environ | more)
    assert load(environ | {"API_TOKENS": ENTRIES.reveal()}).warnings == ()
    (warning,) = load(environ | {"API_PUBLIC_READ": "yes"}).warnings
    assert "everybody who reaches the API may read" in warning


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", ""])
def test_a_loopback_address_needs_no_word(tmp_path: Path, host: str) -> None:
    """The default among them; that everybody may read is told there too, because a proxy may stand before it."""
    environ = {"SENTIMENTAGENT_HOME": str(tmp_path), "API_HOST": host}
    assert load(environ).warnings == ()
    assert len(load(environ | {"API_PUBLIC_READ": "yes"}).warnings) == 1


@pytest.mark.parametrize("proxy", ["nginx", "10.0.0.1/8", "10.0.0.0/33", "127.0.0.1:80"])
def test_a_proxy_that_is_no_address_is_refused(tmp_path: Path, proxy: str) -> None:
    """A name would have to be resolved, by whom and when?"""
    with pytest.raises(SettingsError, match="API_TRUSTED_PROXIES"):
        load({"SENTIMENTAGENT_HOME": str(tmp_path), "API_TRUSTED_PROXIES": f"127.0.0.1,{proxy}"})
