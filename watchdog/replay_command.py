"""``sentimentagent watchdog replay``: what other thresholds would have done, told from the history on disk."""

from __future__ import annotations

import re
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Final

import click
import msgspec
from msgspec.structs import replace as with_other

from ipc.baseline import baseline_mb
from ipc.environment import load
from ipc.errors import SettingsError
from ipc.life import EX_CONFIG
from ipc.logs import harmless
from ipc.messages import PROCESSES
from watchdog import chronicle, dossier
from watchdog.learned import learn, started_mb
from watchdog.records import Limits, limits_of
from watchdog.replay import happened
from watchdog.replay import replay as replayed
from watchdog.replay_words import ASSUMPTIONS, CUT_SHORT, Replayed, Trial, describe

if TYPE_CHECKING:
    from ipc.messages import Incident
    from ipc.settings import Settings
    from watchdog.span import Span

_SECONDS: Final = {"m": 60.0, "h": 3600.0, "d": 86400.0}


def _ago_s(context: click.Context, parameter: click.Parameter, words: str) -> float:
    """Return the seconds of a time like 7d, 12h or 90m."""
    found = re.fullmatch(r"(\d{1,5})([mhd])", words)
    if found is None:
        raise click.BadParameter("a number and m, h or d, like 90m, 12h or 7d", context, parameter)
    return int(found[1]) * _SECONDS[found[2]]


@click.command()
@click.option("--limit-mb", type=click.FloatRange(min=0, min_open=True), help="Another limit.")
@click.option("--warning-mb", type=click.FloatRange(min=0, min_open=True), help="Another warning level.")
@click.option("--strikes", type=click.IntRange(min=1), help="Restart after so many samples over the limit ...")
@click.option("--strike-samples", type=click.IntRange(min=1), help="... of the last so many.")
@click.option("--process", type=click.Choice(PROCESSES), help="This process alone.")
@click.option("--since", "ago_s", callback=_ago_s, default="7d", show_default=True, help="How far back: 90m, 12h, 7d.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
def replay(*, process: str | None, ago_s: float, as_json: bool, **others: float | None) -> None:
    """Judge the recorded history again, with the thresholds in force and with others; nothing is done.

    Other memory thresholds are tried on all processes but the analyzer, which has settings of its own: name it with
    --process to try them on it. Exit status 1: there is no history.
    """
    given = {name: value for name, value in others.items() if value is not None}
    if given.get("warning_mb", 0) > given.get("limit_mb", float("inf")):
        raise click.UsageError("--warning-mb is above --limit-mb")
    try:
        settings = load()
    except SettingsError as error:
        click.echo(f"wrong settings: {harmless(str(error))}", err=True)
        sys.exit(EX_CONFIG)
    since_utc = time.time() - ago_s
    told = []
    for name in [process] if process else PROCESSES:
        limits = limits_of(name, settings.watchdog, settings.life)
        tried = _others(limits, given, is_memory_meant=name != "analyzer" or process == "analyzer")
        if found := _replay(settings, name, since_utc, limits, None if tried == limits else tried):
            told.append(found)
    if not told:
        folder = settings.folders.state / "samples"
        click.echo(f"no history of that time in {harmless(str(folder))}: a running watchdog writes it", err=True)
        sys.exit(1)
    everything = {"processes": told, "assumptions": " ".join([*ASSUMPTIONS, *CUT_SHORT])}
    click.echo(msgspec.json.encode(everything).decode() if as_json else describe(told))


def _others(limits: Limits, given: dict[str, float], *, is_memory_meant: bool) -> Limits:
    """Return the limits with what was given; a warning and a limit make room for each other."""
    if is_memory_meant and (limit_mb := given.get("limit_mb")):
        limits = with_other(limits, limit_mb=limit_mb, warning_mb=min(limits.warning_mb, limit_mb))
    if is_memory_meant and (warning_mb := given.get("warning_mb")):
        limits = with_other(limits, warning_mb=warning_mb, limit_mb=max(limits.limit_mb, warning_mb))
    strikes = int(given.get("strikes", limits.strikes))
    samples = int(given.get("strike_samples", limits.strike_samples))
    return with_other(limits, strikes=strikes, strike_samples=max(strikes, samples))


def _replay(
    settings: Settings, process: str, since_utc: float, limits: Limits, tried: Limits | None
) -> Replayed | None:
    """Return what the history of one process comes to; None where there is none."""
    try:
        spans = list(chronicle.read(settings.folders.state / "samples", process, since_utc))
    except OSError as error:
        click.echo(f"unreadable: {harmless(str(error))}", err=True)
        sys.exit(1)
    if not any(span.identity for span in spans):
        return None
    starts_mb = started_mb(spans)
    start_mb = median(starts_mb) if starts_mb else float(baseline_mb(settings.analyzer.sentiment_engine)[process])
    return Replayed(
        process=process,
        from_utc=spans[0].at_utc,
        to_utc=spans[-1].at_utc,
        spans=len(spans),
        measured_s=sum(span.span_s for span in spans if span.identity),
        start_mb=start_mb,
        starts=len(starts_mb),
        half_the_time_mb=learn(process, spans, limits.forecast).p50_mb,
        happened=happened(spans),
        now=_trial(spans, limits, start_mb),
        tried=_trial(spans, tried, start_mb) if tried else None,
        incidents=_incidents(settings, process, since_utc),
    )


def _trial(spans: list[Span], limits: Limits, start_mb: float) -> Trial:
    return Trial(
        warning_mb=limits.warning_mb,
        limit_mb=limits.limit_mb,
        strikes=limits.strikes,
        strike_samples=limits.strike_samples,
        outcome=replayed(spans, limits, start_mb),
    )


def _incidents(settings: Settings, process: str, since_utc: float) -> tuple[Incident, ...]:
    found = [each.incident for each in dossier.all_of(settings.folders.state)]
    return tuple(each for each in found if each.process == process and each.opened_utc >= since_utc)
