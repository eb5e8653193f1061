"""``sentimentagent token``: make tokens for API_TOKENS, and see which there are."""

from __future__ import annotations

import secrets
import sys
from typing import Final

import click

from ipc import api_tokens
from ipc.environment import load
from ipc.errors import SettingsError
from ipc.life import EX_CONFIG
from ipc.logs import harmless
from ipc.settings import Secret

#: So that who finds one knows what it is, and a scanner for secrets can know it too.
_PREFIX: Final = "sa_"
_RANDOM_BYTES: Final = 32


@click.group()
def token() -> None:
    """Tokens that open the API to other machines."""


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(api_tokens.SCOPES),
    default="read",
    show_default=True,
    help="read, or admin: to act and to read.",
)
def new(name: str, scope: api_tokens.TokenScope) -> None:
    """Make a token for NAME, print it once, and what the settings need of it. Nothing is changed."""
    if not api_tokens.NAME.fullmatch(name):
        raise click.BadParameter("letters, digits, dots, hyphens and underscores, 64 at most", param_hint="NAME")
    made = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    entry = api_tokens.Token(name, scope, Secret(api_tokens.hashed(made))).entry
    click.echo(f"token         {made}")
    click.echo(f"for settings  API_TOKENS={entry}")
    click.echo(
        "The token is shown this once: the settings hold its hash. Where API_TOKENS has entries already, add this one\n"
        "behind a comma. It opens the API after a restart of that: supervisorctl restart api"
    )


@token.command("list")
def list_() -> None:
    """Show the names and scopes that API_TOKENS holds."""
    try:
        settings = load()
        found = api_tokens.parse(settings.api.api_tokens)
    except SettingsError as error:
        click.echo(f"wrong settings: {harmless(str(error))}", err=True)
        sys.exit(EX_CONFIG)
    for each in found:
        click.echo(f"{each.scope:<6} {each.name}")
    if not found:
        click.echo("no tokens")
