"""The wall clock: against the stored items, and by the word of timedatectl."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Final

from watchdog.checks.database import newest_collected_utc
from watchdog.checks.finding import Claim, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipc.settings import Settings

#: A clock may be this far off before it matters to windows of hours. Chosen, not measured.
TOLERANCE_S: Final = 60.0
#: timedatectl asks a service over D-Bus. Chosen, not measured.
_TIMEDATECTL_S: Final = 5.0
_MEND: Final = "timedatectl set-ntp true"
_ITEMS: Final = Claim("clock.items", "the newest stored item was collected in the past")


def check(settings: Settings) -> Iterator[Finding]:
    """Look at the clock from both sides."""
    if settings.store.cosmos_endpoint:
        yield _ITEMS.not_checked("the items are in Cosmos DB, which refuses a key when this clock is 15 minutes off")
    else:
        yield against_items(newest_collected_utc(settings.folders.store), time.time())
    yield synchronised()


def against_items(newest_utc: float | None, now_utc: float) -> Finding:
    """Judge whether the newest item comes from the past: to a clock that was set back it looks new for ever."""
    if newest_utc is None:
        return _ITEMS.not_checked("nothing is stored yet, or the store can't be read")
    ahead_s = newest_utc - now_utc
    found = f"the newest was collected {abs(ahead_s):.0f} s {'from now' if ahead_s > 0 else 'ago'}"
    return _ITEMS.wrong(found, f"set the clock: {_MEND}") if ahead_s > TOLERANCE_S else _ITEMS.ok(found)


def synchronised() -> Finding:
    """Ask timedatectl whether the clock is held right by NTP."""
    claim = Claim("clock.ntp", "the clock is synchronised")
    program = shutil.which("timedatectl")
    if program is None:
        return claim.not_checked("timedatectl is not here")
    command = [program, "show", "--property=NTPSynchronized", "--value"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEDATECTL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return claim.not_checked(f"timedatectl: {type(error).__name__}")
    match done.stdout.strip():
        case "yes":
            return claim.ok("timedatectl says yes")
        case "no":
            return claim.warning("timedatectl says no", _MEND)
        case _:
            return claim.not_checked(f"timedatectl: {next(iter(done.stderr.splitlines()), 'no answer')}")
