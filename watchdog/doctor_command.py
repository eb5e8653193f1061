"""``sentimentagent doctor``: named checks, each with what is required, what was found, and what mends it.

Each group runs in a thread of its own and is bounded in time, so that one that hangs or breaks is "not checked" and
costs no other one anything.
"""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Final

import click
import msgspec

from ipc.environment import load
from ipc.errors import SettingsError
from ipc.logs import harmless
from watchdog.bounded import within
from watchdog.checks import clock, database, folders, installation, machine, mail, reddit, service, settings, sockets
from watchdog.checks.finding import Claim, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ipc.settings import Settings

    Group = Callable[[Settings], Iterable[Finding]]

#: The longest step is a mail server that answers each of five commands at the last moment. Chosen, not measured.
GROUP_S: Final = 60.0
_WIDTH: Final = 118

#: In the order in which they are shown.
GROUPS: Final[dict[str, Group]] = {
    "settings": settings.check,
    "extras": installation.called_for,
    "folders": folders.check,
    "sockets": sockets.check,
    "machine": machine.check,
    "database": database.check,
    "clock": clock.check,
    "service": service.check,
    "reddit": reddit.check,
    "mail": mail.check,
}


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """All findings, and whether none of them is wrong."""

    well: bool
    checks: list[Finding]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(*, as_json: bool) -> None:
    """Check everything that this copy needs. Exit status 0: nothing is wrong; 1: something is."""
    found = []
    for finding in findings():
        found.append(finding)
        if not as_json:
            click.echo(describe(finding))
    diagnosis = Diagnosis(well=all(each.result != "wrong" for each in found), checks=found)
    click.echo(msgspec.json.encode(diagnosis).decode() if as_json else summary(found))
    sys.exit(0 if diagnosis.well else 1)


def findings() -> Iterator[Finding]:
    """Yield the finding of every check, group by group."""
    yield from bounded("venv", installation.check)
    try:
        known = load()
    except SettingsError as error:
        yield settings.unreadable(error)
        for name in [name for name in GROUPS if name != "settings"]:
            yield Claim(name, "the settings say where to look").not_checked("the settings can't be read")
        return
    for name, check in GROUPS.items():
        yield from bounded(name, lambda check=check: check(known))  # type: ignore[misc]


def bounded(group: str, check: Callable[[], Iterable[Finding]], limit_s: float = GROUP_S) -> list[Finding]:
    """Return what the group found within ``limit_s``, and a finding for what it could not check."""
    found: list[Finding] = []

    def run() -> None:
        found.extend(check())

    try:
        within(limit_s, run)
    except Exception as error:  # noqa: BLE001 - a check that breaks is no finding about the system
        why = f"the check itself failed: {type(error).__name__} {error}"
        found = [*found, Claim(group, "the check can be made").not_checked(why)]
    return list(found)


def describe(finding: Finding) -> str:
    """Return the finding for people: one line when all is well, else with what is required and what mends it."""
    lines = [_paragraph(f"{finding.result:<12}{finding.name:<24}", finding.found)]
    if finding.result != "ok":
        lines.append(_paragraph(f"{'':<12}{'required':<24}", finding.required))
        if finding.mend:
            lines.append(_paragraph(f"{'':<12}{'to mend it':<24}", finding.mend))
    return "\n".join(lines)


def summary(found: list[Finding]) -> str:
    """Return how many of each result there are."""
    counts = {result: sum(each.result == result for each in found) for result in ("ok", "warning", "wrong")}
    counts["not checked"] = len(found) - sum(counts.values())
    return f"{len(found)} checks: " + ", ".join(f"{count} {result}" for result, count in counts.items())


def _paragraph(head: str, words: str) -> str:
    # A long path or command stays whole: it is there to be copied.
    return textwrap.fill(
        harmless(words),
        _WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )
