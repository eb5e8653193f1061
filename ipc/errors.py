"""The root error and its tree, cut by what the caller can do about it.

    SentimentAgentError
    |- SettingsError   fix the settings: the process exits 78 (EX_CONFIG in sysexits.h)
    |- WireError       drop this connection and reconnect
    |- Unavailable     wait ``retry_after_s`` and try again (SourceUnavailable, StoreUnavailable)
    `- ModelError      waiting will not help: exit 1, supervisord decides

Raised at the edge with the cause kept; handled in one place a process.
"""

from __future__ import annotations


class SentimentAgentError(Exception):
    """The root: whatever we raise on purpose is one of these."""


class SettingsError(SentimentAgentError):
    """A setting is wrong or missing. Only the operator can mend it, so the process exits 78."""


class WireError(SentimentAgentError):
    """The bytes on one connection are not ours: close it. No other connection is concerned."""


class Unavailable(SentimentAgentError):
    """Something outside is away for now.

    Attributes:
        retry_after_s: how long to wait before the next try, in seconds; None when nobody said.

    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SourceUnavailable(Unavailable):
    """One stream of a source can't be read for now; the others go on.

    Attributes:
        cause: one word for metrics and alerts, such as ``rate_limited`` or ``forbidden``.

    """

    def __init__(self, message: str, cause: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s)
        self.cause = cause


class StoreUnavailable(Unavailable):
    """The database does not answer; nothing is acknowledged until it does."""


class ModelError(SentimentAgentError):
    """The sentiment model can't be loaded or used, and trying again would end the same way."""
