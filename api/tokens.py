"""Tokens as requests bring them: in the header Authorization, by Bearer or by HTTP Basic."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING, Literal

import msgspec

from ipc import api_tokens

if TYPE_CHECKING:
    from ipc.api_tokens import Token
    from ipc.settings import Secret

Scheme = Literal["bearer", "basic"]


class Given(msgspec.Struct, frozen=True):
    """What an Authorization header says; nothing of it is known to be true."""

    scheme: Scheme
    token: str
    #: The user of Basic; Bearer has none.
    user: str | None = None


class Tokens:
    """The tokens of API_TOKENS."""

    def __init__(self, settings: Secret) -> None:
        self._all = api_tokens.parse(settings)

    def has(self, scope: api_tokens.TokenScope) -> bool:
        """Tell whether any token has this scope."""
        return any(token.scope == scope for token in self._all)

    def find(self, given: Given) -> Token | None:
        """Return whose token it is. It takes the same time whichever it is, and with none of them."""
        wanted = api_tokens.hashed(given.token)
        found = None
        for token in self._all:
            if hmac.compare_digest(token.hash.reveal(), wanted):
                found = token
        if found is not None and given.user is not None and given.user != found.name:
            return None
        return found


def read(header: str) -> Given | None:
    """Return what an Authorization header gives; None for another scheme, and for what can't be read."""
    scheme, _, rest = header.strip().partition(" ")
    rest = rest.strip()
    match scheme.lower():
        case "bearer":
            return Given("bearer", rest)
        case "basic":
            return _basic(rest)
        case _:
            return None


def _basic(text: str) -> Given | None:
    try:
        user, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return Given("basic", password, user) if colon else None
