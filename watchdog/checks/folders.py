"""The three folders and the settings file: who may read and write them."""

from __future__ import annotations

import os
import pwd
import stat
from shlex import quote
from typing import TYPE_CHECKING

import msgspec

from ipc.environment import settings_file
from ipc.settings import GROUPS, Secret
from watchdog.checks.finding import Claim, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ipc.settings import Settings


def check(settings: Settings) -> Iterator[Finding]:
    """Look at the three folders and the settings file."""
    folders = settings.folders
    yield folder("folders.run", folders.run, is_private=True)
    yield folder("folders.state", folders.state)
    yield folder("folders.logs", folders.logs)
    yield secrets_file(settings, settings_file(os.environ))


def folder(name: str, path: Path, *, is_private: bool = False) -> Finding:
    """Judge whether this user can work in the folder, or could make it."""
    me = _user(os.geteuid())
    claim = Claim(name, f"{me} may write to it" + ", and nobody else may enter" * is_private)
    try:
        status = path.stat()
    except FileNotFoundError:
        return _missing(claim, path, me)
    except OSError as error:
        return claim.not_checked(f"{path}: {error.strerror}", f"ls -ld {quote(str(path))}")
    return _permissions(claim, path, status, is_private=is_private)


def secrets_file(settings: Settings, path: Path) -> Finding:
    """Judge whether secrets in the settings file are for its owner's eyes only."""
    claim = Claim("folders.settings_file", "secrets in it can be read by its owner alone (600)")
    secrets = [each for each in _secret_names() if settings.origins.get(each) == str(path)]
    if not secrets:
        return claim.ok(f"no secret stands in {path}")
    mode = stat.S_IMODE(path.stat().st_mode)
    found = f"{path}, {mode:o}, holds {', '.join(secrets)}"
    return claim.warning(found, f"chmod 600 {quote(str(path))}") if mode & 0o077 else claim.ok(found)


def _permissions(claim: Claim, path: Path, status: os.stat_result, *, is_private: bool) -> Finding:
    mode, owner, where = stat.S_IMODE(status.st_mode), _user(status.st_uid), quote(str(path))
    found = f"{path}, {mode:o}, of {owner}"
    if not stat.S_ISDIR(status.st_mode):
        return claim.wrong(f"{path} is no folder", f"mv {where} {where}.old")
    if status.st_uid != os.geteuid():
        return claim.wrong(found, f"run this as {owner}, or: sudo chown -R {_user(os.geteuid())} {where}")
    if not os.access(path, os.W_OK | os.X_OK):
        return claim.wrong(found, f"chmod u+rwx {where}")
    if is_private and mode & 0o077:
        return claim.warning(found, f"chmod 700 {where}")
    return claim.ok(found)


def _missing(claim: Claim, path: Path, me: str) -> Finding:
    above = next(parent for parent in path.parents if parent.exists())
    if os.access(above, os.W_OK | os.X_OK):
        return claim.ok(f"{path} is not there yet: the first start makes it")
    found = f"{path} is not there, and {me} can't make it: {above} belongs to {_user(above.stat().st_uid)}"
    return claim.wrong(found, f"sudo install -d -m 700 -o {me} {quote(str(path))}")


def _secret_names() -> list[str]:
    fields = [field for kind in GROUPS.values() for field in msgspec.structs.fields(kind)]
    return [field.encode_name for field in fields if field.type is Secret]


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
