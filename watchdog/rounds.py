"""The rounds: look, sample, judge; every second, and at once when somebody dies or a glance finds anything.

A *glance* reads each process's memory and the age of its last beat, and nothing else: as long as all of them are well
and stay below what anybody would act on, a whole round would say the same as the last one. It is taken every interval,
and more rarely, down to once with each whole round, while all are so far from that that none could come near meanwhile.

supervisord is asked less often (each question costs it 2.6 ms) but always after a death, and before
a crash is believed. While it does not answer, the rounds go on and say what they see.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from ipc import logs
from ipc.pace import is_another_tick, until_tick_s

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from watchdog.clock import Clock
    from watchdog.looker import Looker
    from watchdog.records import Verdict
    from watchdog.registry import Heard, Registry
    from watchdog.watched import Watched

    Act = Callable[[Watched, Verdict, int], None]
    Note = Callable[[Watched, Heard | None, float], None]

_log = logs.log(__name__)

#: How often supervisord is asked when nothing happens, and while somebody starts or stops. A question costs
#: it 2.6 ms: 0.05 % of a core. Chosen, not measured.
LOOK_EVERY_S: Final = 5.0
_LOOK_SOON_S: Final = 1.0
#: Its states that do not change by themselves.
_AT_REST: Final = frozenset({"RUNNING", "STOPPED", "EXITED", "FATAL", "ABSENT"})
#: A whole round is made this often, at whole seconds, although every glance was clear: growth, progress and stuck work
#: show in it alone, and none of them is a matter of less than a second. Four a second would cost half as much again.
ROUND_EVERY_S: Final = 1.0
#: Where one more sample over a limit is enough to act, it is taken this soon: a leak of 200 MB/s is met 0.2 s earlier.
#: The kernel counts a process's pages in steps that a shorter wait might miss. Chosen, not measured.
CONFIRM_S: Final = 0.05
#: So much after the moment at which a growing process should be over its limit: a sample just before it would be none.
_HAIR_S: Final = 0.01
#: Between two lines about memory going up and down around a threshold. Chosen, not measured.
_TELL_EVERY_S: Final = 60.0
#: What a round may be late before somebody should read of it. Chosen, not measured.
_LATE_S: Final = 1.0


class Rounds:
    """Makes the rounds over ``watched``; ``act(watched, verdict, pid)`` gets each verdict that asks for an action.

    ``note(watched, beat, at_s)`` is told of every process that was judged, whatever the verdict.
    """

    def __init__(  # noqa: PLR0913 - whom to judge by what, and whom to tell
        self,
        watched: Collection[Watched],
        registry: Registry,
        clock: Clock,
        act: Act,
        note: Note,
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._watched = watched
        self._registry = registry
        self._clock = clock
        self._act = act
        self._note = note
        self._look_every_s = look_every_s
        self._every_s = min(ROUND_EVERY_S, look_every_s)
        self._wake = asyncio.Event()
        self._is_look_due = True
        self._made_at_s = 0.0
        #: For how long all are clear, as of the last glance.
        self._clear_s = 0.0
        self._told_at_s: dict[str, float] = {}

    def hurry(self) -> None:
        """Make the next round now, and ask supervisord in it."""
        self._is_look_due = True
        self._wake.set()

    async def pause(self, interval_s: float) -> None:
        """Wait for the next glance: ``interval_s``, or as the last one allows, or until hurried."""
        # A timer that sets the event costs a fifth of asyncio.timeout, which cancels and counts.
        timer = asyncio.get_running_loop().call_later(self.pause_s(interval_s), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
        self._wake.clear()

    def pause_s(self, interval_s: float) -> float:
        """Return how long that is: less than ``interval_s`` where somebody nears the limit, more where all are far.

        What grows is looked at when it should be over its limit. It must go on growing for that to be soon again.
        """
        if any(each.is_one_strike_short for each in self._watched):
            return min(interval_s, CONFIRM_S)
        usual_s = max(interval_s, min(self._clear_s, until_tick_s(self._every_s, time.monotonic())))
        coming_s = min((each.over_in_s for each in self._watched if each.over_in_s is not None), default=usual_s)
        return min(usual_s, max(CONFIRM_S, coming_s + _HAIR_S))

    def are_due(self) -> bool:
        """Take a glance; return whether there is anything in it, or a whole round is due anyway."""
        now_s = time.monotonic()
        if (late_s := self._clock.tick(now_s)) > _LATE_S:
            _log.warning("The watchdog itself was late: the lost time is held against nobody", lost_s=round(late_s, 1))
        at_s = self._clock.at(now_s)
        self._clear_s = min(each.clear_for_s(at_s, self._registry) for each in self._watched)
        is_time = is_another_tick(self._every_s, self._made_at_s, now_s)
        return is_time or self._is_look_due or self._registry.has_strangers or not self._clear_s

    async def make(self, looker: Looker) -> bool:
        """Make one round; return whether supervisord was asked in it."""
        now_s, look_every_s = time.monotonic(), self._look_every_s
        self._made_at_s = now_s
        if any(each.supervisor_state not in _AT_REST for each in self._watched):
            look_every_s = min(look_every_s, _LOOK_SOON_S)
        is_time = is_another_tick(look_every_s, looker.looked_at_s, now_s)
        has_looked = is_time or self._is_look_due or self._registry.has_strangers
        if has_looked:
            self._is_look_due = False
            await looker.look()
        for each in self._watched:
            if not each.is_being_mended and not each.is_out_of_date(looker.looked_at_s):
                self._judge(each)
        return has_looked

    def _judge(self, each: Watched) -> None:
        old_pid = each.record.identity[0] if each.record.identity else 0
        at_s = self._clock.at(time.monotonic())
        before = each.verdict
        each.verdict, each.record = each.judge(each.record, each.sample(at_s, self._registry), each.limits)
        if each.verdict.name != before.name:
            self._tell(each, at_s)
        self._note(each, self._registry.last(each.name), at_s)
        if each.verdict.action:
            self._act(each, each.verdict, old_pid)

    def _tell(self, each: Watched, at_s: float) -> None:
        """Log a change of verdict; memory around its threshold at most once in a while."""
        is_restless = each.verdict.name in {"ok", "warning", "strike"}
        last_s = self._told_at_s.get(each.name)
        if is_restless and last_s is not None and at_s - last_s < _TELL_EVERY_S:
            return
        self._told_at_s[each.name] = at_s
        log = _log.info if each.verdict.name in {"ok", "not judged", "recovered"} else _log.warning
        log("Verdict", name=each.name, verdict=each.verdict.name, reason=each.verdict.reason)
