"""The doctor's checks against real files, sockets and servers."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import socket
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner
from fakes.cosmos.faults import Drop, Hang, Refuse
from fakes.cosmos.server import KEY, FakeCosmos
from fakes.cosmos_store import account, prepare, settings_for
from fakes.examples import loaded
from fakes.stored import item, scored
from harness.mailbox import free_port

from agent.outbox import Outbox
from agent.store import cosmos_layout
from agent.store.choose import open_writer
from watchdog import doctor_command
from watchdog.checks import clock, database, folders, service, sockets
from watchdog.checks import cosmos as cosmos_check
from watchdog.doctor_command import Diagnosis, bounded, doctor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ipc.settings import Settings
    from watchdog.checks.finding import Finding


@pytest.fixture
def home(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home that commands find, with nothing in it and a free port."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(short_path))
    monkeypatch.setenv("API_PORT", str(free_port()))
    return short_path


def fake_program(folder: Path, name: str, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program of our choice first on the PATH: what it says is what the machine says."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


# --- folders and sockets


def test_a_home_that_is_not_there_yet_is_well(short_path: Path) -> None:
    """A first start makes it."""
    found = list(folders.check(loaded(short_path / "new")))
    assert [each.result for each in found] == ["ok"] * 4
    assert "the first start makes it" in found[0].found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_somebody_else_is_wrong(short_path: Path) -> None:
    """As after one start with sudo."""
    os.chown(short_path, 65534, -1)
    finding = folders.folder("folders.state", short_path)
    assert finding.result == "wrong"
    assert "chown" in finding.mend
    os.chown(short_path, 0, -1)


def test_a_runtime_folder_that_others_may_enter_is_a_warning(short_path: Path) -> None:
    """Whoever reaches the sockets can speak to them."""
    short_path.chmod(0o755)
    finding = folders.folder("folders.run", short_path, is_private=True)
    assert (finding.result, finding.mend) == ("warning", f"chmod 700 {short_path}")
    short_path.chmod(0o700)
    assert folders.folder("folders.run", short_path, is_private=True).result == "ok"


def test_a_file_in_place_of_a_folder_is_wrong(short_path: Path) -> None:
    """Named, and not overwritten."""
    (short_path / "run").write_text("")
    assert folders.folder("folders.run", short_path / "run").result == "wrong"


def test_secrets_that_others_can_read_are_a_warning_without_the_secret(short_path: Path) -> None:
    """A .env is often made with the usual permissions."""
    file = short_path / ".env"
    file.write_text("ADMIN_TOKEN=hunter2\n")
    file.chmod(0o644)
    finding = folders.secrets_file(loaded(short_path), file)
    assert finding.result == "warning"
    assert "ADMIN_TOKEN" in finding.found
    assert "hunter2" not in str(finding)
    file.chmod(0o600)
    assert folders.secrets_file(loaded(short_path), file).result == "ok"


def test_a_stale_socket_is_told_from_one_that_is_served(short_path: Path) -> None:
    """What a killed process leaves refuses connections."""
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as dead:
        server.bind(str(short_path / "api.sock"))
        server.listen()
        assert sockets.served(short_path).result == "ok"
        dead.bind(str(short_path / "collector.sock"))
    finding = sockets.served(short_path)
    assert finding.result == "warning"
    assert "api.sock, collector.sock" in finding.found


# --- database


async def stored(settings: Settings) -> None:
    """Write one item as the analyzer does, and open an outbox as the collector does."""
    settings.folders.state.mkdir(parents=True)
    async with open_writer(settings) as writer:
        await writer.write([scored()], (), ())
    async with Outbox(settings.folders.outbox, 10):
        pass


def damage(path: Path) -> None:
    """Overwrite the second half of a file."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * (size // 2))


