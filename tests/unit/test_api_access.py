"""Who may read and act without a token: each of the conditions alone closes the door. Which token opens which."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from api.access import Access, is_here, is_own
from api.errors import Refused
from ipc.api_tokens import hashed
from ipc.settings import ApiSettings, Secret

if TYPE_CHECKING:
    from aiohttp import web

    from api.endpoint import Scope

OWN = {"Host": "localhost:8000"}
ELSEWHERE = ("192.0.2.7", 1)
TOKENS = Secret(f"grafana:read:{hashed('one')},ops:admin:{hashed('two')}")


class Peer:
    """The far end of a connection: all that a request asks its transport for."""

    def __init__(self, address: object, at: object) -> None:
        self._ends = {"peername": address, "sockname": at}

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return the address of an end of the connection."""
        return self._ends.get(name, default)


def request(
    address: object = ("127.0.0.1", 40000), headers: object = None, at: object = ("127.0.0.1", 8000)
) -> web.Request:
    """Return a request as it comes from this address, to that one, with these headers."""
    given: CIMultiDict[str] = CIMultiDict(OWN if headers is None else headers)  # type: ignore[arg-type] # a dict or pairs
    return make_mocked_request("POST", "/api/v1/admin/collect", headers=given, transport=Peer(address, at))


def is_local(asked: web.Request) -> bool:
    """Tell whether a request may act without a token."""
    return answer(ApiSettings(admin_token=Secret("x")), asked, "admin") == 200


def answer(settings: ApiSettings, asked: web.Request, scope: Scope) -> int:
    """Return the status with which a request of this scope is refused, 200 when it is not."""
    access = Access(settings)
    try:
        access.admit(asked, access.caller(asked), scope)
    except Refused as refused:
        return refused.status
    return 200


def basic(name: str, token: str) -> dict[str, str]:
    """Return the header by which a browser says who its user is."""
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{token}'.encode()).decode()}"}


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


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_reading_here_is_for_cors_to_keep_from_other_sites(headers: dict[str, str]) -> None:
    """The browser on this machine gets the answer; whether it hands it to that page is what CORS says."""
    asked = request(headers=OWN | headers)
    assert (is_here(asked), is_own(asked)) == (True, False)
    assert answer(ApiSettings(), asked, "read") == 200
    assert answer(ApiSettings(), asked, "admin") == 503


def test_this_machine_asks_at_its_own_address_too() -> None:
    """With API_HOST=192.0.2.7, the operator's commands ask there: no other machine has that address."""
    own = ("192.0.2.7", 8000)
    headers = {"Host": "192.0.2.7:8000"}
    assert is_here(request(("192.0.2.7", 40000), headers, own))
    assert not is_here(request(("192.0.2.8", 40000), headers, own))
    assert not is_here(request(("192.0.2.7", 40000), {"Host": "evil.example:8000"}, own))
    assert not is_here(request(("192.0.2.7", 40000), headers | {"X-Forwarded-For": "x"}, own))
    assert not is_here(request("", headers, ""))


@pytest.mark.parametrize(
    ("given", "reads", "acts"),
    [
        ({}, 401, 401),
        ({"Authorization": "Bearer one"}, 200, 403),
        ({"Authorization": "Bearer two"}, 200, 200),
        ({"Authorization": "Bearer three"}, 401, 401),
        ({"Authorization": "Bearer "}, 401, 401),
        ({"Authorization": f"Bearer {hashed('two')}"}, 401, 401),
        ({"Authorization": "Digest two"}, 401, 401),
        (basic("grafana", "one"), 200, 401),
        (basic("ops", "two"), 200, 401),
        (basic("ops", "one"), 401, 401),
        (basic("", "two"), 401, 401),
        ({"X-Admin-Token": "two"}, 401, 401),
    ],
)
def test_from_elsewhere_a_token_opens_what_its_scope_says(given: dict[str, str], reads: int, acts: int) -> None:
    """Reading by either way of giving it; acting never by Basic, which a browser sends by itself."""
    settings = ApiSettings(api_tokens=TOKENS)
    for headers in (OWN, {"Host": "sentiment.example.org"}):
        asked = request(ELSEWHERE, headers | given)
        assert answer(settings, asked, "open") == 200
        assert answer(settings, asked, "read") == reads
        assert answer(settings, asked, "admin") == acts
    behind_a_proxy = request(headers=OWN | {"X-Forwarded-For": "192.0.2.7"} | given)
    assert answer(settings, behind_a_proxy, "read") == reads
    assert answer(settings, behind_a_proxy, "admin") == acts


