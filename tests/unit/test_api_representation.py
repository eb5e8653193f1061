"""Entity tags, conditional requests and packing: what goes over the wire for one answer."""

from __future__ import annotations

import gzip

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from api.representation import PACKED_FROM_BYTES, Representation, represent, tag_of

LONG = msgspec.json.encode({"text": "word " * PACKED_FROM_BYTES, "timestamp": "2025-10-15T10:00:00Z"})
SHORT = b'{"total":1}'


def represented(body: bytes = LONG, *, is_tagged: bool = True, **headers: str) -> Representation:
    """Return what a handler answered, with X-Data-Source beside what is given."""
    named = {"X-Data-Source": "reddit"} | {name.replace("_", "-"): value for name, value in headers.items()}
    told = represent(web.Response(body=body, content_type="application/json", headers=named), is_tagged=is_tagged)
    assert told is not None
    return told


async def told(of: Representation, **headers: str) -> web.Response:
    """Return the answer to a request with these headers."""
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return await of.response(make_mocked_request("GET", "/", headers=dict(named)))


@pytest.mark.parametrize(
    "given", ["{tag}", "W/{tag}", '"other", W/{tag}', ' W/"a,b" ,\t{tag} , "c"', "*", " * ", '"unended {tag}, {tag}']
)
async def test_who_has_it_gets_no_body_again(given: str) -> None:
    """A tag, weak or not, alone or in a list, and the star, are compared as RFC 9110 wants: weakly."""
    of = represented()
    answer = await told(of, If_None_Match=given.format(tag=f'"{of.tag}"'), Accept_Encoding="gzip")
    assert (answer.status, answer.body) == (304, None)
    assert answer.headers["ETag"] == f'W/"{of.tag}"'
    assert answer.headers["X-Data-Source"] == "reddit"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("given", ["", '"other"', "W/", "{bare}", '"{upper}"', '"*"'])
async def test_who_has_something_else_gets_the_body(given: str) -> None:
    """Another tag, or what is none."""
    of = represented()
    assert of.tag is not None
    answer = await told(of, If_None_Match=given.format(bare=of.tag, upper=of.tag.upper()))
    assert (answer.status, answer.body) == (200, LONG)


def test_the_tag_is_of_what_is_said_and_not_of_when() -> None:
    """The same figures a second later are the same; a `timestamp` further within, or as text, is a part of it."""
    assert tag_of(b'{"a":1,"timestamp":"10:00"}') == tag_of(b'{"a":1,"timestamp":"10:01"}')
    assert tag_of(b'{"a":1,"timestamp":"10:00"}') != tag_of(b'{"a":2,"timestamp":"10:00"}')
    assert tag_of(b'{"a":{"timestamp":"10:00"}}') != tag_of(b'{"a":{"timestamp":"10:01"}}')
    assert tag_of(b'[{"timestamp":"10:00"}]') != tag_of(b'[{"timestamp":"10:01"}]')
    assert tag_of(b'{"a":"\\"timestamp\\":1"}') != tag_of(b'{"a":"\\"timestamp\\":2"}')
    assert tag_of(b'{"ab":1,"c":2}') != tag_of(b'{"a":1,"bc":2}')


@pytest.mark.parametrize(
    ("given", "is_packed"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("deflate, gzip;q=0.5, br", True),
        ("br;q=1.0, *;q=0.1", True),
        ("*", True),
        ("GZIP ; q=1", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=hello", False),
        ("br;q=1", False),
    ],
)
async def test_packing_is_for_those_who_unpack(given: str | None, is_packed: bool) -> None:  # noqa: FBT001 - a table
    """By Accept-Encoding, with its weights; both forms have one tag and say what they depend on."""
    headers = {} if given is None else {"Accept_Encoding": given}
    answer = await told(represented(), **headers)
    assert (answer.headers.get("Content-Encoding") == "gzip") == is_packed
    assert isinstance(answer.body, bytes)
    assert (gzip.decompress(answer.body) if is_packed else answer.body) == LONG
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert len(answer.body) < len(LONG) or not is_packed


async def test_it_is_packed_once() -> None:
    """However many ask."""
    of = represented()
    first = await told(of, Accept_Encoding="gzip")
    assert (await told(of, Accept_Encoding="gzip")).body is first.body


async def test_large_answers_are_packed_too() -> None:
    """Beside the loop, with the same result."""
    large = b'["' + b"0123456789abcdef" * 60_000 + b'"]'
    answer = await told(represented(large), Accept_Encoding="gzip")
    assert isinstance(answer.body, bytes)
    assert gzip.decompress(answer.body) == large


async def test_what_is_short_is_left_as_it_is() -> None:
    """Below a packet nothing is saved, so nothing depends on the client either."""
    answer = await told(represented(SHORT), Accept_Encoding="gzip")
    assert (answer.body, answer.headers.get("Vary")) == (SHORT, None)
    assert "ETag" in answer.headers


async def test_what_must_not_be_stored_has_no_tag() -> None:
    """Neither an answer that says so, nor one of a call whose answers are never the same."""
    for of in (represented(Cache_Control="no-store"), represented(is_tagged=False)):
        answer = await told(of, If_None_Match="*")
        assert (answer.status, answer.body) == (200, LONG)
        assert "ETag" not in answer.headers


def test_streams_and_packed_answers_are_left_alone() -> None:
    """Their bytes are not there yet, or not to be packed again."""
    assert represent(web.StreamResponse(), is_tagged=True) is None
    assert represent(web.Response(), is_tagged=True) is None
    assert represent(web.Response(body=b"x", headers={"Content-Encoding": "gzip"}), is_tagged=True) is None


async def test_pictures_are_not_packed() -> None:
    """What is no text gains nothing."""
    of = represent(web.Response(body=bytes(5000), content_type="image/png"), is_tagged=False)
    assert of is not None
    assert (await told(of, Accept_Encoding="gzip")).body == bytes(5000)


async def test_an_error_is_never_not_modified() -> None:
    """A 503 with the same object has a body, whatever the client has."""
    response = web.Response(status=503, body=LONG, content_type="application/json")
    of = represent(response, is_tagged=True)
    assert of is not None
    assert (await told(of, If_None_Match="*")).status == 503
