"""``incident.json``: what is known of an incident in a few figures, beside its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ipc.messages import Incident, ProcessReport

if TYPE_CHECKING:
    from pathlib import Path


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    incident: Incident
    #: When the evidence was taken, and how long that took.
    at_utc: float
    took_s: float
    #: The process as the watchdog knew it; its last beat names the unit in hand.
    process: ProcessReport


def read(path: Path) -> Recorded:
    """Return an ``incident.json``.

    Raises:
        OSError: it can't be read.
        msgspec.MsgspecError, UnicodeDecodeError: it is none.

    """
    return msgspec.json.decode(path.read_bytes(), type=Recorded)
