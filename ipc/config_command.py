"""``sentimentagent config``: read the settings as the processes would, and show what they come to."""

from __future__ import annotations

import sys

import click
import msgspec

from ipc.environment import load
from ipc.errors import SettingsError
from ipc.life import EX_CONFIG
from ipc.logs import harmless
from ipc.settings import GROUPS, Secret, Settings


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command()
@click.option("--quiet", is_flag=True, help="Print only warnings and errors.")
def check(*, quiet: bool) -> None:
    """Load everything as the processes would; print the values with their origin. Exit status 78 when wrong."""
    try:
        settings = load()
    except SettingsError as error:
        click.echo(f"wrong: {harmless(str(error))}", err=True)
        sys.exit(EX_CONFIG)
    for warning in settings.warnings:
        click.echo(f"warning: {harmless(warning)}", err=True)
    if not quiet:
        click.echo(describe(settings))


def describe(settings: Settings) -> str:
    """Return every setting as ``NAME=value  # origin``, one a line, secrets masked."""
    lines = [f"# home: {settings.folders.home}"]
    for group, kind in GROUPS.items():
        lines.append(f"# {group}")
        values = getattr(settings, group)
        for field in msgspec.structs.fields(kind):
            origin = settings.origins.get(field.encode_name, "default")
            lines.append(f"{field.encode_name}={_shown(getattr(values, field.name))}  # {harmless(origin)}")
    return "\n".join(lines)


def _shown(value: object) -> str:
    if isinstance(value, Secret):
        return "***" if value else ""
    if isinstance(value, tuple):
        return harmless(",".join(value))
    return harmless(str(value))
