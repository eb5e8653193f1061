from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from watchdog import folders

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

DAY_S = 86400.0


def incident(root: Path, name: str, age_days: float, size: int = 10) -> Path:
    """Put an incident's folder there that was last changed so long ago."""
    folders.put_folder(root / name, {"incident.json": b"x" * size})
    changed_utc = time.time() - age_days * DAY_S
    os.utime(root / name, (changed_utc, changed_utc))
    return root / name


def test_a_folder_is_private_whole_and_replaced_as_one(tmp_path: Path) -> None:
    """0700 and 0600: it tells about the machine; nothing of the one before is left in it."""
    folder = tmp_path / "incidents" / "one"
    folders.put_folder(folder, {"a": b"1", "b": b"2"})
    folders.put_folder(folder, {"a": b"3"})
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("a", b"3")]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert (folder / "a").stat().st_mode & 0o777 == 0o600


def test_what_is_older_than_the_operator_wants_is_removed(tmp_path: Path) -> None:
    """Thirty days are thirty days; an incident that changed since is not that old."""
    incident(tmp_path, "old", 31)
    incident(tmp_path, "goes-on", 31)
    incident(tmp_path, "young", 29)
    folders.put_folder(tmp_path / "goes-on" / "latest", {"incident.json": b""})
    assert folders.prune(tmp_path, 30 * DAY_S) == ["old"]
    assert {path.name for path in tmp_path.iterdir()} == {"goes-on", "young"}


def test_of_too_many_the_oldest_are_removed(tmp_path: Path) -> None:
    """A machine that goes mad must not fill its disk."""
    for nth in range(folders.MAX_FOLDERS + 3):
        incident(tmp_path, f"{nth:03}", 10 - nth / 100)
    assert sorted(folders.prune(tmp_path, 30 * DAY_S)) == ["000", "001", "002"]


def test_of_too_much_the_oldest_is_removed_and_the_newest_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is lowered, since 100 MB in a test would be a waste."""
    monkeypatch.setattr(folders, "MAX_BYTES", 2500)
    for nth, size in enumerate((1000, 1000, 1000)):
        incident(tmp_path, f"{nth}", 10 - nth, size)
    assert folders.prune(tmp_path, 30 * DAY_S) == ["0"]
    incident(tmp_path, "huge", 0, 9000)
    assert sorted(folders.prune(tmp_path, 30 * DAY_S)) == ["1", "2"]
    assert [path.name for path in tmp_path.iterdir()] == ["huge"]


def test_nothing_is_removed_through_a_link(tmp_path: Path) -> None:
    """What a link points to is somebody else's."""
    target = incident(tmp_path / "elsewhere", "kept", 99)
    (tmp_path / "incidents").mkdir()
    (tmp_path / "incidents" / "link").symlink_to(target)
    assert folders.prune(tmp_path / "incidents", 30 * DAY_S) == []
    assert (target / "incident.json").exists()
    assert folders.prune(tmp_path / "nowhere", 30 * DAY_S) == []
