"""A request as the service reads it: its path, which kind of operation it is, and whether its signature is right."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args
from urllib.parse import unquote

from fakes.cosmos.documents import Match
from fakes.cosmos.partitions import Key, parse
from fakes.cosmos.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

Kind: TypeAlias = Literal[
    "account", "database", "container", "pkranges", "query_plan",
    "create", "upsert", "read", "replace", "patch", "delete", "batch", "query", "feed",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
#: What is paid for from the provisioned request units; the rest is the gateway's own.
PAID: Final[frozenset[Kind]] = frozenset(
    {"create", "upsert", "read", "replace", "patch", "delete", "batch", "query", "feed"}
)
_ITEM_KINDS: Final[Mapping[str, Kind]] = {"GET": "read", "PUT": "replace", "PATCH": "patch", "DELETE": "delete"}
_FEED_SEGMENTS: Final = 5


@dataclass(frozen=True)
class Asked:
    """One request, read to its end."""

    method: str
    #: The parts of the path, each decoded: ("dbs", "sentiment", "colls", "items", "docs").
    segments: tuple[str, ...]
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    async def read(cls, request: web.Request) -> Asked:
        """Read it."""
        path = request.raw_path.partition("?")[0]
        segments = tuple(unquote(part) for part in path.split("/") if part)
        return cls(request.method, segments, request.headers, await request.read())

    def says(self, header: str) -> bool:
        """Say whether a header says true."""
        return self.headers.get(header, "").lower() == "true"

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """The body.

        Raises:
            Refused: it is no JSON.

        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Refused(400, "The request's body is no JSON") from error

    @property
    def key(self) -> Key | None:
        """The partition key that the request is about."""
        header = self.headers.get("x-ms-documentdb-partitionkey")
        return parse(header) if header is not None else None

    @property
    def match(self) -> Match:
        """The versions that the request is for."""
        return Match(self.headers.get("If-Match"), self.headers.get("If-None-Match"))

    @property
    def kind(self) -> Kind:
        """Which operation it is."""
        if len(self.segments) < _FEED_SEGMENTS:
            return ("account", "database", "database", "container", "container")[len(self.segments)]
        if self.segments[4] == "pkranges":
            return "pkranges"
        if len(self.segments) > _FEED_SEGMENTS:
            return _ITEM_KINDS.get(self.method, "read")
        return self._feed_kind()

    def _feed_kind(self) -> Kind:
        if self.method == "GET":
            return "feed"
        if self.says("x-ms-cosmos-is-query-plan-request"):
            return "query_plan"
        if self.says("x-ms-documentdb-isquery"):
            return "query"
        if self.says("x-ms-cosmos-is-batch-request"):
            return "batch"
        return "upsert" if self.says("x-ms-documentdb-is-upsert") else "create"


def check_signature(asked: Asked, key: str) -> None:
    """Check the signature: an HMAC of the verb, the resource and the date, with the account's key.

    Raises:
        Refused: 401, it was made with another key, or of something else.

    """
    sent = unquote(asked.headers.get("authorization", ""))
    whole = len(asked.segments) % 2 == 0
    kind = "" if not asked.segments else asked.segments[-2] if whole else asked.segments[-1]
    named = asked.segments if whole else asked.segments[:-1]
    # Addressed by resource ids, the resource is the last of them in lower case.
    for resource in ("/".join(named), named[-1].lower() if named else ""):
        text = f"{asked.method.lower()}\n{kind}\n{resource}\n{asked.headers.get('x-ms-date', '').lower()}\n\n"
        digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
        if hmac.compare_digest(sent.encode(), b"type=master&ver=1.0&sig=" + base64.b64encode(digest)):
            return
    message = "The input authorization token can't serve the request. Please check that the expected payload is built "
    raise Refused(401, message + "as per the protocol, and check the key being used.")
