"""``sentimentagent start``: check what can be checked beforehand, say what will run, become supervisord.

The process that the operator started *is* supervisord from then on, so that Ctrl-C, a closing terminal
and systemd all reach it directly, and nothing is left between.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ipc.channel import check_path
from ipc.environment import load
from ipc.errors import SettingsError
from ipc.life import EX_CONFIG
from ipc.logs import harmless

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipc.settings import ApiSettings, Settings

_SOURCES = {
    "sample": "sample data that comes with the project (no Reddit account is configured)",
    "archive": "the archive at {archive}",
    "reddit": "Reddit, {subreddits} subreddits, every {interval:g} minutes",
}


@click.command()
@click.option(
    "--conf",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="supervisord's configuration, deployment/supervisord.conf.",
)
@click.option("--check", is_flag=True, help="Check and print, but start nothing.")
def start(conf: Path, *, check: bool) -> None:
    """Start everything in the foreground. Safe to call twice: a running copy is left alone."""
    try:
        settings = load()
        check_path(supervisor_socket(settings))
    except SettingsError as error:
        click.echo(f"Not started: {harmless(str(error))}", err=True)
        sys.exit(EX_CONFIG)
    if is_served(supervisor_socket(settings)):
        click.echo(f"SentimentAgent is already running: open {address(settings.api)}")
        return
    if (reason := port_trouble(settings.api)) is not None:
        click.echo(f"Not started: {reason}", err=True)
        sys.exit(EX_CONFIG)
    click.echo(introduction(settings))
    if not check:
        _become_supervisord(settings, conf)


def introduction(settings: Settings) -> str:
    """Say in plain words what will run, on which data, and where to look."""
    collector, folders = settings.collector, settings.folders
    source = _SOURCES[collector.effective_source].format(
        archive=harmless(collector.archive_path),
        subreddits=len(collector.subreddits),
        interval=collector.collection_interval_minutes,
    )
    return "\n".join(
        (
            "SentimentAgent starts four processes under supervisord: a collector, an analyzer, an API and a watchdog.",
            f"  data    {source}",
            f"  home    {folders.home} (database and outbox in {folders.state}, logs in {folders.logs})",
            f"  open    {address(settings.api)} (the first posts are scored about 20 seconds from now)",
            f"  stop    {way_to_stop(os.environ, is_terminal=sys.stdout.isatty())}",
            *(f"  note    {harmless(warning)}" for warning in settings.warnings),
        )
    )


def way_to_stop(environ: Mapping[str, str], *, is_terminal: bool) -> str:
    """Return how whoever started this stops it; the process becomes supervisord, so its pid stays.

    A terminal that a desktop's own service has opened inherits INVOCATION_ID: there it means nothing.
    """
    if is_terminal and not environ.get("NOTIFY_SOCKET"):
        return "Ctrl-C"
    if environ.get("NOTIFY_SOCKET") or environ.get("INVOCATION_ID"):
        return "systemctl stop sentimentagent"
    return f"SIGTERM to process {os.getpid()}"


def address(api: ApiSettings) -> str:
    """Return where a browser on this machine finds the API."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(api.api_host, api.api_host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{api.api_port}" if ":" in host else f"http://{host}:{api.api_port}"


def supervisor_socket(settings: Settings) -> Path:
    """Return where this copy's supervisord listens."""
    return settings.folders.run / "supervisor.sock"


def is_served(path: Path) -> bool:
    """Tell whether a process accepts connections at ``path``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        return probe.connect_ex(os.fspath(path)) == 0


def port_trouble(api: ApiSettings) -> str | None:
    """Say why the API could not listen, None when it can."""
    family = socket.AF_INET6 if ":" in api.api_host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((api.api_host, api.api_port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return (
                    f"port {api.api_port} of {api.api_host} is taken by another program:"
                    " choose another one, for example API_PORT=8001"
                )
            return f"{api.api_host} port {api.api_port} can't be used: {error.strerror or error}"
    return None


def _become_supervisord(settings: Settings, conf: Path) -> None:
    programs = Path(sys.executable).parent
    for folder in (settings.folders.run, settings.folders.state, settings.folders.logs):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = os.environ | {
        "SENTIMENTAGENT_HOME": str(settings.folders.home),
        "SENTIMENTAGENT_RUN_DIR": str(settings.folders.run),
        "SENTIMENTAGENT_STATE_DIR": str(settings.folders.state),
        "SENTIMENTAGENT_LOG_DIR": str(settings.folders.logs),
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    if not os.environ.get("NOTIFY_SOCKET"):  # systemd tells it itself
        # Tells the operator when all is ready; ends by itself, and with supervisord.
        announcer = [str(programs / "sentimentagent"), "status", "--wait", "120"]
        subprocess.Popen(announcer, env=environment, stdin=subprocess.DEVNULL)
    sys.stdout.flush()
    # supervisord warns a root user that it keeps root's rights unless that is said to be meant.
    as_root = ["--user", "root"] if os.geteuid() == 0 else []
    command = ["supervisord", "--nodaemon", "-c", os.fspath(conf), *as_root]
    os.execve(programs / "supervisord", command, environment)  # noqa: S606 - becoming it is the point
