"""Logs: one line an event, ``key=value`` or JSON, to stdout and to one file that all processes share.

Text that came from outside can't forge a line: control, bidirectional and line-separator
characters are written as escapes, and a value is cut at :data:`MAX_VALUE_CHARACTERS`.
"""

from __future__ import annotations

import fcntl
import logging
import logging.handlers
import os
import re
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from ipc.errors import SettingsError

if TYPE_CHECKING:
    from ipc.settings import LogSettings

#: A longer value is cut: a line stays one that a terminal and grep can take. A traceback fits. Chosen, not measured.
MAX_VALUE_CHARACTERS: Final = 8000

# Other people's libraries may log requests with their headers at DEBUG, hence never below WARNING.
_QUIET_LIBRARIES: Final = (
    "asyncpraw",
    "asyncprawcore",
    "aiohttp",
    "azure",
    "flair",
    "transformers",
    "urllib3",
    "aiosqlite",
)

# Cheap test for the common case: plain printable ASCII.
_PLAIN: Final = re.compile(r"[ -~]*")


def configure(process: str, settings: LogSettings, folder: Path) -> None:
    """Send this process's events, and those of the libraries it uses, to stdout and the shared file.

    Raises:
        SettingsError: the file can't be opened.

    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _name(process),
    ]
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.processors.LogfmtRenderer(key_order=["time", "level", "process", "event"], bool_as_flag=False)
    )
    structlog.configure(
        # First whether the line is wanted at all: one that is not costs half like this (measured: 7 us instead of 13).
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, _library],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _harmless,
            render,
        ],
    )
    root = logging.getLogger()
    root.handlers = [_formatted(logging.StreamHandler(sys.stdout), formatter)]
    root.setLevel(settings.log_level)
    if settings.log_file != "none":
        path = folder / settings.log_file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            root.addHandler(_formatted(SharedFile(path, settings.log_file_max_mb), formatter))
        except OSError as error:
            raise SettingsError(f"LOG_FILE {path} can't be written: {error.strerror}") from error
    for library in _QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)


def configure_command() -> None:
    """Send a command's warnings to stderr, as lines: its stdout is its answer, which a script may read."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            _harmless,
            structlog.processors.LogfmtRenderer(key_order=["level", "event"], bool_as_flag=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        cache_logger_on_first_use=False,
    )
    for library in _QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(logging.ERROR)


def log(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of one module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def harmless(text: str, limit: int = MAX_VALUE_CHARACTERS) -> str:
    """Return ``text`` on one line: what a terminal or a reader could take for structure becomes an escape."""
    if len(text) > limit:
        text = f"{text[:limit]}... ({len(text)} characters)"
    if _PLAIN.fullmatch(text):
        return text
    return "".join(
        _escaped(c) if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} else c for c in text
    )


class SharedFile(logging.handlers.WatchedFileHandler):
    """A file that several processes append to, each event in one write, and that any of them may turn over.

    It follows logrotate's rename (as its base does), and itself renames the file to ``.1`` above the
    limit, so that a copy without logrotate stays bounded: twice the limit on disk.
    """

    def __init__(self, path: Path, max_mb: float) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self._max_bytes = int(max_mb * 1024 * 1024)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one event, after turning the file over when it has grown past the limit.

        No log line ends a process: one that can't be written is said on stderr, and the next one tries again.
        """
        try:
            self._ready()
        except Exception:  # noqa: BLE001 - a folder taken away, a full disk, a changed permission: the work goes on
            self.handleError(record)
            return
        logging.FileHandler.emit(self, record)  # the base would look at the file again, and raise

    def _ready(self) -> None:
        path = Path(self.baseFilename)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
        self.reopenIfNeeded()
        if self.stream is None:
            self.stream = self._open()
            self._statstream()
        if os.fstat(self.stream.fileno()).st_size > self._max_bytes:
            self._turn_over(self.stream.fileno())

    def _turn_over(self, old: int) -> None:
        # Two processes may see the size at once. The lock is on the old file itself, and whoever gets it
        # second finds that the path names another file by now.
        fcntl.flock(old, fcntl.LOCK_EX)
        try:
            path = Path(self.baseFilename)
            if os.path.samestat(os.fstat(old), path.stat()):
                path.replace(f"{path}.1")
        except FileNotFoundError:
            pass  # renamed by logrotate a moment ago
        finally:
            fcntl.flock(old, fcntl.LOCK_UN)
        self.reopenIfNeeded()


def _formatted(handler: logging.Handler, formatter: logging.Formatter) -> logging.Handler:
    handler.setFormatter(formatter)
    return handler


def _name(process: str) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["process"] = process
        return event

    return add


def _library(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Say whose line it is that no part of ours wrote: what stands in it is not ours to vouch for."""
    event["library"] = event["_record"].name
    return event


def _harmless(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {_key(key): _value(value) for key, value in event.items()}


def _key(key: str) -> str:
    return re.sub(r"[^\w.-]", "_", key)


def _value(value: Any) -> Any:  # noqa: ANN401 - an event's values are whatever the caller had
    if value is None or isinstance(value, bool | int | float):
        return value
    return harmless(value if isinstance(value, str) else str(value))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii") if ord(character) != ord("\n") else "\\n"
