"""The log of decisions: each change of a verdict, what was done, or which rule stopped that. Bounded.

One JSON object a line in `decisions.ndjson`; full, it becomes `decisions.ndjson.1` and a new one is begun.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import msgspec

from ipc import logs

if TYPE_CHECKING:
    from pathlib import Path

    from watchdog.records import Verdict
    from watchdog.watched import Watched

_log = logs.log(__name__)

#: Two files of this size are all there is: about 4000 changes each. Chosen, not measured.
MAX_BYTES: Final = 1024 * 1024


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One line."""

    at_utc: float
    process: str
    verdict: str
    reason: str
    cause: str | None
    #: What was begun, or would have been; None where nothing was called for.
    action: str | None
    #: The rule that stopped it; None where it was begun.
    held_by: str | None
    memory_mb: float | None
    memory_limit_mb: float


class Decisions:
    """Writes the log at ``path``."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._last: dict[str, tuple[object, ...]] = {}
        self._is_failing = False

    def note(self, each: Watched) -> None:
        """Write down the verdict on ``each``, unless it is the same as the last one."""
        verdict = each.verdict
        rule = held_by(verdict)
        change = (verdict.name, verdict.cause, verdict.action, rule)
        if self._last.get(each.name) == change:
            return
        self._last[each.name] = change
        self._write(
            Decision(
                at_utc=time.time(),
                process=each.name,
                verdict=verdict.name,
                reason=verdict.reason,
                cause=verdict.cause,
                action=verdict.action or verdict.withheld,
                held_by=rule,
                memory_mb=each.memory_mb,
                memory_limit_mb=each.limits.limit_mb,
            )
        )

    def _write(self, decision: Decision) -> None:
        try:
            with open(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:  # noqa: PTH123
                file.write(msgspec.json.encode(decision) + b"\n")
                is_full = file.tell() > self._max_bytes
            if is_full:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        except OSError as error:
            if not self._is_failing:
                _log.error("Decisions are not written down", path=str(self._path), reason=str(error))
            self._is_failing = True
        else:
            self._is_failing = False


def held_by(verdict: Verdict) -> str | None:
    """Return the rule that kept a verdict from an action; None where there was none to keep."""
    if verdict.withheld:
        return "shadow"
    if verdict.action is not None:
        return None
    return _HELD.get((verdict.name, verdict.cause)) or _HELD.get((verdict.name, None))


_HELD: Final[dict[tuple[str, str | None], str]] = {
    ("strike", None): "strikes",
    ("warning", "forecast"): "quiet window",
    ("warning", "unhelped"): "back-off",
    ("warning", "family"): "back-off",
    ("warning", "hung"): "no supervisord",
    ("warning", "stuck"): "no supervisord",
    ("quarantined", None): "quarantine",
    ("stopped", None): "operator",
}
