"""A whole answer as HTTP sends it: not at all where the client has it already, and packed where that saves something.

The entity tag stands for what an answer says and not for when: its ``timestamp`` is no part of it. So it is weak, and
one for the plain and the packed bytes (RFC 9110, 8.8.1). Streams, and what is packed already, are none of this module.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import hdrs, web
from multidict import CIMultiDict

from api.headers import complete

#: Below this many bytes an answer is one packet as it is. Chosen, not measured.
PACKED_FROM_BYTES: Final = 1024
#: Measured with 50 posts: level 6 makes them 1 % smaller than level 5 and takes a third longer.
_LEVEL: Final = 5
#: From here on packing takes more than some milliseconds and is done beside the loop. Chosen, not measured.
_ASIDE_FROM_BYTES: Final = 128 * 1024
_DIGEST_BYTES: Final = 12
#: What is kept may be told again after asking whether it is still so.
_REVALIDATE: Final = "private, no-cache"

_PACKABLE: Final = ("application/json", "text/")
_TAGS: Final = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_CODING: Final = re.compile(r"\s*([\w*-]+)\s*(?:;\s*q\s*=\s*([\d.]+)\s*)?", re.ASCII)

_top_level = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Representation(msgspec.Struct):
    """The bytes of an answer and what is said of them; told any number of times."""

    status: int
    #: As they are sent, but for what the bytes are packed in.
    headers: CIMultiDict[str]
    plain: bytes
    #: What stands for what is said; None where nobody may ask by it.
    tag: str | None
    is_packable: bool
    #: Made when the first client asks for it, with its headers.
    packed: tuple[bytes, CIMultiDict[str]] | None = None

    async def response(self, request: web.Request) -> web.Response:
        """Return the answer to this request."""
        if self.tag is not None and _has(request, self.tag):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=_unsized(self.headers))
        if not self.is_packable or not _unpacks(request):
            return web.Response(status=self.status, body=self.plain, headers=self.headers)
        body, headers = self.packed = self.packed or await self._pack()
        return web.Response(status=self.status, body=body, headers=headers)

    async def _pack(self) -> tuple[bytes, CIMultiDict[str]]:
        headers = self.headers.copy()
        headers[hdrs.CONTENT_ENCODING] = "gzip"
        return await _packed(self.plain), headers


def represent(response: web.StreamResponse, *, is_tagged: bool) -> Representation | None:
    """Return what the response holds, or None for a stream and for what is packed already.

    ``is_tagged`` gives a 200 its tag, unless the response says ``no-store``.
    """
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return None
    headers, plain = response.headers, response.body
    if hdrs.CONTENT_ENCODING in headers:
        return None
    headers.pop(hdrs.CONTENT_LENGTH, None)
    is_packable = len(plain) >= PACKED_FROM_BYTES and response.content_type.startswith(_PACKABLE)
    if is_packable:
        headers.add(hdrs.VARY, hdrs.ACCEPT_ENCODING)
    tag = None
    if is_tagged and response.status == HTTPStatus.OK and headers.get(hdrs.CACHE_CONTROL) != "no-store":
        tag = tag_of(plain)
        headers[hdrs.ETAG] = f'W/"{tag}"'
        headers[hdrs.CACHE_CONTROL] = _REVALIDATE
    complete(headers)
    return Representation(response.status, headers, plain, tag, is_packable)


def tag_of(body: bytes) -> str:
    """Return what stands for what a JSON body says, its ``timestamp`` aside."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    if body.startswith(b"{"):
        for name, value in _top_level(body).items():
            if name != "timestamp":
                digest.update(b"%d:%b" % (len(name), name.encode()))
                digest.update(value)
    else:
        digest.update(body)
    return digest.hexdigest()


def _has(request: web.Request, tag: str) -> bool:
    """Tell whether the client has what the tag stands for, by the weak comparison of RFC 9110, 13.1.2."""
    given = request.headers.getall(hdrs.IF_NONE_MATCH, None)
    if given is None:
        return False
    listed = ",".join(given)
    return listed.strip() == "*" or tag in _TAGS.findall(listed)


def _unpacks(request: web.Request) -> bool:
    """Tell whether the client takes gzip: it names it, or everything, with any weight but 0 (RFC 9110, 12.5.3)."""
    given = request.headers.get(hdrs.ACCEPT_ENCODING)
    if given is None:
        return False
    if "q" not in given:  # as browsers and most clients say it
        return "gzip" in given or "*" in given
    weights = {found[1].lower(): _weight(found[2]) for found in map(_CODING.fullmatch, given.split(",")) if found}
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weight(text: str | None) -> float:
    try:
        return 1.0 if text is None else float(text)
    except ValueError:
        return 0.0


async def _packed(plain: bytes) -> bytes:
    if len(plain) < _ASIDE_FROM_BYTES:
        return gzip.compress(plain, _LEVEL, mtime=0)
    return await asyncio.to_thread(gzip.compress, plain, _LEVEL, mtime=0)


def _unsized(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """Return what a 304 says: all but what describes bytes that it does not carry."""
    kept = headers.copy()
    kept.popall(hdrs.CONTENT_TYPE, None)
    return kept
