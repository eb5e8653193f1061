"""Who may act without a token: each of the four conditions alone closes the door."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from api.access import admit, is_local
from api.errors import Refused
from ipc.settings import Secret

if TYPE_CHECKING:
    from aiohttp import web

OWN = {"Host": "localhost:8000"}


class Peer:
    """The far end of a connection: all that a request asks its transport for."""

    def __init__(self, address: object) -> None:
        self._address = address

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return the peer's address."""
        return self._address if name == "peername" else default


def request(address: object = ("127.0.0.1", 40000), headers: object = None) -> web.Request:
    """Return a request as it comes from this address with these headers."""
    given: CIMultiDict[str] = CIMultiDict(OWN if headers is None else headers)  # type: ignore[arg-type] # a dict or pairs
    return make_mocked_request("POST", "/api/v1/admin/collect", headers=given, transport=Peer(address))


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost:8000"},
        {"Host": "LOCALHOST"},
        {"Host": "127.0.0.1:8000"},
        {"Host": "127.8.9.1"},
        {"Host": "[::1]:8000"},
        OWN | {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"},
        OWN | {"Sec-Fetch-Site": "none"},
    ],
)
@pytest.mark.parametrize(
    "address", [("127.0.0.1", 1), ("127.0.0.9", 1), ("::1", 1, 0, 0), ("::ffff:127.0.0.1", 1, 0, 0)]
)
def test_the_operator_at_this_machine_needs_no_token(address: object, headers: dict[str, str]) -> None:
    """The runbook's bare curl, and a page of our own."""
    assert is_local(request(address, headers))


@pytest.mark.parametrize(
    "address", [("192.0.2.7", 1), ("::ffff:192.0.2.7", 1, 0, 0), ("fe80::1", 1, 0, 2), "", None, ("", 1)]
)
def test_another_machine_needs_a_token(address: object) -> None:
    """Whatever its headers claim; so does a peer without an address."""
    assert not is_local(request(address))


@pytest.mark.parametrize(
    "name",
    [
        "Forwarded",
        "X-Forwarded-For",
        "x-forwarded-host",
        "X-FORWARDED-PROTO",
        "X-Forwarded",
        "Via",
        "X-Real-IP",
        "x-client-ip",
    ],
)
def test_a_proxy_on_this_machine_opens_nothing(name: str) -> None:
    """Any header by which a proxy says for whom it asks, even an empty one."""
    assert not is_local(request(headers=OWN | {name: ""}))
    assert not is_local(request(headers=OWN | {name: "127.0.0.1"}))


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8000"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "evil.example@localhost"},
        {"Host": "192.0.2.7"},
        {"Host": "0.0.0.0"},  # noqa: S104 - a name in a header, nothing is bound to it
        {"Host": "[::1"},
        {"Host": ""},
        {},
        [("Host", "localhost"), ("Host", "evil.example")],
    ],
)
def test_a_name_that_was_made_to_resolve_to_this_machine_opens_nothing(headers: object) -> None:
    """DNS rebinding: the peer is loopback, and the Host is still theirs."""
    assert not is_local(request(headers=headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "https://localhost:8000"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_of_another_site_in_the_operators_browser_opens_nothing(headers: dict[str, str]) -> None:
    """Another port of this machine is another site, too."""
    assert not is_local(request(headers=OWN | headers))


def test_from_elsewhere_the_right_token_opens() -> None:
    """Missing, wrong and empty tokens are told apart from none being configured."""
    elsewhere = ("192.0.2.7", 1)
    token = Secret("s3cret-\u00fc")
    admit(request(elsewhere, OWN | {"X-Admin-Token": "s3cret-\u00fc"}), token)
    for headers in (
        OWN,
        OWN | {"X-Admin-Token": ""},
        OWN | {"X-Admin-Token": "s3cret"},
    ):
        with pytest.raises(Refused) as refused:
            admit(request(elsewhere, headers), token)
        assert refused.value.status == HTTPStatus.UNAUTHORIZED
        assert "s3cret-" not in str(refused.value)
    with pytest.raises(Refused, match="set ADMIN_TOKEN") as refused:
        admit(request(elsewhere, OWN | {"X-Admin-Token": ""}), Secret(""))
    assert refused.value.status == HTTPStatus.SERVICE_UNAVAILABLE