def foreign(path: Path) -> None:
    """Make somebody else's database."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")


@pytest.mark.parametrize(
    ("spoil", "result", "says"),
    [
        (lambda _path: None, "ok", "quick_check ok"),
        (lambda path: path.unlink(), "ok", "not there yet"),
        (damage, "wrong", "is damaged"),
        (lambda path: path.write_text("these are no pages of a database" * 100), "wrong", "is damaged"),
        (lambda path: path.write_bytes(b""), "ok", "quick_check ok"),
    ],
    ids=["whole", "missing", "damaged", "text", "empty"],
)
async def test_the_store_is_judged_and_never_changed(
    short_path: Path, spoil: Callable[[Path], object], result: str, says: str
) -> None:
    """Whatever is there is left as it is."""
    settings = loaded(short_path)
    await stored(settings)
    path = settings.folders.store
    spoil(path)
    before = path.read_bytes() if path.exists() else None
    finding = database.file("database.store", path, database.STORE_ID)
    assert (finding.result, says in finding.found) == (result, True), finding
    assert (path.read_bytes() if path.exists() else None) == before


async def test_store_and_outbox_are_told_apart_from_others(short_path: Path) -> None:
    """Each by its own mark."""
    settings = loaded(short_path)
    await stored(settings)
    assert [each.result for each in database.check(settings)] == ["ok", "ok"]
    assert "another program" in database.file("x", settings.folders.store, database.OUTBOX_ID).found
    foreign(short_path / "theirs.db")
    assert "another program" in database.file("x", short_path / "theirs.db", database.STORE_ID).found


def test_a_look_that_takes_too_long_is_not_checked(short_path: Path) -> None:
    """And never called ok."""
    path = short_path / "large.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {database.STORE_ID}")
        connection.execute("CREATE TABLE items (a TEXT PRIMARY KEY)")
        connection.executemany("INSERT INTO items VALUES (?)", ((str(number),) for number in range(50_000)))
        connection.commit()
    finding = database.file("database.store", path, database.STORE_ID, limit_s=0)
    assert finding.result == "not checked"
    assert "PRAGMA quick_check" in finding.mend


def spoilt(key: str) -> str:
    """Return another key, as whole as this one."""
    return base64.b64encode(base64.b64decode(key)[::-1]).decode()


@pytest.mark.parametrize(
    ("is_ready", "changed", "result", "says", "mend"),
    [
        (True, {}, "ok", "takes the key", ""),
        (False, {}, "wrong", "has no such database", "sentimentagent store init"),
        (True, {"COSMOS_KEY": spoilt(KEY)}, "wrong", "does not accept the key (status 401)", "COSMOS_KEY"),
        (True, {"COSMOS_KEY": ""}, "not checked", "Entra ID was not tried", "sentimentagent store init --dry-run"),
        (True, {"COSMOS_ENDPOINT": f"http://127.0.0.1:{free_port()}/"}, "wrong", "can't be reached", "COSMOS_ENDPOINT"),
    ],
    ids=["ready", "not made", "another key", "no key", "nobody there"],
)
async def test_the_account_is_asked_in_place_of_a_file(  # noqa: PLR0913 - one parameter a thing that varies
    short_path: Path, *, is_ready: bool, changed: dict[str, str], result: str, says: str, mend: str
) -> None:
    """With COSMOS_ENDPOINT no file is looked for; the key is in no answer, and nothing is written."""
    async with FakeCosmos() as cosmos:
        if is_ready:
            await prepare(settings_for(cosmos))
        environ = {"COSMOS_ENDPOINT": cosmos.url, "COSMOS_KEY": cosmos.key} | changed
        store, outbox = await asyncio.to_thread(lambda: list(database.check(loaded(short_path, **environ))))
    assert (store.name, store.result) == ("database.store", result), store
    assert says in store.found
    assert mend in store.mend
    assert KEY not in str(store)
    assert "outbox.db is not there yet" in outbox.found


@pytest.mark.parametrize(
    ("fault", "result", "says"),
    [
        (Refuse(403), "wrong", "forbids it"),
        (Refuse(429), "warning", "no request units left"),
        (Refuse(503), "warning", "trouble of its own"),
        (Hang(), "wrong", "did not answer within 0.5 s"),
        (Drop(), "wrong", "gave no HTTP answer"),
    ],
    ids=["403", "429", "503", "hang", "drop"],
)
async def test_what_an_account_refuses_is_told_apart(
    short_path: Path, fault: Refuse | Hang | Drop, result: str, says: str
) -> None:
    """Each by its status, or by its silence, within COSMOS_REQUEST_TIMEOUT_S."""
    async with account() as cosmos:
        cosmos.faults.inject(fault, times=None)
        environ = {"COSMOS_ENDPOINT": cosmos.url, "COSMOS_KEY": cosmos.key, "COSMOS_REQUEST_TIMEOUT_S": "0.5"}
        (finding,) = await asyncio.to_thread(lambda: list(cosmos_check.check(loaded(short_path, **environ))))
    assert finding.result == result, finding
    assert says in finding.found


def test_an_account_is_asked_for_the_container_that_the_store_makes() -> None:
    """The check imports nothing of the store."""
    assert cosmos_check.ITEMS == cosmos_layout.ITEMS


def test_the_clock_is_not_held_against_a_file_that_is_not_used(short_path: Path) -> None:
    """With COSMOS_ENDPOINT a file that an earlier time has left says nothing."""
    environ = {"COSMOS_ENDPOINT": "http://127.0.0.1:1/", "COSMOS_KEY": KEY}
    against_items, _ = clock.check(loaded(short_path, **environ))
    assert against_items.result == "not checked"
    assert "Cosmos DB" in against_items.found


async def test_the_newest_item_gives_the_clock_a_past(short_path: Path) -> None:
    """Read from the store itself; None where there is none."""
    settings = loaded(short_path)
    assert database.newest_collected_utc(settings.folders.store) is None
    await stored(settings)
    newest_utc = database.newest_collected_utc(settings.folders.store)
    assert newest_utc == item().collected_utc


@pytest.mark.parametrize(
    ("body", "result"), [("echo yes", "ok"), ("echo no", "warning"), ("echo 'no bus' >&2; exit 1", "not checked")]
)
def test_timedatectl_is_asked_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, result: str
) -> None:
    """Its silence is no yes."""
    fake_program(tmp_path, "timedatectl", body, monkeypatch)
    assert clock.synchronised().result == result


# --- service


@pytest.mark.parametrize(
    ("body", "result", "says"),
    [
        ("echo LoadState=loaded; echo ActiveState=active; echo SubState=running", "ok", "active (running)"),
        ("echo LoadState=loaded; echo ActiveState=failed; echo Result=watchdog", "wrong", "result watchdog"),
        ("echo LoadState=loaded; echo ActiveState=inactive", "warning", "inactive"),
        ("echo LoadState=loaded; echo ActiveState=activating", "warning", "activating"),
        ("echo LoadState=not-found; echo ActiveState=inactive", "not checked", "not used"),
        ("echo 'not booted with systemd' >&2; exit 1", "not checked", "not used: not booted"),
    ],
)
def test_the_unit_is_judged_by_systemds_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, result: str, says: str
) -> None:
    """Where it is used; "not used" is no fault."""
    fake_program(tmp_path, "systemctl", body, monkeypatch)
    finding = service.systemd()
    assert finding.result == result
    assert says in finding.found


def test_a_port_that_somebody_else_took_is_wrong(short_path: Path) -> None:
    """While nothing of ours runs."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = loaded(short_path, API_PORT=str(other.getsockname()[1]))
        assert service.port(settings, "nothing runs").result == "wrong"
    assert service.port(settings, "nothing runs").result == "ok"