def test_what_is_public_is_read_without_a_token_and_not_acted_on() -> None:
    """API_PUBLIC_READ opens reading alone."""
    settings = ApiSettings(api_public_read="yes", api_tokens=TOKENS)
    for given in ({}, {"Authorization": "Bearer three"}):
        asked = request(ELSEWHERE, OWN | given)
        assert answer(settings, asked, "read") == 200
        assert answer(settings, asked, "admin") == 401


def test_acting_goes_by_the_operators_token_too() -> None:
    """Missing, wrong and empty ones are told apart from none being configured."""
    token = Secret("s3cret-\u00fc")
    assert (
        answer(ApiSettings(admin_token=token), request(ELSEWHERE, OWN | {"X-Admin-Token": "s3cret-\u00fc"}), "admin")
        == 200
    )
    for headers in (OWN, OWN | {"X-Admin-Token": ""}, OWN | {"X-Admin-Token": "s3cret"}):
        assert answer(ApiSettings(admin_token=token), request(ELSEWHERE, headers), "admin") == 401
    for none in (ApiSettings(), ApiSettings(api_tokens=Secret(f"grafana:read:{hashed('one')}"))):
        assert answer(none, request(ELSEWHERE, OWN | {"X-Admin-Token": ""}), "admin") == 503
    both = ApiSettings(admin_token=token, api_tokens=TOKENS)
    assert answer(both, request(ELSEWHERE, OWN | {"Authorization": "Bearer two"}), "admin") == 200


@pytest.mark.parametrize(
    ("scope", "given", "asks"),
    [
        ("read", {}, "Basic "),
        ("read", basic("grafana", "wrong"), "Basic "),
        ("read", {"Authorization": "Bearer wrong"}, "Bearer "),
        ("admin", {}, "Bearer "),
        ("admin", basic("ops", "two"), "Bearer "),
    ],
)
def test_a_browser_is_asked_for_basic_where_that_would_help(scope: Scope, given: dict[str, str], asks: str) -> None:
    """Its dialog comes up by itself, which acting must never be done by."""
    access = Access(ApiSettings(api_tokens=TOKENS))
    asked = request(ELSEWHERE, OWN | given)
    with pytest.raises(Refused) as refused:
        access.admit(asked, access.caller(asked), scope)
    assert refused.value.headers is not None
    assert refused.value.headers["WWW-Authenticate"].startswith(asks)
    assert "wrong" not in str(refused.value).replace("its token is wrong", "")


def test_a_caller_is_its_token_or_the_address_that_is_known() -> None:
    """X-Forwarded-For counts when the peer is a proxy that was named, and opens nothing even then."""
    headers = OWN | {"X-Forwarded-For": "127.0.0.1, 198.51.100.9"}
    plain, proxied = Access(ApiSettings()), Access(ApiSettings(api_trusted_proxies=("127.0.0.1",)))
    assert plain.caller(request(headers=headers)).name == "127.0.0.1"
    assert proxied.caller(request(headers=headers)).name == "198.51.100.9"
    assert proxied.caller(request(ELSEWHERE, headers)).name == "192.0.2.7"
    assert not proxied.caller(request(headers=OWN | {"X-Forwarded-For": "127.0.0.1"})).is_here
    known = Access(ApiSettings(api_tokens=TOKENS))
    assert known.caller(request(ELSEWHERE, OWN | {"Authorization": "Bearer one"})).name == "token grafana"
