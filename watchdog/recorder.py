"""The flight recorder: one folder an incident with what was known before the process was ended.

It has its own limit of time, and whatever goes wrong in it is a log line: it never stops a restart and never
delays one beyond the limit. ``docs/incidents.md`` tells what is in a folder.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from ipc import logs, stacks
from ipc.messages import PROCESSES
from ipc.settings import GROUPS, Secret
from watchdog import daemon_thread, dossier, evidence, log_tail
from watchdog.folders import prune, put_file, put_folder
from watchdog.history import History
from watchdog.recorded import Recorded, read

if TYPE_CHECKING:
    from ipc.messages import Incident, ProcessReport
    from ipc.settings import Settings
    from watchdog.registry import Heard
    from watchdog.sample import Process
    from watchdog.watched import Watched

_log = logs.log(__name__)

#: How often the history goes to disk and old folders go away. Chosen: a minute is what a killed watchdog loses.
UPKEEP_EVERY_S: Final = 60.0
#: A secret shorter than this would be found in every other word.
_SHORTEST_SECRET: Final = 4
#: Of the limit, what is left for putting the folder on disk (1 to 3 ms, measured).
_FOR_WRITING: Final = 0.1
#: What is attached to a mail at most; a whole one of ours has 8 to 12 kB. Chosen, not measured.
MAX_ATTACHED_CHARACTERS: Final = 32 * 1024


class Recorder:
    """Keeps the history, and the folders of the incidents. ``proc`` is where the kernel tells of processes."""

    def __init__(self, settings: Settings, proc: Path = Path("/proc")) -> None:
        self.folder = settings.folders.state / "incidents"
        self._settings = settings
        self._proc = proc
        self._limit_s = settings.watchdog.incident_snapshot_s
        self._history = History(settings.folders.state / "history")
        self._secrets = _secrets(settings)

    def note(self, each: Watched, heard: Heard | None, at_s: float) -> None:
        """Keep how a process is, ``at_s`` on the watchdog's clock."""
        self._history.note(each, heard, at_s)

    async def load(self) -> None:
        """Take up the history that the last life of the watchdog left."""
        try:
            await asyncio.to_thread(self._history.load, PROCESSES)
        except OSError as error:
            _log.warning("The history of before is not used", reason=str(error))

    async def record(self, incident: Incident, before: ProcessReport, process: Process | None) -> None:
        """Put the evidence of an incident into its folder; never raises, never takes longer than the limit.

        ``process`` is asked while it lives; None when it has ended. When the same incident happens again, its first
        evidence stays, and the last is kept beside it, in ``latest``.
        """
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(self._limit_s):
                texts = await evidence.gather(
                    self._parts(incident.process, process), self._limit_s * (1 - _FOR_WRITING)
                )
                recorded = Recorded(
                    incident=incident, at_utc=time.time(), took_s=round(time.monotonic() - began_s, 3), process=before
                )
                await daemon_thread.begin(partial(self._put, incident.id, self._contents(recorded, texts)), "evidence")
        except TimeoutError:
            _log.warning("Evidence not kept: it took too long", incident=incident.id, limit_s=self._limit_s)
        except Exception as error:  # noqa: BLE001 - a recorder that fails must not stop a restart
            _log.error("Evidence not kept", incident=incident.id, kind=type(error).__name__, reason=str(error))
        else:
            _log.info("Evidence kept", incident=incident.id, took_s=round(time.monotonic() - began_s, 3))

    async def update(self, incident: Incident) -> None:
        """Write into its folder what has become of an incident; nothing where it has none."""
        try:
            path = self.folder / incident.id / "incident.json"
            async with asyncio.timeout(self._limit_s):
                await daemon_thread.begin(partial(_update, path, incident), "incident")
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            _log.warning("Incident not brought up to date", incident=incident.id, reason=str(error))

    async def digest(self, incident: Incident) -> str:
        """Return the evidence of an incident in words, for its mail, cut at a size; empty where there is none."""
        folder = self.folder / incident.id
        told = dossier.Told(incident=incident, folder=str(folder) if folder.exists() else None)
        evidence_of = partial(dossier.evidence_of, told, "latest" if (folder / "latest").exists() else ".")
        try:
            async with asyncio.timeout(self._limit_s):
                found = await daemon_thread.begin(evidence_of, "digest")
        except OSError as error:
            _log.warning("Evidence not attached", incident=incident.id, reason=str(error))
            return ""
        words = dossier.describe(found) if found.recorded else ""
        is_cut = len(words) > MAX_ATTACHED_CHARACTERS
        return f"{words[:MAX_ATTACHED_CHARACTERS]}\n... cut: the rest is in the folder" if is_cut else words

    async def last_words(self, incident: Incident) -> str:
        """Return why the process itself said that it ends; empty where it said nothing, or nothing was kept."""
        folder = self.folder / incident.id
        file = (folder / "latest" if (folder / "latest").exists() else folder) / "log-tail.txt"
        try:
            async with asyncio.timeout(self._limit_s):
                return log_tail.last_words(await daemon_thread.begin(file.read_text, "words"))
        except OSError:  # that there is no evidence is told where it is attached
            return ""

    async def upkeep(self) -> None:
        """For ever: put the history on disk and remove what is too old or too much."""
        while True:
            await self.flush()
            await asyncio.sleep(UPKEEP_EVERY_S)

    async def flush(self) -> None:
        """Do that once."""
        try:
            await asyncio.to_thread(self._history.write, self._history.take_fresh())
            keep_s = self._settings.watchdog.incident_keep_days * 86400.0
            for name in await asyncio.to_thread(prune, self.folder, keep_s):
                _log.info("Old incident removed", incident=name)
        except OSError as error:
            _log.warning("History and incidents: the disk does not take it", reason=str(error))

    def _parts(self, name: str, process: Process | None) -> dict[str, evidence.Part]:
        folders, limit_s = self._settings.folders, self._limit_s * (1 - 2 * _FOR_WRITING)
        parts: dict[str, evidence.Part] = {
            "log": partial(log_tail.read, folders.logs, name, self._settings.log.log_file)
        }
        if process:
            pid, proc = process.pid, self._proc
            parts |= {
                "stacks": partial(evidence.dump, process, stacks.file_of(folders.state, name), proc, limit_s),
                "waits": partial(evidence.waits, pid, proc),
                "spy": partial(evidence.spy, pid, limit_s),
                "memory": partial(evidence.memory, pid, proc),
                "status": partial(evidence.status, pid, proc),
                "files": partial(evidence.files, pid),
            }
        return parts

    def _contents(self, recorded: Recorded, texts: dict[str, str]) -> dict[str, bytes]:
        ended = dict.fromkeys(("stacks", "waits", "spy", "memory", "status", "files"), "not measured: it had ended\n")
        texts = ended | texts
        stacked = (
            f"--- stacks, all threads, the latest call first\n{texts['stacks']}\n"
            f"--- what the kernel has each thread wait for\n{texts['waits']}\n--- py-spy\n{texts['spy']}"
        )
        split = f"--- smaps_rollup\n{texts['memory']}\n--- status\n{texts['status']}"
        contents = {
            "incident.json": msgspec.json.format(msgspec.json.encode(recorded)),
            "samples.ndjson": self._history.lines(recorded.incident.process),
            "stacks.txt": stacked.encode(),
            "memory.txt": split.encode(),
            "files.txt": texts["files"].encode(),
            "log-tail.txt": texts["log"].encode(),
        }
        return {name: self._clean(content) for name, content in contents.items()}

    def _clean(self, text: bytes) -> bytes:
        """Return the text without our own secrets, should one ever have got into it."""
        for secret in self._secrets:
            text = text.replace(secret, b"***")
        return text

    def _put(self, incident_id: str, contents: dict[str, bytes]) -> None:
        first = self.folder / incident_id
        put_folder(first / "latest" if first.exists() else first, contents)


def _update(path: Path, incident: Incident) -> None:
    if path.exists():
        recorded = msgspec.structs.replace(read(path), incident=incident)
        put_file(path, msgspec.json.format(msgspec.json.encode(recorded)))


def _secrets(settings: Settings) -> list[bytes]:
    values = [
        getattr(getattr(settings, group), name) for group, kind in GROUPS.items() for name in kind.__struct_fields__
    ]
    revealed = [value.reveal() for value in values if isinstance(value, Secret)]
    return [secret.encode() for secret in revealed if len(secret) >= _SHORTEST_SECRET]
