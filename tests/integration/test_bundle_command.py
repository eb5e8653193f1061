"""A support archive of a copy in which secrets and people's texts were planted wherever they could be."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import tarfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from fakes.stored import item, scored, set_aside
from harness.mailbox import free_port

from agent.store.choose import open_writer
from ipc import logs
from ipc.environment import load
from watchdog.archive import Archive
from watchdog.bundle_command import NOTES, PARTS, bundle

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "the quick brown fox wrote this post"
AUTHOR = "vulpes_vulpes"
SECRETS = {
    "REDDIT_CLIENT_ID": "planted-client-id",
    "REDDIT_CLIENT_SECRET": "planted-reddit-secret",
    "COSMOS_KEY": "planted-cosmos-key==",
    "ADMIN_TOKEN": "planted-admin-token",
    "SMTP_USERNAME": "planted-smtp-user",
    "SMTP_PASSWORD": "planted smtp password",
    "ALERT_FROM": "planted-from@example.org",
    "ALERT_TO": "planted-to@example.org",
    "AZURE_OPENAI_API_KEY": "planted-azure-key",
}


@pytest.fixture
async def home(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home with secrets in its settings and a post in its store, each in the logs too."""
    lines = [f'{name}="{value}"\n' for name, value in SECRETS.items()]
    # Nobody answers at either address, so that the doctor's own words about them are in the archive as well.
    lines += [f"REDDIT_URL=http://127.0.0.1:{free_port()}\n", "SMTP_HOST=127.0.0.1\n", f"SMTP_PORT={free_port()}\n"]
    (short_path / ".env").write_text("".join(lines))
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(short_path))
    monkeypatch.setenv("API_PORT", str(free_port()))
    settings = load()
    settings.folders.state.mkdir()
    settings.folders.logs.mkdir()
    post = item(title=TEXT, content=TEXT, author=AUTHOR)
    async with open_writer(settings) as writer:
        await writer.write([scored(post)], [set_aside(post)], ())
    write_logs(settings.folders.logs)
    return short_path


def write_logs(folder: Path) -> None:
    """Write what a careless line, a library and a dying process might."""
    head = "time=2026-11-24T08:13:20Z level=error process=analyzer"
    everything = logs.harmless(" ".join([TEXT, AUTHOR, *SECRETS.values()]))
    secrets = logs.harmless(" ".join(SECRETS.values()))
    lines = [
        f'{head} event="Text set aside: it has no score" item=t3_a text="{everything}"',
        f'{head} event="Failed ({everything})"',
        f'{head} event=Failed reason="{secrets}"',
        f'{head} event=Failed exception="Traceback (most recent call last):\\nValueError: {everything}"',
        f"a library prints {everything}",
        json.dumps({"time": "2026-11-24T08:13:20Z", "event": "Failed", "text": everything, "reason": secrets}),
    ]
    (folder / "backend.log").write_text("\n".join(lines) + "\n")
    (folder / "analyzer.log").write_text(f"Fatal Python error: Segmentation fault\n{everything}\n{lines[0]}\n")
    (folder / "supervisord.log").write_text(f"2026-11-24 08:13:13,835 INFO spawned: 'api' with pid 1\n{everything}\n")


def made(folder: Path) -> dict[str, str]:
    """Run the command; return the archive's files."""
    done = CliRunner().invoke(bundle, ["--output", str(folder)])
    assert done.exit_code == 0, done.output
    (path,) = folder.glob("*.tar.gz")
    assert done.output.splitlines()[-1] == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        files = {each.name.partition("/")[2]: tar.extractfile(each) for each in members}
        assert {(each.uid, each.uname, each.mode) for each in members} == {(0, "", 0o600)}
        return {name: file.read().decode() for name, file in files.items() if file}


async def test_no_secret_and_nobodys_text_is_in_it(home: Path, tmp_path: Path) -> None:
    """Planted in settings, store and logs, they are in no file of the archive; what explains a fault is."""
    files = made(tmp_path)
    for name, content in files.items():
        found = [planted for planted in (TEXT, AUTHOR, *SECRETS.values()) if planted in content]
        assert found == [], name
        assert "planted" not in content, name
    assert "event=Failed" in files["logs/backend.log"]
    assert "ValueError" in files["logs/backend.log"]
    assert "Segmentation fault" in files["logs/analyzer.log"]
    assert "spawned: 'api'" in files["logs/supervisord.log"]
    assert f"# home: {home}" in files["settings.txt"]
    assert "SMTP_PASSWORD=***" in files["settings.txt"]


async def test_a_stopped_copy_gives_what_it_has_and_names_what_is_missing(home: Path, tmp_path: Path) -> None:
    """The doctor, the settings, the logs: with nothing running they matter most."""
    files = made(tmp_path)
    assert set(files) >= {"manifest.txt", "settings.txt", "status.json", "doctor.json", "versions.txt", "machine.json"}
    assert json.loads(files["status.json"])["verdict"]["status"] == "stopped"
    findings = {each["name"]: each["result"] for each in json.loads(files["doctor.json"])}
    assert findings["database.store"] == "ok"
    assert (findings["reddit.sign_in"], findings["mail.server"]) == ("wrong", "wrong")
    assert "sentimentagent==" in files["versions.txt"]
    missing = files["manifest.txt"].partition("Missing:")[2].partition("Taken out:")[0]
    assert {line.split()[0] for line in missing.splitlines() if line.strip()} == {
        "watchdog.json",
        "decisions.ndjson",
        "health.json",
        "supervisor.json",
    }
    assert str(home / "state" / "sentiment.db") in files["files.txt"]


async def test_the_manifest_names_every_file(home: Path, tmp_path: Path) -> None:  # noqa: ARG001 - what is collected
    """What is in it, what is not, and what was taken out."""
    files = made(tmp_path)
    manifest = files["manifest.txt"]
    for name in set(files) - {"manifest.txt"}:
        assert f"  {name} " in manifest
    for name, (about, _part) in PARTS.items():
        assert name in manifest
        assert about in manifest or name not in files
    assert NOTES in manifest


async def test_the_store_is_left_as_it_was(home: Path, tmp_path: Path) -> None:
    """Reading it for the doctor changes nothing."""
    store = home / "state" / "sentiment.db"
    before = store.read_bytes()
    made(tmp_path)
    assert store.read_bytes() == before
    with closing(sqlite3.connect(store)) as connection:
        assert connection.execute("SELECT count(*) FROM items").fetchone() == (1,)


def test_wrong_settings_are_status_78(short_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them nobody knows what is secret."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(short_path))
    (short_path / ".env").write_text("API_PORTS=1\nADMIN_TOKEN=planted\n")
    done = CliRunner().invoke(bundle, ["--output", str(tmp_path)])
    assert done.exit_code == 78
    assert "planted" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_can_not_be_written_leaves_nothing(tmp_path: Path) -> None:
    """No half of one."""
    archive = Archive("x", 0.0)
    archive.put("a.txt", "a", "a file")
    (tmp_path / "x.tar.gz").mkdir()
    with pytest.raises(OSError, match=os.strerror(21)):
        archive.write(tmp_path, "")
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar.gz"]
