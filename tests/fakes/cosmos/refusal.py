"""What the service answers instead of what was asked for: one exception, made where the rule is that was broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The words that the service puts beside a status.
_CODES: Final = {
    400: "BadRequest",
    401: "Unauthorized",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Gone",
    412: "PreconditionFailed",
    413: "RequestEntityTooLarge",
    429: "TooManyRequests",
    449: "RetryWith",
    503: "ServiceUnavailable",
}

#: What a write that finds a conflict, or a read that finds nothing, costs. Chosen, not measured.
LOOKED_UP_RU: Final = 1.24


class Refused(Exception):
    """An answer of 400 or more, with the sub-status that SDKs go by and what finding out has cost."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        substatus: int = 0,
        charge_ru: float = 0.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.substatus = substatus
        self.charge_ru = charge_ru
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, str]:
        """The answer's JSON."""
        return {"code": _CODES.get(self.status, str(self.status)), "message": self.message}


def not_found(what: str, *, owner: bool = False) -> Refused:
    """Return the 404 for something that is missing; ``owner``: what it would be in is missing."""
    return Refused(
        404,
        f"Resource Not Found: {what}. Its id, or the partition key that was sent with it, names nothing",
        substatus=1003 if owner else 0,
        charge_ru=LOOKED_UP_RU,
    )


def conflict(what: str) -> Refused:
    """Return the 409 for something that is already there."""
    return Refused(409, f"Entity with the specified id already exists in the system: {what}", charge_ru=LOOKED_UP_RU)


def stale() -> Refused:
    """Return the 412 for an ETag, or a condition, that does not hold."""
    return Refused(412, "One of the specified pre-condition is not met", charge_ru=LOOKED_UP_RU)


def throttled(wait_ms: int) -> Refused:
    """Return the 429 that says when to come again."""
    headers = {"x-ms-retry-after-ms": str(wait_ms)}
    return Refused(429, "Request rate is large. More Request Units may be needed.", substatus=3200, headers=headers)
