"""Taking out of a text what nobody else should read: known secrets in every form, and what looks like one. Pure.

Better too much than too little: a support archive is sent to strangers.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

import msgspec

from ipc.logs import harmless
from ipc.settings import GROUPS, NAMES, Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ipc.settings import Settings

MASK: Final = "***"
#: A shorter secret is only taken out where it stands alone: as a part of words it would take half the text along.
#: Chosen, not measured.
_SHORT: Final = 6
#: Parts of an address shorter than this are words such as `services`. Chosen, not measured.
_PART: Final = 6
_ADDRESS_PARTS: Final = re.compile(r"[/:@?&=#,\s]+")

#: Names in an environment whose values are none of a stranger's business.
_SECRET_NAME: Final = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|(^|_)KEY($|_)|APIKEY", re.IGNORECASE)
#: A value that says nothing, of whatever name.
_PLAIN: Final = re.compile(r"[\d.]*|true|false|yes|no|on|off", re.IGNORECASE)
#: Settings that are no secrets but name people, or half of a login.
_PERSONAL: Final = ("REDDIT_CLIENT_ID", "REDDIT_USER_AGENT", "SMTP_USERNAME", "ALERT_FROM", "ALERT_TO")

_PATTERNS: Final = (
    # What follows the word in headers and in `key=value`; a value that has been taken out already is left.
    re.compile(r"""(?P<keep>\bauthorization["']?[=:]\s*["']?(?:(?:basic|bearer)\s+)?+)[^\s"'*,;]+""", re.IGNORECASE),
    re.compile(
        r"""(?P<keep>\b[\w-]{0,40}(?:token|secret|password|passwd|api[_-]?key|account[_-]?key)["']?[=:][ ]?["']?)"""
        r"""[^\s"'*,;&}]+""",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<keep>\b(?:bearer|basic)\s+)[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE),
    re.compile(r"(?P<keep>://)[^/\s@]+(?=@)"),
    # People: mail addresses, and Reddit's way of naming its users.
    re.compile(r"(?P<keep>)(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+"),
    re.compile(r"(?P<keep>\bu(?:ser)?/)[\w-]{3,20}"),
)


class Scrubber:
    """Takes known secrets, and what looks like one, out of texts and of values."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
        parts = [re.escape(form) if len(form) >= _SHORT else rf"(?<!\w){re.escape(form)}(?!\w)" for form in forms]
        self._known = re.compile("|".join(parts)) if parts else None

    def text(self, text: str) -> str:
        """Return the text without them."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\g<keep>{MASK}", text)
        return text

    def value(self, value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
        """Return the JSON value with every string in it scrubbed; what stands under a name such as token is gone."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if isinstance(value, dict):
            return {name: MASK if _is_secret(name, each) else self.value(each) for name, each in value.items()}
        return value


def secrets_of(settings: Settings, in_file: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[str]:
    """Yield every value that must not be told: of our settings, of strangers in the file, of the environment."""
    for group, kind in GROUPS.items():
        for field in msgspec.structs.fields(kind):
            value = getattr(getattr(settings, group), field.name)
            if isinstance(value, Secret):
                yield value.reveal()
            elif field.encode_name in _PERSONAL:
                yield from (value if isinstance(value, tuple) else (value,))
    reddit, mail = settings.collector, settings.mail
    yield _basic(reddit.reddit_client_id, reddit.reddit_client_secret)
    yield _basic(mail.smtp_username, mail.smtp_password)
    yield from (value for name, value in in_file.items() if name not in NAMES and not _PLAIN.fullmatch(value))
    yield from (value for name, value in environ.items() if _SECRET_NAME.search(name) and len(value) >= _SHORT)


def _basic(name: str, secret: Secret) -> str:
    """Return a login as an HTTP header carries it."""
    return base64.b64encode(f"{name}:{secret.reveal()}".encode()).decode() if secret else ""


def _forms(secret: str) -> Iterator[str]:
    """Yield the secret as it is, as it stands in addresses, in JSON and in logs, and the parts of an address."""
    for form in (secret, secret.strip()):
        if form:
            yield from (form, quote(form, safe=""), quote_plus(form), json.dumps(form)[1:-1], harmless(form))
    if "://" in secret:
        yield from (part for part in _ADDRESS_PARTS.split(secret) if len(part) >= _PART)


def _is_secret(name: object, value: object) -> bool:
    return isinstance(name, str) and isinstance(value, str) and bool(value) and bool(_SECRET_NAME.search(name))
