"""``sentimentagent drill``: make a fault on purpose in the running copy, and see that it is noticed, mended and told.

What each drill does is :mod:`watchdog.drills`. Here is what they have in common: it is refused where it could show
nothing or do harm, agreed to before it begins, guarded while it lasts, and answered by an exit status.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click
import msgspec
import structlog

from ipc.environment import load
from ipc.errors import SettingsError, Unavailable
from ipc.life import EX_CONFIG
from ipc.logs import harmless
from watchdog.drills.course import Course, Failed, Outcome, Refused, Result, Seen
from watchdog.drills.exercise import Exercise
from watchdog.drills.guard import LONGEST_S, Guard
from watchdog.drills.scene import Scene
from watchdog.drills.supervisor import refuse_without_systemd
from watchdog.drills.table import DRILLS, Drill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipc.settings import Settings

EXIT: Final[dict[Result, int]] = {"pass": 0, "fail": 1, "refused": 2}
#: Beside the silence that is a hang: the model's loading, the mail's wait for it, a slow mail server. Chosen.
PATIENCE_S: Final = 90.0


@click.command()
@click.argument("name", metavar="|".join(DRILLS), type=click.Choice(list(DRILLS)))
@click.option("--process", help="Whom to hit: collector, analyzer or api, where the drill lets you choose.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.option("--yes", is_flag=True, help="Do not ask before the running copy is touched.")
@click.option(
    "--within",
    "within_s",
    type=click.FloatRange(min=1, max=LONGEST_S),
    help=f"Seconds for all of it; {PATIENCE_S:g} and five times WATCHDOG_HANG_AFTER_S if not said.",
)
def drill(name: str, process: str | None, *, as_json: bool, yes: bool, within_s: float | None) -> None:
    """Make a fault on purpose in the running copy, and see that it is noticed, mended and told.

    Exit status 0: all that should follow did; 1: it did not; 2: refused, and nothing was touched.
    """
    try:
        settings = load()
    except SettingsError as error:
        click.echo(f"wrong settings: {harmless(str(error))}", err=True)
        sys.exit(EX_CONFIG)
    # What the watchdog's code has to warn of here stands in the course.
    quiet = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=quiet, logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    course = Course(lambda seen: None if as_json else click.echo(_line(seen)))
    target = process
    try:
        target = _target(DRILLS[name], process)
        with _alone(settings.folders.run):
            within_s = within_s or min(LONGEST_S, PATIENCE_S + 5 * settings.watchdog.watchdog_hang_after_s)
            asyncio.run(_look_first(name, Scene(settings, within_s), may_end=yes))
            if not yes:
                _ask(name, target, settings)
            shown = asyncio.run(_run(name, target, Scene(settings, within_s), course))
        result: Result = "pass"
    except Refused as refusal:
        result, shown = "refused", str(refusal)
    except (Failed, Unavailable, OSError) as failure:
        result, shown = "fail", str(failure)
    outcome = Outcome(drill=name, process=target, result=result, reason=harmless(shown), course=tuple(course.seen))
    click.echo(msgspec.json.encode(outcome).decode() if as_json else f"{result}: {outcome.reason}")
    sys.exit(EXIT[result])


async def _look_first(name: str, scene: Scene, *, may_end: bool) -> None:
    """Refuse a drill in a copy that is not well, or that nobody would start again."""
    try:
        is_ready = await scene.is_ready()
    except Unavailable as error:
        home = scene.settings.folders.home
        raise Refused(f"{error} (is SentimentAgent running with the home {home}?)") from error
    if not is_ready:
        raise Refused("not all processes are ready: what is ill already would be no drill")
    if name == "supervisor" and not may_end:
        await refuse_without_systemd(scene.settings)


async def _run(name: str, target: str, scene: Scene, course: Course) -> str:
    with Guard() as guard:
        return await DRILLS[name].run(Exercise(target, scene, guard, course))


def _target(chosen: Drill, process: str | None) -> str:
    if process is not None and process not in chosen.processes:
        raise Refused(f"this drill hits {' or '.join(chosen.processes)}, not {process}")
    return process or chosen.processes[0]


def _ask(name: str, target: str, settings: Settings) -> None:
    """Have it agreed to."""
    does = DRILLS[name].does.format(process=target, hang_after_s=settings.watchdog.watchdog_hang_after_s)
    words = f"The drill {name} {does}. It is done to the running copy in {settings.folders.home}. Begin?"
    try:
        is_agreed = click.confirm(words, err=True)
    except click.Abort:
        is_agreed = False
    if not is_agreed:
        raise Refused("not agreed to; --yes agrees beforehand")


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Let one drill at a time be made; the kernel releases the lock of one that was killed."""
    try:
        file = (run / "drill.lock").open("ab")
    except OSError as error:
        raise Refused(f"{run} can't be used ({error.strerror}): is SentimentAgent running with this home?") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused("another drill is under way") from error
        yield


def _line(seen: Seen) -> str:
    return f"{seen.after_s:>7.2f} s  {seen.stage:<12} {harmless(seen.words)}"
