"""Every drill there is: what runs it, whom it may hit, and what it does in a sentence, to be agreed to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from watchdog.drills import ends, spared
from watchdog.drills.mail import mail
from watchdog.drills.supervisor import supervisor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from watchdog.drills.exercise import Exercise

_WORKERS: Final = ("collector", "analyzer", "api")


class Drill(NamedTuple):
    """One of them."""

    #: Returns what it has shown; raises Failed or Refused.
    run: Callable[[Exercise], Awaitable[str]]
    #: Whom it may hit, the usual one first.
    processes: tuple[str, ...]
    #: What will happen, for somebody who is asked whether it may.
    does: str


#: In the order of the documentation.
DRILLS: Final = {
    "leak": Drill(ends.leak, _WORKERS, "makes {process} grow over its memory limit; it is restarted"),
    "hang": Drill(ends.hang, _WORKERS, "stops {process} by SIGSTOP; it is restarted after {hang_after_s:g} s"),
    "slow": Drill(spared.slow, _WORKERS, "stops {process} for seconds, three times; nobody is restarted"),
    "crash": Drill(ends.crash, _WORKERS, "kills {process} by SIGKILL; it is started again"),
    "oom": Drill(ends.oom, _WORKERS, "lets {process} have no more memory; it ends and is started again"),
    "disk": Drill(
        spared.disk, ("analyzer",), "lets the analyzer write nothing for seconds, and begins a collection cycle"
    ),
    "database": Drill(spared.database, ("api",), "locks the database for seconds; health is 503 meanwhile"),
    "mail": Drill(mail, ("watchdog",), "sends one test mail, first to a server that is away; {process} is not touched"),
    "watchdog": Drill(ends.watchdog, ("watchdog",), "kills the watchdog by SIGKILL; it is started again"),
    "supervisor": Drill(
        supervisor, ("watchdog",), "kills supervisord by SIGKILL; everything ends and is started again"
    ),
}
