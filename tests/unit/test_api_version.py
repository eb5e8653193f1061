from __future__ import annotations

from pathlib import Path

from api import version


def test_an_installed_copy_knows_the_commit_that_it_was_made_from(tmp_path: Path) -> None:
    """No .git follows to a server; the installation leaves a file in its place."""
    (tmp_path / "COMMIT").write_text("0123abcd-dirty\n")
    assert version._commit(tmp_path) == "0123abcd-dirty"


def test_a_copy_of_unknown_origin_says_so(tmp_path: Path) -> None:
    """Unknown is None, and never another project's commit."""
    assert version._commit(tmp_path) is None


def test_a_checkout_asks_git() -> None:
    """What runs from a checkout is what is checked out there."""
    root = Path(version.__file__).parents[1]
    if (root / ".git").exists():
        assert len(version.find().commit or "") == 40