def test_a_supervisord_that_is_not_there_is_a_warning(short_path: Path) -> None:
    """A stopped system is somebody's decision; one that does not answer is a fault."""
    settings = loaded(short_path)
    settings.folders.run.mkdir()
    assert service.supervisord(settings, "no such file").result == "warning"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(settings.folders.run / "supervisor.sock"))
        server.listen()
        assert service.supervisord(settings, "it did not answer").result == "wrong"


# --- Reddit


# --- mail


# --- the command


def test_a_group_that_breaks_costs_no_other_one_anything() -> None:
    """What it had found stands, and the rest is not checked."""

    def breaks() -> Iterator[Finding]:
        yield clock.against_items(1.0, 2.0)
        raise KeyError("a fault of ours")

    first, second = bounded("clock", breaks)
    assert first.result == "ok"
    assert (second.result, "a fault of ours" in second.found) == ("not checked", True)


def test_a_group_that_hangs_is_not_checked_in_time() -> None:
    """A dead network disk can't be interrupted; nobody waits for it."""
    end = threading.Event()

    def hangs() -> Iterator[Finding]:
        yield clock.against_items(1.0, 2.0)
        end.wait(10)

    found = bounded("clock", hangs, limit_s=0.05)
    end.set()
    assert [each.result for each in found] == ["ok", "not checked"]


def test_a_fresh_home_is_well_and_the_status_is_0(home: Path) -> None:
    """Before the first start nothing is wrong, and nothing is made."""
    done = CliRunner().invoke(doctor, [])
    assert done.exit_code == 0, done.output
    assert "0 wrong" in done.stdout.splitlines()[-1]
    assert list(home.iterdir()) == []


def test_wrong_settings_are_one_wrong_finding_and_the_status_is_1(home: Path) -> None:
    """What needs no settings is checked all the same."""
    (home / ".env").write_text("API_PORTS=1\n")
    done = CliRunner().invoke(doctor, ["--json"])
    diagnosis = msgspec.json.decode(done.stdout, type=Diagnosis)
    assert (done.exit_code, diagnosis.well) == (1, False)
    wrong = [each for each in diagnosis.checks if each.result == "wrong"]
    assert [each.name for each in wrong] == ["settings.readable"]
    assert "did you mean API_PORT?" in wrong[0].found
    assert {each.name for each in diagnosis.checks if each.result == "not checked"} >= {"database", "mail"}
    assert [each for each in diagnosis.checks if each.name == "venv.python"]


def test_every_group_names_its_findings_after_itself(home: Path) -> None:  # noqa: ARG001 - the home to look at
    """So that a name is found again in the documents."""
    names = [each.name for each in doctor_command.findings()]
    groups = {"venv", "settings", "folders", "sockets", "disk", "memory", "database", "clock", "service", "reddit"}
    assert {name.split(".")[0] for name in names} == groups | {"mail"}
    assert len(names) == len(set(names))


def test_the_disk_that_is_looked_at_is_the_one_of_the_folder(home: Path) -> None:
    """Also while the folder is not there."""
    free_mb = shutil.disk_usage(home).free // 1024**2
    (found,) = [each.found for each in doctor_command.findings() if each.name == "disk.state"]
    assert abs(int(found.split()[0]) - free_mb) < 500
