"""A survey in words: the verdict and its reasons, then a table. Pure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ipc.logs import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watchdog.freshness import Fresh
    from watchdog.survey import Row, Survey

#: Exit statuses of the Linux Standard Base for a service's ``status``.
LSB_RUNNING: Final = 0
LSB_DEAD: Final = 1
LSB_NOT_RUNNING: Final = 3
LSB_UNKNOWN: Final = 4

#: What the watchdog says of a process that needs nobody.
_WELL: Final = frozenset({"ok", "not judged"})
_NOT_MEASURED: Final = "-"
#: Each column's head and width; a negative one stands to the right, as figures do.
_COLUMNS: Final = (
    ("process", 10),
    ("state", 8),
    ("pid", -7),
    ("memory/limit MB", -15),
    ("MB/h", -6),
    ("limit in", -8),
    ("cpu %", -5),
    ("beat s", -6),
    ("progress", -8),
    ("waits for", 9),
    ("restarts", -8),
    ("last restart", 12),
)
_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0
_DAY_S: Final = 24 * _HOUR_S


class Verdict(msgspec.Struct, frozen=True):
    """The survey in a word."""

    status: Literal["healthy", "degraded", "unhealthy", "stopped", "dead", "unknown"]
    #: A sentence each; empty when healthy.
    reasons: tuple[str, ...]
    exit_status: int


def judge(survey: Survey) -> Verdict:
    """Judge: exit status 0 when all processes are ready, whatever else is degraded; else 1, 3 or 4 as the LSB says."""
    if not survey.watchdog_answers and not survey.supervisor_answers:
        return _without_answers(survey)
    unready = {row.process: f"{row.process} is {_state(row)}" for row in survey.rows if row.state != "ready"}
    if not survey.watchdog_answers:
        unready = {"the watchdog": "the watchdog does not answer, and only it knows who is ready"}
    reasons = tuple(_reasons(survey, unready))
    told = survey.health.status if survey.health else "degraded"
    status = "degraded" if told == "healthy" and reasons else told
    return Verdict(status, reasons, LSB_NOT_RUNNING if unready else LSB_RUNNING)


def describe(survey: Survey, verdict: Verdict, url: str, now_utc: float, width: int) -> str:
    """Return the verdict in a line, a table of the processes, and what else is known; ``width`` in characters."""
    ready = (f"all ready, open {url}",) if verdict.exit_status == LSB_RUNNING else ()
    first = f"SentimentAgent is {verdict.status}: {'; '.join((*verdict.reasons, *ready))}"
    if verdict.status in {"stopped", "dead", "unknown"}:
        return _wrapped(harmless(first), width)
    lines = [_alerts(survey)] if survey.alerts is not None else []
    lines += [f"open incident: {each.process} {each.kind}: {each.reason}; {each.action}" for each in survey.incidents]
    lines += [f"warning: {each}" for each in survey.warnings]
    if survey.fresh is not None:
        lines.append(f"newest items: {_newest(survey, survey.fresh)}")
    lines += [f"not asked: {each}" for each in survey.unasked]
    table = [harmless(line) for line in _table(survey.rows, now_utc)]
    return "\n".join([_wrapped(harmless(first), width), *table, *(_wrapped(harmless(line), width) for line in lines)])


def span(seconds: float | None) -> str:
    """Return a time in the unit that a reader thinks in."""
    if seconds is None:
        return _NOT_MEASURED
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    return f"{seconds / _HOUR_S:.0f} h" if seconds < 2 * _DAY_S else f"{seconds / _DAY_S:.0f} days"


def _without_answers(survey: Survey) -> Verdict:
    match survey.supervisor_socket:
        case "not there":
            return Verdict("stopped", (f"nothing runs with the home {survey.home}",), LSB_NOT_RUNNING)
        case "stale":
            return Verdict("dead", (f"supervisord was killed, and left its socket in {survey.home}",), LSB_DEAD)
        case _:
            return Verdict("unknown", survey.unasked, LSB_UNKNOWN)


def _reasons(survey: Survey, unready: dict[str, str]) -> Iterator[str]:
    """Yield a sentence for each thing that is not well: the watchdog's word of a process before the API's."""
    troubled = {row.process: row for row in survey.rows if row.verdict is not None and row.verdict not in _WELL}
    for row in troubled.values():
        yield f"{row.process} {row.verdict} ({row.reason})"
    told = survey.health.reasons if survey.health else ("the API does not answer",)
    others = [each for each in told if not each.startswith(tuple(f"{process} " for process in troubled))]
    yield from others
    for name, words in unready.items():
        if name not in troubled and not any(each.startswith(f"{name} ") for each in others):
            yield words


def _table(rows: list[Row], now_utc: float) -> Iterator[str]:
    """Yield the lines of the table: words stand to the left, figures to the right."""
    yield "  ".join(f"{head:<{width}}" if width > 0 else f"{head:>{-width}}" for head, width in _COLUMNS).rstrip()
    for row in rows:
        cells = zip(_cells(row, now_utc), _COLUMNS, strict=True)
        yield "  ".join(f"{cell:<{width}}" if width > 0 else f"{cell:>{-width}}" for cell, (_, width) in cells).rstrip()


def _cells(row: Row, now_utc: float) -> tuple[str, ...]:
    return (
        row.process,
        _state(row),
        str(row.pid or _NOT_MEASURED),
        f"{_figure(row.memory_mb, 0)}/{row.memory_limit_mb:.0f}",
        _figure(row.slope_mb_per_h, 1),
        span(row.limit_reached_in_s),
        _figure(row.cpu_percent, 1),
        _figure(row.beat_age_s, 1),
        span(row.progress_age_s),
        row.waiting_for or _NOT_MEASURED,
        _NOT_MEASURED if row.restarts is None else str(row.restarts),
        _last_restart(row, now_utc),
    )


def _state(row: Row) -> str:
    return row.state or (row.supervisor_state or "not known").lower()


def _last_restart(row: Row, now_utc: float) -> str:
    if row.last_restart_utc is None:
        return ""
    return f"{span(max(0.0, now_utc - row.last_restart_utc))} ago: {row.last_restart_reason or 'nobody said why'}"


def _alerts(survey: Survey) -> str:
    return f"alerts: {survey.alerts}" + (f", {survey.alerts_waiting} waiting" if survey.alerts_waiting else "")


def _newest(survey: Survey, fresh: list[Fresh]) -> str:
    """Return the age of each subreddit's newest item; of an empty store nobody can say that a week was quiet."""
    if survey.health is None or survey.health.database.items != 0:
        return ", ".join(map(_fresh, fresh))
    return ", ".join(["nothing stored yet", *(f"{each.subreddit}{_failing(each)}" for each in fresh if each.failing)])


def _fresh(each: Fresh) -> str:
    age = "none for a week" if each.age_s is None else span(each.age_s).replace(" ", "")
    return f"{each.subreddit} {age}{_failing(each)}"


def _failing(each: Fresh) -> str:
    return f" (not read: {each.failing})" if each.failing else ""


def _figure(value: float | None, digits: int) -> str:
    return _NOT_MEASURED if value is None else f"{value:.{digits}f}"


def _wrapped(line: str, width: int) -> str:
    return textwrap.fill(line, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
