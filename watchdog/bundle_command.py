"""``sentimentagent bundle``: what a helper elsewhere needs to see, in one archive that may be shown to strangers.

Everything goes through :mod:`watchdog.scrub`; logs also through :mod:`watchdog.log_excerpt`. No database is opened for
its contents: what is not collected can't leak.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec
import psutil

from ipc.channel import ask
from ipc.config_command import describe
from ipc.environment import load, names_in_file, settings_file
from ipc.errors import SettingsError, Unavailable
from ipc.life import EX_CONFIG
from ipc.logs import harmless
from ipc.messages import Status
from watchdog import doctor_command, health, log_excerpt, survey, web
from watchdog.archive import Archive
from watchdog.bounded import within
from watchdog.scrub import Scrubber, secrets_of
from watchdog.start_command import address, supervisor_socket
from watchdog.status_words import judge
from watchdog.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipc.settings import Settings

    Part = Callable[[Settings], Any]

#: The doctor's groups are bounded one by one; all of them together take no longer. Chosen, not measured.
_PART_S: Final = 120.0
_ANSWER_S: Final = 5.0
#: The processes' own, the shared one, supervisord's, and what somebody left there. Chosen, not measured.
MAX_LOGS: Final = 12
_MB: Final = 1024 * 1024

NOTES: Final = """\
Taken out:
  secrets of the settings, in every form that they could stand in; what looks like one; mail addresses; Reddit's users
  of the logs, lines that no part of SentimentAgent wrote, and values that could quote what somebody wrote: (left out)
  of the errors in them, the words; their types and calls are there

Never collected:
  posts, comments and their authors (sentiment.db or Cosmos DB, outbox.db), the settings file, alerts that wait, the
  evidence of incidents (sentimentagent incidents show ID)

Look through it before you send it."""


@click.command()
@click.option(
    "--output",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    default=Path(),
    help="The folder to write the archive into; by default the current one.",
)
def bundle(*, output: Path) -> None:
    """Collect settings, state, findings and logs for support, without secrets and without anybody's text."""
    try:
        settings = load()
        scrubber = Scrubber(secrets_of(settings, names_in_file(settings_file(os.environ)), os.environ))
    except SettingsError as error:
        click.echo(f"wrong settings: {harmless(str(error))}", err=True)
        sys.exit(EX_CONFIG)
    now_utc = time.time()
    archive = Archive(f"sentimentagent-bundle-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now_utc))}", now_utc)
    collect(archive, settings, scrubber)
    manifest = archive.manifest(NOTES)
    try:
        path = archive.write(output.absolute(), NOTES)
    except OSError as error:
        click.echo(f"not written: {harmless(str(error))}", err=True)
        sys.exit(1)
    click.echo(manifest)
    click.echo(path)


def collect(archive: Archive, settings: Settings, scrubber: Scrubber) -> None:
    """Put every part into ``archive``, or why it is not there."""
    for name, (about, part) in PARTS.items():
        _put(archive, scrubber, name, about, lambda part=part: part(settings))  # type: ignore[misc]
    logs = sorted(settings.folders.logs.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in logs[:MAX_LOGS]:
        about = f"its last {log_excerpt.MAX_BYTES // _MB} MB at most"
        _put(archive, scrubber, f"logs/{path.name}", about, lambda path=path: log_excerpt.excerpt(path))  # type: ignore[misc]
    if not logs:
        archive.miss("logs", f"no log is in {settings.folders.logs}")


def _put(archive: Archive, scrubber: Scrubber, name: str, about: str, make: Callable[[], Any]) -> None:
    try:
        made = within(_PART_S, make)
    except Exception as error:  # noqa: BLE001 - a part that breaks is noted as missing; the others are worth having
        archive.miss(name, harmless(scrubber.text(f"{type(error).__name__}: {error}"), 300))
        return
    if isinstance(made, str):
        archive.put(name, scrubber.text(made), about)
    else:
        value = scrubber.value(msgspec.to_builtins(made))
        archive.put(name, msgspec.json.format(msgspec.json.encode(value), indent=1).decode(), about)


def _status(settings: Settings) -> dict[str, Any]:
    found = survey.make(settings)
    return {"verdict": judge(found), "survey": found}


def _report(settings: Settings) -> Any:  # noqa: ANN401 - whatever the watchdog answers
    return asyncio.run(ask(settings.folders.socket("watchdog"), Status(), _ANSWER_S))


def _health(settings: Settings) -> Any:  # noqa: ANN401 - whatever JSON can hold
    answer = web.get(health.address(address(settings.api)), _ANSWER_S)
    try:
        return msgspec.json.decode(answer.body)
    except msgspec.DecodeError as error:
        raise Unavailable(f"the API answered {answer.status}, and no JSON") from error


def _findings(_settings: Settings) -> Any:  # noqa: ANN401 - the doctor's findings
    return list(doctor_command.findings())


def _supervisor(settings: Settings) -> Any:  # noqa: ANN401 - supervisord's programs
    return asyncio.run(Supervisor(str(supervisor_socket(settings))).programs())


def _versions(_settings: Settings) -> str:
    found = {each.metadata["Name"] or "?": each.version for each in metadata.distributions()}
    return "".join(f"{name}=={version}\n" for name, version in sorted(found.items(), key=lambda each: each[0].lower()))


def _machine(_settings: Settings) -> dict[str, Any]:
    memory = psutil.virtual_memory()
    return {
        "python": sys.version,
        "kernel": platform.release(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME"),
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
        "memory_mb": memory.total // _MB,
        "memory_available_mb": memory.available // _MB,
        "swap_used_mb": psutil.swap_memory().used // _MB,
        "up_s": time.clock_gettime(time.CLOCK_BOOTTIME),
        "user_id": os.geteuid(),
    }


def _files(settings: Settings) -> str:
    lines = []
    for folder in (settings.folders.run, settings.folders.state, settings.folders.logs):
        for path in sorted(folder.rglob("*")) if folder.exists() else ():
            status = path.lstat()
            changed = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(status.st_mtime))
            lines.append(
                f"{status.st_mode:06o} {status.st_uid:>6} {status.st_size:>12} {changed} {harmless(str(path))}\n"
            )
    return "".join(lines)


def _decisions(settings: Settings) -> str:
    return "\n".join(log_excerpt.tail(settings.folders.state / "decisions.ndjson", log_excerpt.MAX_BYTES))


def _settings_text(settings: Settings) -> str:
    return "".join(f"# warning: {harmless(each)}\n" for each in settings.warnings) + describe(settings) + "\n"


#: By its name in the archive: what it is, and who makes it.
PARTS: Final[dict[str, tuple[str, Part]]] = {
    "settings.txt": ("the settings in force and where each came from", _settings_text),
    "status.json": ("the verdict, and what everybody answered", _status),
    "watchdog.json": ("all that the watchdog tells, with its last incidents", _report),
    "decisions.ndjson": ("what the watchdog decided, and which rule stopped what", _decisions),
    "health.json": ("health as the API tells it", _health),
    "doctor.json": ("every check, what it found, and what mends it", _findings),
    "supervisor.json": ("supervisord's programs", _supervisor),
    "versions.txt": ("the installed packages", _versions),
    "machine.json": ("the machine and its Python", _machine),
    "files.txt": ("names, sizes and permissions of our files", _files),
}
