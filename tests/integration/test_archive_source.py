"""Archive files on disk: what is read of them, where reading goes on, and how a bad file fails."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import zstandard

from agent.sources.archive import PAGE_LINES, ArchiveSource
from agent.sources.archive_file import ArchiveFile
from ipc.errors import SourceUnavailable
from ipc.settings import CollectorSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.sources.protocol import Page

NOW: Final = 1_760_000_000


def _record(number: int, **changes: object) -> bytes:
    record: dict[str, Any] = {
        "id": f"{number:06d}",
        "subreddit": "Cursor",
        "author": "sample_user_1",
        "created_utc": NOW - 1000 + number,
        "score": 1,
    }
    if number % 2:
        record |= {"title": f"Title {number}", "selftext": "", "num_comments": 0}
    else:
        record |= {"body": f"Body {number}", "link_id": "t3_abc"}
    return json.dumps(record | changes).encode() + b"\n"


def _records(count: int) -> bytes:
    return b"".join(map(_record, range(count)))


def _source(path: Path, **changes: Any) -> ArchiveSource:  # noqa: ANN401 - of any setting's type
    return ArchiveSource(CollectorSettings(archive_path=str(path), **changes), now=lambda: NOW)


async def _pages(source: ArchiveSource, cursor: str | None = None, stream: str | None = None) -> list[Page]:
    async with source:
        return [page async for page in source.read(stream or source.streams()[0], cursor)]


def _ids(pages: list[Page]) -> list[int]:
    return [int(item.name[3:]) for page in pages for item in page.items]


async def _broken(source: ArchiveSource, cursor: str | None = None) -> tuple[list[Page], SourceUnavailable]:
    """Return the pages that came, and the failure that ended them."""
    pages = []
    try:
        async for page in source.read(source.streams()[0], cursor):
            pages.append(page)  # noqa: PERF401 - what came before the failure counts
    except SourceUnavailable as failure:
        return pages, failure
    pytest.fail("the read did not fail")


def _packed(data: bytes, level: int = 3) -> bytes:
    return zstandard.ZstdCompressor(level=level).compress(data)


@pytest.mark.parametrize("suffix", ["ndjson", "ndjson.zst"])
async def test_posts_and_comments_come_in_the_order_of_the_file(tmp_path: Path, suffix: str) -> None:
    """Plain or packed, every record is read, in pages, each with a cursor."""
    data = _records(600)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(_packed(data) if suffix.endswith("zst") else data)
    pages = await _pages(_source(path))
    assert _ids(pages) == list(range(600))
    assert all(page.cursor for page in pages)
    assert max(len(page.items) for page in pages) == PAGE_LINES
    assert {item.kind for page in pages for item in page.items} == {"post", "comment"}
    assert {item.collected_utc for page in pages for item in page.items} == {NOW}


@pytest.mark.parametrize("suffix", ["ndjson", "ndjson.zst"])
async def test_reading_goes_on_after_any_page(tmp_path: Path, suffix: str) -> None:
    """Whichever page was the last one kept, the rest comes, and nothing twice."""
    data = _records(600)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(_packed(data) if suffix.endswith("zst") else data)
    pages = await _pages(_source(path))
    for kept in range(1, len(pages) + 1):
        rest = await _pages(_source(path), pages[kept - 1].cursor)
        assert _ids(pages[:kept]) + _ids(rest) == list(range(600))
    assert await _pages(_source(path), pages[-1].cursor) == []


async def test_the_files_of_a_folder_are_streams_in_name_order(tmp_path: Path) -> None:
    """Only archives count, and each is read by its name."""
    for name in ("b.ndjson", "a.ndjson.zst", "notes.txt", "c.ndjson.tmp"):
        (tmp_path / name).write_bytes(_packed(_record(1)) if name.endswith("zst") else _record(2))
    source = _source(tmp_path)
    assert source.streams() == ["a.ndjson.zst", "b.ndjson"]
    assert _ids(await _pages(source, stream="a.ndjson.zst")) == [1]
    assert _ids(await _pages(source, stream="b.ndjson")) == [2]


async def test_a_plain_file_that_grows_is_gone_on_with(tmp_path: Path) -> None:
    """Half a last line waits for its other half, and the line numbers stay right."""
    path = tmp_path / "a.ndjson"
    third = _record(3)
    path.write_bytes(_record(1) + _record(2) + third[:20])
    pages = await _pages(_source(path))
    assert _ids(pages) == [1, 2]
    assert sum(page.rejected_count for page in pages) == 0
    with path.open("ab") as file:
        file.write(third[20:] + b"bad\n" + _record(4))
    pages = await _pages(_source(path), pages[-1].cursor)
    assert _ids(pages) == [3, 4]
    assert [text for page in pages for text in page.rejected] == ["line 4: not JSON"]


async def test_a_last_line_without_a_break_is_read_when_it_is_whole(tmp_path: Path) -> None:
    """The break that comes later makes no line of its own."""
    path = tmp_path / "a.ndjson"
    path.write_bytes(_record(1) + _record(2).rstrip())
    pages = await _pages(_source(path))
    assert _ids(pages) == [1, 2]
    with path.open("ab") as file:
        file.write(b"\nbad\n" + _record(4))
    pages = await _pages(_source(path), pages[-1].cursor)
    assert _ids(pages) == [4]
    assert [text for page in pages for text in page.rejected] == ["line 3: not JSON"]


async def test_another_file_under_the_same_name_is_read_from_its_beginning(tmp_path: Path) -> None:
    """Its first bytes, or a smaller size, tell."""
    path = tmp_path / "a.ndjson"
    path.write_bytes(_records(50))
    cursor = (await _pages(_source(path)))[-1].cursor
    path.write_bytes(_record(77) + _records(80))
    assert _ids(await _pages(_source(path), cursor)) == [77, *range(80)]
    path.write_bytes(_records(10))
    assert _ids(await _pages(_source(path), cursor)) == list(range(10))


async def test_bad_lines_are_counted_and_named_and_never_fatal(tmp_path: Path) -> None:
    """Every kind of bad line costs only itself; blank lines are nothing."""
    path = tmp_path / "a.ndjson"
    long = b'{"x": "' + b"y" * (2 * 1024 * 1024) + b'"}\n'
    bad = [b"not json\n", b"{}\n", long, b"\xff\xfe\xfd\n", b"null\n", b"[]\n", _record(5, id=None)]
    path.write_bytes(_record(1) + b"".join(bad) + b"\n  \n" + _record(2))
    pages = await _pages(_source(path))
    assert _ids(pages) == [1, 2]
    assert sum(page.rejected_count for page in pages) == len(bad)
    texts = [text for page in pages for text in page.rejected]
    assert [text.split(":")[0] for text in texts] == [f"line {number}" for number in range(2, 7)]
    assert texts[2] == "line 4: longer than 1048576 bytes"


async def test_a_folder_of_bad_lines_alone_ends(tmp_path: Path) -> None:
    """Pages without an item move the cursor too."""
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"bad\n" * 1000)
    pages = await _pages(_source(path))
    assert sum(page.rejected_count for page in pages) == 1000
    assert max(len(page.rejected) for page in pages) <= 5
    assert await _pages(_source(path), pages[-1].cursor) == []


async def test_a_truncated_file_gives_what_is_whole_and_fails_by_name(tmp_path: Path) -> None:
    """A download in progress: what came is kept, the failure is told, and the rest is read when it is there."""
    path = tmp_path / "a.ndjson.zst"
    # Random text, so that the packed file has many blocks to be cut between.
    data = b"".join(_record(number, author=os.urandom(100).hex()) for number in range(3000))
    packed = _packed(data)
    path.write_bytes(packed[: len(packed) // 2])
    pages, failure = await _broken(_source(path))
    assert failure.cause == "truncated"
    kept = _ids(pages)
    assert 0 < len(kept) < 3000
    assert kept == list(range(len(kept)))
    path.write_bytes(packed)
    rest = await _pages(_source(path), pages[-1].cursor)
    assert kept + _ids(rest) == list(range(3000))


async def test_the_way_back_into_a_packed_file_is_gone_in_steps(tmp_path: Path) -> None:
    """So that minutes of it are seen as work; the lines behind the place are the same as without a stop."""
    path = tmp_path / "a.ndjson.zst"
    path.write_bytes(b"".join(_packed(_record(number)) for number in range(1, 60)))
    first = ArchiveFile(path, None)
    before = [next(iter(first)) for _ in range(40)]
    first.advance(before[-1])
    rest = [line.text for line in first]
    again = ArchiveFile(path, first.place)
    steps = 0
    while not again.approach(most_bytes=1000):
        steps += 1
    assert steps > 3
    assert [line.text for line in again] == rest
    third = ArchiveFile(path, first.place)
    assert [line.text for line in third] == rest
    for each in (first, again, third):
        each.close()


async def test_damage_on_the_way_back_is_told_and_is_no_end(tmp_path: Path) -> None:
    """A file of the same head and size that is broken before the place: nothing of it counts as read."""
    path = tmp_path / "a.ndjson.zst"
    whole = b"".join(_packed(_record(number)) for number in range(1, 600))
    path.write_bytes(whole)
    (page, *_) = await _pages(_source(tmp_path))
    path.write_bytes(whole[:8000] + b"\0" * (len(whole) - 8000))
    pages, error = await _broken(_source(tmp_path), page.cursor)
    assert error.cause == "corrupt"
    assert _ids(pages) == []


async def test_a_damaged_file_fails_by_name(tmp_path: Path) -> None:
    """What is not Zstandard, though it says so, is told apart from a missing file."""
    path = tmp_path / "a.ndjson.zst"
    path.write_bytes(_records(5))
    pages, failure = await _broken(_source(path))
    assert (_ids(pages), failure.cause) == ([], "corrupt")


async def test_several_frames_are_one_file(tmp_path: Path) -> None:
    """Frames that were put one after the other, a skippable one among them, read as one text."""
    path = tmp_path / "a.ndjson.zst"
    data = _records(40)
    skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"note"
    path.write_bytes(_packed(data[:1000]) + skippable + _packed(data[1000:]) + _packed(b""))
    assert _ids(await _pages(_source(path))) == list(range(40))


async def test_a_long_window_can_be_read(tmp_path: Path) -> None:
    """The big archives are packed with windows that a reader refuses unless told otherwise."""
    path = tmp_path / "a.ndjson.zst"
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=28, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    path.write_bytes(packer.compress(_records(10)) + packer.flush())
    assert zstandard.get_frame_parameters(path.read_bytes()).window_size == 2**28
    assert _ids(await _pages(_source(path))) == list(range(10))


@pytest.mark.parametrize("name", ["missing.ndjson", "missing/a.ndjson.zst", ""])
async def test_a_missing_file_or_an_empty_folder_fails_by_name(tmp_path: Path, name: str) -> None:
    """There is one stream, so that the cycle has something to name, and it can't be read."""
    pages, failure = await _broken(_source(tmp_path / name))
    assert (pages, failure.cause) == ([], "no_such_file")


