"""The tokens that open the API, as API_TOKENS holds them: ``name:scope:hash``, comma-separated.

The hash is SHA-256 of the token, in hex. A token has 256 random bits, so nothing slower is needed: there is no
dictionary to try. Who has the settings file still has no token.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, Literal, get_args

import msgspec

from ipc.errors import SettingsError
from ipc.settings import Secret

#: What a token opens: reading, or acting and reading.
TokenScope = Literal["read", "admin"]
SCOPES: Final[tuple[TokenScope, ...]] = get_args(TokenScope)

#: A name goes into log lines, and is the user of HTTP Basic, which has no colon.
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


class Token(msgspec.Struct, frozen=True):
    """One token: whose it is, what it opens, and its hash in small letters."""

    name: str
    scope: TokenScope
    hash: Secret

    @property
    def entry(self) -> str:
        """The token as it stands in API_TOKENS."""
        return f"{self.name}:{self.scope}:{self.hash.reveal()}"


def hashed(token: str) -> str:
    """Return the hash of a token as it was given, which may be anything."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def parse(api_tokens: Secret) -> tuple[Token, ...]:
    """Return the tokens of API_TOKENS.

    Raises:
        SettingsError: one is none, or two have one name. What stands there is not repeated: a token itself is
            pasted there easily.

    """
    entries = [entry.strip() for entry in api_tokens.reveal().split(",") if entry.strip()]
    tokens = tuple(_token(number, entry) for number, entry in enumerate(entries, 1))
    if len({token.name for token in tokens}) < len(tokens):
        raise SettingsError("API_TOKENS has two tokens of one name: who they are must be told apart")
    return tokens


def _token(number: int, entry: str) -> Token:
    name, _, rest = entry.partition(":")
    scope, _, digest = rest.partition(":")
    found = next((each for each in SCOPES if each == scope), None)
    if found is None or not NAME.fullmatch(name) or not _HASH.fullmatch(digest):
        raise SettingsError(
            f"entry {number} of API_TOKENS is not name:scope:hash with the scope read or admin:"
            " `sentimentagent token new NAME` prints one"
        )
    return Token(name, found, Secret(digest.lower()))
