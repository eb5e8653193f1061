"""Which source the settings mean. Imports the chosen one alone: the sample needs nothing that is not always there."""

# ruff: noqa: PLC0415 - see above
from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ipc.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.sources.protocol import Source
    from ipc.settings import CollectorSettings


def choose(settings: CollectorSettings) -> Source:
    """Return the source of COLLECTION_SOURCE; ``auto`` is what there are settings for, else the sample.

    Raises:
        SettingsError: what that source needs is not installed.

    """
    match _kind(settings):
        case "reddit":
            with _extra("reddit"):
                from agent.sources.reddit import RedditSource
            return RedditSource(settings)
        case "archive":
            with _extra("archive"):
                from agent.sources.archive import ArchiveSource
            return ArchiveSource(settings)
        case _:
            from agent.sources.sample import SampleSource

            return SampleSource()


def _kind(settings: CollectorSettings) -> str:
    if settings.collection_source != "auto":
        return settings.collection_source
    if settings.reddit_client_id and settings.reddit_client_secret:
        return "reddit"
    return "archive" if settings.archive_path else "sample"


@contextmanager
def _extra(source: str) -> Iterator[None]:
    """Turn the lack of a library into words."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the source {source} needs {error.name}, which is not installed: pip install 'sentimentagent[collector]'"
        ) from error