async def test_an_unreadable_file_fails_by_name(tmp_path: Path) -> None:
    """What the system refuses to open (here: for the length of its name) is not told as missing."""
    pages, failure = await _broken(_source(tmp_path / ("x" * 300 + ".ndjson")))
    assert (pages, failure.cause) == ([], "unreadable")


async def test_the_rate_paces_the_pages(tmp_path: Path) -> None:
    """Twenty items at 100 a second take a fifth of a second, in pages of at most a second's items."""
    path = tmp_path / "a.ndjson"
    path.write_bytes(_records(20))
    began_s = time.monotonic()
    pages = await _pages(_source(path, archive_rate=100))
    assert _ids(pages) == list(range(20))
    assert time.monotonic() - began_s >= 0.2
    pages = await _pages(_source(path, archive_rate=10_000))
    assert len(pages[0].items) == 20


async def test_an_unreadable_cursor_is_read_as_none(tmp_path: Path) -> None:
    """What is no cursor of ours costs a reading from the beginning, not the file."""
    path = tmp_path / "a.ndjson"
    path.write_bytes(_records(3))
    assert _ids(await _pages(_source(path), '{"line": "x"}')) == [0, 1, 2]


def _data_folder() -> Path:
    given = os.environ.get("SENTIMENTAGENT_TEST_DATA")
    return Path(given) if given else Path(__file__).parents[3] / "shared" / "data"


async def test_the_archive_of_2013_is_read_whole(record_property: Callable[[str, object], None]) -> None:
    """15,550 real posts with as many names, and none refused; the pace is recorded."""
    path = _data_folder() / "reddit_posts_2013.ndjson.zst"
    if not path.is_file():
        pytest.skip(f"{path} is not there: SENTIMENTAGENT_TEST_DATA names the folder that has it")
    began_s = time.monotonic()
    pages = await _pages(_source(path))
    record_property("posts_a_second", round(15_550 / (time.monotonic() - began_s)))
    names = [item.name for page in pages for item in page.items]
    assert (len(names), len(set(names))) == (15_550, 15_550)
    assert sum(page.rejected_count for page in pages) == 0
    assert await _pages(_source(path), pages[-1].cursor) == []
