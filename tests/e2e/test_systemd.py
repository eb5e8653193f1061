"""A server: a real systemd, booted in namespaces, in which `deployment/install.sh` is run as an operator runs it.

One server serves all tests; each brings the service up first if it needs it, so that any of them can run alone.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from harness.nested_systemd import NestedSystemd, why_not
from harness.server import APP, CHECKOUT, SETTINGS, VENV, Server
from harness.system import ROOT

from ipc.messages import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

#: The unit's 30 s, shortened so that a test needn't wait for them.
WATCHDOG_S = 8
COPY = "tar -C {} --exclude=./.venv --exclude='./.*_cache' -cf - . | tar -C {} --no-same-owner -xf -"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Return a server on which the service was just installed; skip where no systemd can be booted."""
    python = _python_for_services()
    if (
        reason := why_not() or (None if python else "no Python of this version outside of /root and /home")
    ) is not None:
        pytest.skip(reason)
    with NestedSystemd({ROOT: "/srv/source", sys.prefix: VENV}) as nested:
        server = Server(nested, str(python))
        server.out(f"rm -rf {APP} /etc/sentimentagent /var/lib/sentimentagent /var/log/sentimentagent")
        server.out(f"mkdir {CHECKOUT} && {COPY.format('/srv/source', CHECKOUT)}")
        drop_in = "/etc/systemd/system/sentimentagent.service.d"
        server.out(f"mkdir {drop_in} && printf '[Service]\\nWatchdogSec={WATCHDOG_S}\\n' >{drop_in}/test.conf")
        with ThreadPoolExecutor() as pool:
            installing = pool.submit(server.install)
            while not installing.done():
                server.states.append(server.state())
                time.sleep(0.1)
        assert installing.result().returncode == 0, installing.result().stdout + server.sh("journalctl -n 60").stdout
        yield server


def _python_for_services() -> str | None:
    """Return a Python of this test's version that a service may run: one that lies in nobody's home."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return shutil.which(name, path="/usr/bin:/usr/local/bin")


def test_the_service_is_active_only_once_all_four_are_ready(server: Server) -> None:
    """While the model loads it is activating, and whoever orders a unit after this one is not deceived."""
    server.be_active()
    states = [state for state in server.states if state not in {"inactive", "unknown"}]
    assert set(states[:-1]) <= {"activating", "active"}
    assert "activating" in states
    assert states == sorted(states, key=["activating", "active"].index)
    ready = server.out("grep -h 'event=Ready' /var/log/sentimentagent/backend.log").splitlines()
    times = {
        line.split("process=")[1].split()[0]: datetime.fromisoformat(line.split("time=")[1].split()[0])
        for line in ready
    }
    assert set(times) == set(PROCESSES)
    active = datetime.strptime(server.show("ActiveEnterTimestamp"), "%a %Y-%m-%d %H:%M:%S.%f %Z").replace(tzinfo=UTC)
    assert active >= max(times.values())
    assert server.show("StatusText") == "all ready"


def test_the_api_answers_and_says_what_was_installed(server: Server) -> None:
    """Model, database and sockets work within all that the unit forbids."""
    server.be_active()
    server.until(lambda: server.health()["database"].get("items"), 20, "posts are scored and stored")
    health = server.health()
    assert health["status"] == "healthy"
    assert {name for name, each in health["processes"].items() if each["state"] == "ready"} == set(PROCESSES)
    if (ROOT / ".git").exists():
        assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", health["commit"])


def test_the_operators_command_knows_the_installed_service(server: Server) -> None:
    """Without a word about folders; and it writes nothing as root that the service could not read."""
    server.be_active()
    assert "all ready" in server.out("sentimentagent status")
    assert SETTINGS in server.out("sentimentagent config check")


def test_settings_and_folders_are_for_root_and_the_service_alone(server: Server) -> None:
    """Passwords stand in the settings, sockets that command the service in its runtime folder."""
    server.be_active()
    places = f"{SETTINGS} /run/sentimentagent /var/lib/sentimentagent /var/log/sentimentagent"
    assert server.out(f"stat -c '%a %U:%G' {places}").splitlines() == [
        "640 root:sentimentagent",
        "700 sentimentagent:sentimentagent",
        "700 sentimentagent:sentimentagent",
        "750 sentimentagent:sentimentagent",
    ]
    assert server.out(f"find {APP} ! -user root") == ""


def test_a_second_run_changes_nothing(server: Server) -> None:
    """Not a file, not a time of one, and no restart."""
    main_pid = server.be_active()
    before = server.snapshot()
    done = server.install()
    assert done.returncode == 0
    assert done.stdout == "Nothing to do: this is what is installed, and the service is active.\n"
    assert server.snapshot() == before
    assert int(server.show("MainPID")) == main_pid


def test_the_exposure_is_under_two(server: Server) -> None:
    """By systemd's own measure, from 0 (safe) to 10."""
    server.be_active()
    words = server.out("systemd-analyze security --no-pager sentimentagent.service")
    exposure = re.search(r"Overall exposure level for sentimentagent\.service: ([\d.]+)", words)
    assert exposure is not None, words
    assert float(exposure[1]) < 2.0


