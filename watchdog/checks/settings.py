"""The settings, as `sentimentagent config check` reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from watchdog.checks.finding import Claim, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipc.errors import SettingsError
    from ipc.settings import Settings

_READABLE: Final = Claim("settings.readable", "every value can be read, no name is unknown, nothing contradicts")
_MEANT: Final = Claim("settings.meant", "no setting without effect, no threshold below what a process holds anyway")


def check(settings: Settings) -> Iterator[Finding]:
    """Tell that the settings were read, and each warning about them."""
    origins = ", ".join(sorted(set(settings.origins.values())))
    found = f"{len(settings.origins)} set ({origins}), the rest are defaults" if origins else "all are defaults"
    yield _READABLE.ok(found)
    for warning in settings.warnings:
        yield _MEANT.warning(warning, "sentimentagent config check (shows every value and where it came from)")
    if not settings.warnings:
        yield _MEANT.ok("all of them do what they seem to do")


def unreadable(error: SettingsError) -> Finding:
    """Tell that the settings can't be read."""
    return _READABLE.wrong(str(error), "change or remove what is named, then: sentimentagent config check")
