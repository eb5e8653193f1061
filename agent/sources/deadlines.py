"""How long a page of a source may take, by the settings: what is later is stuck. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ipc.settings import CollectorSettings

#: What asyncpraw may sleep within one call: its pace of at most 10 s before each of three tries, 2 and 4 s between.
_OWN_SLEEP_S: Final = 36.0
#: One call is at most a token and three tries for the data.
_EXCHANGES: Final = 4
#: What reading and unpacking may take beside. Chosen, not measured.
_SPARE_S: Final = 20.0
#: No page has less. Chosen: an archive on a slow disk.
_LEAST_S: Final = 120.0


def call_timeout_s(settings: CollectorSettings) -> float:
    """Return within which one call to Reddit ends, by itself or cut off."""
    return settings.reddit_timeout_s * _EXCHANGES + _OWN_SLEEP_S


def page_deadline_s(settings: CollectorSettings) -> float:
    """Return within which one page comes from whatever source.

    An archive slower than a line a second comes in pages of one line, with its pause before the next.
    """
    pause_s = 1 / settings.archive_rate if settings.archive_rate else 0.0
    return max(_LEAST_S, call_timeout_s(settings) + _SPARE_S, pause_s + _SPARE_S)