def test_the_memory_floor_holds_and_takes_only_the_glutton(server: Server) -> None:
    """The limit of the unit is the kernel's; lowered for the test, it ends what goes over it, and the others go on."""
    server.be_active()
    assert server.show("MemoryMax") == str(3 * 1024**3)
    group = "/sys/fs/cgroup/memory/system.slice/sentimentagent.service"
    if server.sh(f"test -e {group}/memory.limit_in_bytes").returncode != 0:
        pytest.skip("the memory controller is not in cgroup v1 here: MemoryMax is set, and not tried")
    assert server.out(f"cat {group}/memory.limit_in_bytes") == server.show("MemoryMax")
    pids = server.processes().keys()
    server.out("systemctl set-property --runtime sentimentagent MemoryMax=1200M")
    join = f"echo $$ >{group}/cgroup.procs; echo 1000 >/proc/self/oom_score_adj"
    glutton = server.sh(f"{join}; exec {APP}/.venv/bin/python -c 'b\"x\" * (1500 << 20)'")
    server.out("systemctl set-property --runtime sentimentagent MemoryMax=3G")
    assert glutton.returncode in {-9, 137}
    assert server.state() == "active"
    assert server.processes().keys() >= pids


def test_an_upgrade_is_told_beforehand_and_keeps_settings_and_data(server: Server) -> None:
    """A dry run prints what would be done and does nothing; then only what differs is written, and one restart."""
    main_pid = server.be_active()
    server.out(f"sed -i 's/^SUBREDDITS=.*/SUBREDDITS=Cursor,claude/' {SETTINGS}")
    server.until(lambda: server.health()["database"].get("items"), 20, "posts are scored and stored")
    settings, items = server.out(f"cat {SETTINGS}"), server.health()["database"]["items"]
    server.out(f"echo 'One more line.' >>{CHECKOUT}/README.md")
    before = server.snapshot()

    told = server.install("--dry-run")
    assert told.returncode == 0
    assert re.search(rf"^would copy to {APP}: README\.md( COMMIT)?$", told.stdout, re.MULTILINE)
    assert server.snapshot() == before
    assert int(server.show("MainPID")) == main_pid

    done = server.install()
    assert done.returncode == 0, done.stdout
    assert [line.removeprefix("would ") for line in told.stdout.splitlines()] == done.stdout.splitlines()[:-2]
    assert server.out(f"tail -n 1 {APP}/README.md") == "One more line."
    assert int(server.show("MainPID")) != main_pid
    assert server.out(f"cat {SETTINGS}") == settings
    assert server.health()["database"]["items"] >= items


def test_a_silent_watchdog_has_everything_started_anew(server: Server) -> None:
    """Nobody else watches the watchdog: systemd ends the whole tree and starts it."""
    server.be_active()
    old, restarts = server.processes(), int(server.show("NRestarts"))
    server.out(f"kill -STOP {server.pid('watchdog')}")
    server.until(lambda: not old.keys() & server.processes().keys(), WATCHDOG_S + 7, "the old tree is gone")
    server.until(lambda: server.state() == "active", 60, "it is active again")
    assert int(server.show("NRestarts")) == restarts + 1
    assert "Watchdog timeout" in server.out("journalctl -u sentimentagent")


def test_a_killed_supervisord_leaves_no_orphan_and_comes_back(server: Server) -> None:
    """An orphan would hold the port and the outbox, and two of each would run."""
    main_pid = server.be_active()
    old, restarts = server.processes(), int(server.show("NRestarts"))
    assert len(old) >= len(PROCESSES) + 1
    server.out(f"kill -KILL {main_pid}")
    server.until(lambda: not old.keys() & server.processes().keys(), 5, "the old tree is gone")
    server.until(lambda: server.state() == "active", 60, "it is active again")
    assert int(server.show("NRestarts")) == restarts + 1
    assert server.health()["status"] == "healthy"


