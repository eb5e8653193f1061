"""``sentimentagent watchdog``: what the watchdog's own long history answers. It reads the disk alone."""

from __future__ import annotations

import click

from watchdog.advise_command import advise
from watchdog.replay_command import replay


@click.group()
def watchdog() -> None:
    """Try other thresholds on what was recorded, and ask for thresholds that would fit."""


watchdog.add_command(replay)
watchdog.add_command(advise)
