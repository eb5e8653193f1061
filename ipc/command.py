"""The operator's command ``sentimentagent``: a root that finds its subcommands by entry point.

Each package brings its own (the group ``sentimentagent.commands`` in pyproject.toml), so that the root
imports nothing of them, and a subcommand costs nothing until it is called.
"""

from __future__ import annotations

from importlib.metadata import entry_points, version

import click

_GROUP = "sentimentagent.commands"


class _Root(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(entry_points(group=_GROUP).names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        found = entry_points(group=_GROUP, name=cmd_name)
        command: click.Command | None = next(iter(found)).load() if found else None
        return command


@click.command(cls=_Root)
@click.version_option(version("sentimentagent"), prog_name="sentimentagent")
def main() -> None:
    """Look after SentimentAgent: start it, ask how it is, check its settings."""