def test_the_drill_of_a_killed_supervisord_passes_on_the_installed_service(server: Server) -> None:
    """Run by the operator's command as the service's own user, from outside of the unit's sandbox."""
    main_pid = server.be_active()
    said = server.out("sentimentagent drill supervisor --yes")
    assert "no orphan is left" in said
    assert "pass: no orphan was left, and systemd started all of it again" in said
    assert int(server.show("MainPID")) not in {0, main_pid}


def test_a_stop_is_a_drain_within_its_time_and_leaves_no_process(server: Server) -> None:
    """Programs are stopped one after the other by supervisord; none has to be killed."""
    server.be_active()
    allowed_s = int(server.out("systemctl show -P TimeoutStopUSec sentimentagent | sed 's/1min/60/; s/s$//'"))
    began_s = time.monotonic()
    server.out("systemctl stop sentimentagent")
    assert time.monotonic() - began_s < allowed_s
    assert server.show("Result") == "success"
    assert server.processes() == {}
    log = server.out("cat /var/log/sentimentagent/supervisord.log")
    assert {f"stopped: {name} (exit status 0)" for name in PROCESSES} <= set(re.findall(r"stopped: .*", log))


def test_wrong_settings_are_told_in_words_and_not_tried_again(server: Server) -> None:
    """`systemctl status` is where an operator looks first."""
    server.sh("systemctl stop sentimentagent")
    server.out(f"cp --preserve {SETTINGS} /tmp/right && sed -i 's/^API_PORT=.*/API_PORT=eighty/' {SETTINGS}")
    assert server.sh("systemctl start sentimentagent").returncode != 0
    status = server.sh("systemctl status --no-pager --full sentimentagent").stdout
    server.out(f"cp --preserve /tmp/right {SETTINGS} && systemctl reset-failed sentimentagent")
    assert "Active: failed" in status
    assert "status=78/CONFIG" in status
    assert re.search(r"Not started: .*`API_PORT`", status)
    assert server.show("SubState") == "dead"


@pytest.mark.parametrize(
    ("before", "given", "sentence"),
    [
        ("setpriv --reuid=65534 --regid=65534 --clear-groups", {}, "Not root: installing a service needs it."),
        ("in_a_room 'mount -t tmpfs tmpfs /run/systemd'", {}, "This machine was not started by systemd"),
        ("in_a_room 'mount -t tmpfs -o size=50M tmpfs /opt'", {}, f"Not enough space: {APP} needs"),
        ("", {"python": "/bin/false"}, "SentimentAgent needs Python 3.11, 3.12 or 3.13"),
        ("", {"venv_from": "/opt"}, "/opt holds no packages for python3."),
    ],
)
def test_what_is_missing_is_one_clear_sentence(
    server: Server, before: str, given: dict[str, str], sentence: str
) -> None:
    """And nothing was changed when it is said."""
    room = 'in_a_room() { unshare --mount bash -c "$1; shift; exec \\"\\$@\\"" room "$@"; }; '
    installed = server.snapshot()
    done = server.install(before=room + before, **given)
    assert done.returncode == 1, done.stdout
    assert done.stdout.startswith(sentence)
    assert server.snapshot() == installed


def test_an_uninstall_keeps_settings_and_data_until_it_is_told_to_purge(server: Server) -> None:
    """Removing a program is no reason to lose a year of data."""
    server.out("test -e /etc/systemd/system/sentimentagent.service || exit 1")
    assert "would remove" in server.install("--uninstall", "--dry-run").stdout
    assert server.install("--uninstall").returncode == 0
    assert server.processes() == {}
    assert server.sh(f"ls -d {APP} /usr/local/bin/sentimentagent /etc/logrotate.d/sentimentagent").returncode == 2
    assert server.sh("systemctl cat sentimentagent").returncode != 0
    server.out(f"test -s {SETTINGS} && test -s /var/lib/sentimentagent/sentiment.db && id sentimentagent")

    assert server.install("--uninstall", "--purge").returncode == 0
    left = server.sh("ls -d /etc/sentimentagent /var/lib/sentimentagent /var/log/sentimentagent; id sentimentagent")
    assert left.stdout.count("No such file") == 3
    assert "no such user" in left.stdout
