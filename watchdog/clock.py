"""The watchdog's clock: monotonic, and standing still while the watchdog does.

A watchdog that was suspended, frozen or starved has not seen anybody's silence, so such a time
must not be held against anybody. Every age that the policy judges is measured on this clock.
Pure: the caller brings the monotonic seconds.
"""

from __future__ import annotations


class Clock:
    """Counts only time during which the watchdog made its rounds.

    ``longest_step_s`` is the most that may lie between two rounds; what is beyond it is lost time.
    """

    def __init__(self, monotonic_s: float, longest_step_s: float) -> None:
        self._last_s = monotonic_s
        self._longest_step_s = longest_step_s
        self._now_s = 0.0
        #: Seconds that were not counted since the start.
        self.lost_s = 0.0

    def tick(self, monotonic_s: float) -> float:
        """Begin a round: advance to ``monotonic_s`` and return by how much this round was late."""
        step_s = max(0.0, monotonic_s - self._last_s)
        counted_s = min(step_s, self._longest_step_s)
        self._last_s = monotonic_s
        self._now_s += counted_s
        self.lost_s += step_s - counted_s
        return step_s - counted_s

    def at(self, monotonic_s: float) -> float:
        """Return the time at ``monotonic_s`` without beginning a round."""
        return self._now_s + min(max(0.0, monotonic_s - self._last_s), self._longest_step_s)
