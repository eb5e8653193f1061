"""What starts the system and what it listens on: systemd, supervisord with its programs, and the API's port."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from shlex import quote
from typing import TYPE_CHECKING, Final

from ipc.errors import Unavailable
from ipc.messages import PROCESSES
from watchdog import health
from watchdog.checks.finding import Claim, Finding
from watchdog.commands import supervisorctl_of
from watchdog.start_command import address, is_served, port_trouble, supervisor_socket
from watchdog.supervisor import Program, Refused, Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ipc.settings import Settings

UNIT: Final = "sentimentagent.service"
#: systemctl asks over D-Bus. Chosen, not measured.
_SYSTEMCTL_S: Final = 5.0
_HEALTH_S: Final = 3.0
#: supervisord's words that need nobody.
_WELL: Final = frozenset({"RUNNING", "STARTING"})
#: What an operator's own stop looks like.
_STOPPED: Final = frozenset({"STOPPED", "STOPPING"})
_START: Final = f"./start.sh, or: systemctl start {UNIT}"

#: By name; or why supervisord told of none.
Programs = dict[str, Program] | str


def check(settings: Settings) -> Iterator[Finding]:
    """Look at systemd's unit, at supervisord's programs and at the port."""
    yield systemd()
    programs = _programs(settings)
    yield supervisord(settings, programs)
    yield port(settings, programs)


def systemd() -> Finding:
    """Ask systemd for our unit, where both are used."""
    claim = Claim("service.systemd", f"{UNIT} is active, where it is used")
    program = shutil.which("systemctl")
    if program is None:
        return claim.not_checked("not used: systemctl is not here")
    command = [program, "show", UNIT, "--property=LoadState,ActiveState,SubState,Result,NRestarts"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SYSTEMCTL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return claim.not_checked(f"systemctl: {type(error).__name__}")
    told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if not told:
        return claim.not_checked(f"not used: {next(iter(done.stderr.splitlines()), 'systemctl says nothing')}")
    return _unit(claim, told)


def supervisord(settings: Settings, programs: Programs) -> Finding:
    """Judge the programs, or why supervisord does not tell of them."""
    claim = Claim("service.supervisord", "supervisord answers, and all four programs run")
    if isinstance(programs, str):
        if is_served(supervisor_socket(settings)):
            return claim.wrong(programs, f"end supervisord, then {_START}")
        return claim.warning(f"nothing runs: {programs}", _START)
    states = {process: programs[process].statename if process in programs else "ABSENT" for process in PROCESSES}
    found = ", ".join(f"{process} {state}" for process, state in states.items())
    bad = [process for process, state in states.items() if state not in _WELL | _STOPPED]
    stopped = [process for process, state in states.items() if state in _STOPPED]
    start = f"{supervisorctl_of(str(supervisor_socket(settings)))} start {' '.join([*bad, *stopped])}"
    if bad:
        logs = " ".join(quote(str(settings.folders.logs / f"{process}.log")) for process in bad)
        return claim.wrong(found, f"tail -n 50 {logs}; then: {start}")
    return claim.warning(found, start) if stopped else claim.ok(found)


def port(settings: Settings, programs: Programs) -> Finding:
    """Judge whether the API could listen, or whether it is our own API that does."""
    claim = Claim("service.port", f"{settings.api.api_host} port {settings.api.api_port} is free, or ours")
    mend = "choose another one with API_PORT"
    trouble = port_trouble(settings.api)
    if trouble is None:
        return claim.ok("free")
    ours = None if isinstance(programs, str) or "api" not in programs else programs["api"].pid
    if not ours:
        return claim.wrong(trouble, mend)
    try:
        pid = health.ask(address(settings.api), _HEALTH_S).process.pid
    except Unavailable as error:
        return claim.not_checked(f"taken, and what listens there gives no health: {error}", "sentimentagent status")
    if pid != ours:
        return claim.wrong(f"another copy's API (process {pid}) listens there; ours is process {ours}", mend)
    return claim.ok(f"our API (process {pid}) answers")


def _programs(settings: Settings) -> Programs:
    try:
        return asyncio.run(Supervisor(str(supervisor_socket(settings))).programs())
    except (Unavailable, Refused) as error:
        return str(error)


def _unit(claim: Claim, told: Mapping[str, str]) -> Finding:
    if told.get("LoadState") != "loaded":
        return claim.not_checked(f"not used: the unit is {told.get('LoadState', 'not told of')}")
    active = told.get("ActiveState", "not told")
    found = f"{active} ({told.get('SubState')}), result {told.get('Result')}, {told.get('NRestarts')} restarts"
    match active:
        case "active":
            return claim.ok(found)
        case "failed":
            mend = f"journalctl -u {UNIT} -n 50; then: systemctl reset-failed {UNIT}; systemctl start {UNIT}"
            return claim.wrong(found, mend)
        case "inactive":
            return claim.warning(found, f"systemctl start {UNIT}, unless it is started another way")
        case _:
            return claim.warning(found, f"systemctl status {UNIT}")
