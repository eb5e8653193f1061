"""`deployment/venv.sh` makes a venv once, and anew where it must; Python and pip are stand-ins that install nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Makes what `python -m venv --clear .venv` makes, as far as venv.sh looks at it. The first form is for a path with
#: spaces, or one that is too long for the kernel.
PYTHON = r"""#!/bin/sh
case "$*" in
    *"-m venv --clear .venv"*)
        rm -rf .venv
        mkdir -p .venv/bin
        cp "$0" .venv/bin/python
        here=$(pwd)
        case "$here" in
            *" "*) printf '#!/bin/sh\n"exec" "%s/.venv/bin/python" "$0" "$@"\n' "$here" ;;
            *) printf '#!%s/.venv/bin/python\n' "$here" ;;
        esac >.venv/bin/pip ;;
    --version) echo "Python 3.12.0" ;;
esac
"""
MAKING = "Making .venv with Python 3.12.0 ..."


@pytest.fixture(params=["checkout", "my checkout"])
def checkout(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return a checkout without a venv."""
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    folder = tmp_path / str(request.param)
    (folder / "deployment").mkdir(parents=True)
    for name in ("deployment/venv.sh", "deployment/requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def made(checkout: Path) -> list[str]:
    """Make the venv of ``checkout``; return what was said."""
    script = "set -euo pipefail; . deployment/venv.sh; make_venv deployment/requirements.txt"
    done = subprocess.run(
        ["/bin/bash", "-c", script],
        cwd=checkout,
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(checkout.parent / "python")},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stderr.splitlines()


def test_a_second_start_makes_and_installs_nothing(checkout: Path) -> None:
    """And a change of what is required only installs."""
    assert MAKING in made(checkout)
    assert made(checkout) == []
    with (checkout / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    said = made(checkout)
    assert said[-1] == "Installed."
    assert MAKING not in said


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_a_checkout_that_was_moved_or_copied_makes_its_venv_anew(checkout: Path, how: str) -> None:
    """Its programs named the old place: they did not start, or ran the other copy's code."""
    made(checkout)
    other = checkout.with_name(f"{checkout.name} elsewhere".replace(" ", "-"))
    if how == "moved":
        checkout.rename(other)
    else:
        shutil.copytree(checkout, other)
    assert MAKING in made(other)
    assert made(other) == []
    assert str(other) in (other / ".venv" / "bin" / "pip").read_text()


def test_a_venv_that_is_a_link_is_not_emptied(checkout: Path) -> None:
    """It is somebody's, and made where the link leads to."""
    made(checkout)
    other = checkout.with_name("other")
    shutil.copytree(checkout, other, ignore=shutil.ignore_patterns(".venv"))
    (other / ".venv").symlink_to(checkout / ".venv")
    said = made(other)
    assert said[-1] == "Installed."
    assert MAKING not in said
