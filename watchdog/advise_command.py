"""``sentimentagent watchdog advise``: thresholds that fit what each process was seen to need."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import msgspec

from ipc.baseline import baseline_mb
from ipc.environment import load
from ipc.errors import SettingsError
from ipc.life import EX_CONFIG
from ipc.logs import harmless
from ipc.messages import PROCESSES
from watchdog import advice, chronicle
from watchdog.learned import duration, learn
from watchdog.records import limits_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watchdog.advice import Advice
    from watchdog.learned import Learned


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
def advise(*, as_json: bool) -> None:
    """Propose warning levels and limits from the history, as lines for the settings file.

    Exit status 1: there is not enough history for all of them.
    """
    try:
        settings = load()
    except SettingsError as error:
        click.echo(f"wrong settings: {harmless(str(error))}", err=True)
        sys.exit(EX_CONFIG)
    folder = settings.folders.state / "samples"
    try:
        learned = [
            learn(
                process,
                list(chronicle.read(folder, process, 0)),
                limits_of(process, settings.watchdog, settings.life).forecast,
            )
            for process in PROCESSES
        ]
    except OSError as error:
        click.echo(f"unreadable: {harmless(str(error))}", err=True)
        sys.exit(1)
    found = advice.advise(learned, settings.watchdog, baseline_mb(settings.analyzer.sentiment_engine))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        click.echo("\n".join(describe(found)))
    sys.exit(1 if found.not_enough else 0)


def describe(found: Advice) -> Iterator[str]:
    """Yield the lines; all but the settings themselves are comments, so that the whole may be pasted."""
    for each in found.learned:
        yield f"# {_figures(each)}"
    for warning in found.warnings:
        yield f"# warning: {warning}"
    for proposal in found.proposals:
        yield ""
        yield f"# {proposal.reason}; in force: {proposal.warning_now_mb:g} and {proposal.limit_now_mb:g} MB"
        yield f"{proposal.warning}={proposal.warning_mb}"
        yield f"{proposal.limit}={proposal.limit_mb}"
    for names, lacking in found.not_enough.items():
        yield ""
        yield f"# {names}: not enough history"
        yield from (f"#   {words}" for words in lacking)


def _figures(learned: Learned) -> str:
    if learned.p50_mb is None:
        return f"{learned.process}: nothing was measured after its warm-up"
    growth = learned.growth_mb_per_day
    starts = (
        f"{learned.start_mb:.0f} MB after {_many(learned.starts, 'start', 'starts')}, "
        if learned.start_mb is not None
        else ""
    )
    return (
        f"{learned.process}: {starts}under {learned.p50_mb:.0f} MB in half of its spans, {learned.p99_mb:.0f} in 99 %,"
        f" {learned.p999_mb:.0f} in 99.9 %, {learned.highest_mb:.0f} in all; {learned.spans} spans of"
        f" {duration(learned.days * 86400)}, {_many(learned.lives, 'life', 'lives')}, {learned.left_out} left out;"
        f" {'no steady growth' if growth is None else f'grows by {growth:.1f} MB a day'}"
    )


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"
