"""A real systemd, booted as PID 1 of namespaces of its own, over a throw-away copy of this machine's root.

    with NestedSystemd({"/path/outside": "/path/inside"}) as nested:
        nested.run("systemctl", "start", "something")

Nothing that happens inside changes anything outside, save time and memory: files are written to memory, the network
is a loopback of its own, the control groups are below the caller's. It all ends with the block, or with the caller.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

_SCRIPT: Final = Path(__file__).with_suffix(".sh")
_PROGRAMS: Final = ("/lib/systemd/systemd", "systemctl", "unshare", "nsenter", "setpriv", "mount", "pivot_root")
#: The name of a control group of ours ends with the pid of its maker: one whose maker was killed can be known.
_GROUP: Final = "sentimentagent-nested-"
#: A boot took 0.4 s. Chosen with room for a busy machine.
_BOOT_S: Final = 20.0
_CLEAN_S: Final = 5.0


def why_not() -> str | None:
    """Say why no systemd can be booted here, None when one can."""
    if os.geteuid() != 0:
        return "booting a nested systemd needs root"
    if missing := [name for name in _PROGRAMS if shutil.which(name) is None]:
        return f"not installed: {', '.join(missing)}"
    return _no_namespaces() or _no_groups()


def _no_namespaces() -> str | None:
    command = ["unshare", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--pid", "--fork", "mount", "-t", "tmpfs"]
    tried = subprocess.run([*command, "tmpfs", "/mnt"], capture_output=True, text=True, check=False)
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else None


def _no_groups() -> str | None:
    parents = [parent for _, parent in _hierarchies()]
    try:
        _remove([_make_group(parent) for parent in parents])
    except OSError as error:
        return f"no control groups can be made here: {error}"
    return None if parents else "no control groups are mounted here"


class NestedSystemd:
    """A booted systemd; ``binds`` are folders to be seen inside, read-only, under another path."""

    def __init__(self, binds: Mapping[Path | str, Path | str]) -> None:
        self._binds = binds
        self._groups: list[Path] = []
        self._folder = Path()
        self._unshare: subprocess.Popen[bytes] | None = None
        self._init_pid = 0

    def __enter__(self) -> Self:
        """Boot, or leave nothing and raise."""
        self._folder = Path(tempfile.mkdtemp(prefix="sa-nested-", dir="/tmp"))
        try:
            self._write_plan()
            with (self._folder / "output").open("wb") as output:
                self._unshare = subprocess.Popen(
                    ["bash", _SCRIPT, "enter", self._folder],  # noqa: S607 - wherever bash is
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            self._await_boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything inside and leave nothing outside."""
        self.close()

    def close(self) -> None:
        """End everything inside and leave nothing outside; safe to call twice."""
        if self._unshare is not None:
            self._unshare.kill()
            self._unshare.wait(_CLEAN_S)
            self._unshare = None
        _remove(self._groups)
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, *command: str | Path, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root; return its output (both streams in ``stdout``) and its exit status.

        Raises:
            TimeoutError: it did not end in time; its output stands in the text.

        """
        enter = ["nsenter", "--target", str(self._init_pid), "--mount", "--uts", "--ipc", "--net", "--cgroup", "--pid"]
        clean = ["env", "--ignore-environment", f"PATH={os.environ['PATH']}", "TERM=dumb", "LANG=C.UTF-8"]
        try:
            return subprocess.run(
                [*enter, *clean, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            said = error.output.decode(errors="replace") if isinstance(error.output, bytes) else ""
            raise TimeoutError(f"not ended within {timeout_s:g} s: {' '.join(map(str, command))}\n{said}") from None

    def _write_plan(self) -> None:
        for name in ("memory", "root"):
            (self._folder / name).mkdir()
        found = list(_hierarchies())
        for _, parent in found:
            _remove(_left_over(parent))
            self._groups.append(_make_group(parent))
        _write_lines(self._folder / "groups", self._groups)
        _write_lines(self._folder / "controllers", [controllers for controllers, _ in found if controllers])
        _write_lines(self._folder / "binds", [f"{outside} {inside}" for outside, inside in self._binds.items()])

    def _await_boot(self) -> None:
        until_s = time.monotonic() + _BOOT_S
        while time.monotonic() < until_s:
            assert self._unshare is not None
            if self._unshare.poll() is not None:
                break
            if self._is_booted():
                return
            time.sleep(0.05)
        raise RuntimeError(f"systemd did not boot within {_BOOT_S:g} s:\n{(self._folder / 'output').read_text()}")

    def _is_booted(self) -> bool:
        """Tell whether PID 1 has become systemd and has reached its first target."""
        assert self._unshare is not None
        try:
            pid = self._unshare.pid
            child = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if not child or Path(f"/proc/{child[0]}/comm").read_text().strip() != "systemd":
                return False
        except OSError:
            return False
        self._init_pid = int(child[0])
        return self.run("systemctl", "is-active", "--quiet", "sysinit.target").returncode == 0


def _hierarchies() -> Iterator[tuple[str, Path]]:
    """Yield the controllers ("" is cgroup v2) and our own group of each hierarchy that is mounted.

    All of them: a systemd that misses one mounts it itself, at the machine's own groups.
    """
    mounted: dict[str, str] = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup2":
            mounted[""] = where
        elif kind == "cgroup":
            mounted |= dict.fromkeys(options.split(","), where)
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if (top := mounted.get(controllers.split(",")[0])) is not None:
            yield controllers, Path(top + path.rstrip("/"))


def _make_group(parent: Path) -> Path:
    group = parent / f"{_GROUP}{os.getpid()}"
    group.mkdir(exist_ok=True)
    for name in ("cpuset.cpus", "cpuset.mems"):  # cgroup v1 takes no process before they are said
        if (parent / name).exists() and not (group / name).read_text().strip():
            (group / name).write_text((parent / name).read_text())
    return group


def _left_over(parent: Path) -> list[Path]:
    """Return the groups whose makers are no more: they were killed before they could clean up."""
    groups = parent.glob(f"{_GROUP}*")
    return [group for group in groups if not Path("/proc", group.name.removeprefix(_GROUP)).exists()]


def _remove(groups: list[Path]) -> None:
    """Remove groups and what is below them, as soon as the kernel lets them go."""
    until_s = time.monotonic() + _CLEAN_S
    for group in groups:
        while group.exists():
            for folder in sorted((Path(found) for found, _, _ in os.walk(group)), reverse=True):
                try:
                    folder.rmdir()
                except OSError:
                    continue
            if time.monotonic() > until_s:
                raise RuntimeError(f"the control group {group} can't be removed")
            if group.exists():
                time.sleep(0.05)


def _write_lines(path: Path, lines: list[Path] | list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))
