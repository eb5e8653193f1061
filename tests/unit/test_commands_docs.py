"""docs/commands.md names every command, option and check that there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest

from agent.model_command import model
from agent.score_command import score
from ipc.command import main
from ipc.environment import load
from watchdog import doctor_command
from watchdog.watchdog_command import watchdog

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "commands.md").read_text()
COMMANDS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["sentimentagent.commands"]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_a_section_with_an_example(name: str) -> None:
    """A command that nobody can read about is used by nobody."""
    headings = {heading.split()[0] for heading in re.findall(r"^## (.+)$", TEXT, re.MULTILINE)}
    assert name in headings
    assert f"$ sentimentagent {name}" in TEXT


@pytest.mark.parametrize("name", ["bundle", "doctor", "status", "watch"])
def test_every_option_is_told_of(name: str) -> None:
    """In the command's own section."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    section = TEXT.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    options = [option for parameter in command.params for option in parameter.opts]
    assert [option for option in options if option.startswith("--") and option not in section] == []


@pytest.mark.parametrize("name", ["replay", "advise"])
def test_every_option_of_the_watchdogs_commands_is_told_of(name: str) -> None:
    """They share a section."""
    section = TEXT.partition("\n## watchdog\n")[2].partition("\n## ")[0]
    assert f"$ sentimentagent watchdog {name}" in section
    options = [option for parameter in watchdog.commands[name].params for option in parameter.opts]
    assert [option for option in options if option not in section] == []


@pytest.mark.parametrize(
    ("section", "command"), [("model", each) for each in model.commands.values()] + [("score", score)]
)
def test_every_option_of_the_models_commands_is_told_of(section: str, command: click.Command) -> None:
    """In the section of their group."""
    text = TEXT.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    options = [option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)]
    hidden = {"--explain"}  # the default, told of by what turns it off
    assert [each for each in options if each.startswith("--") and each not in text and each not in hidden] == []


def test_every_check_of_the_doctor_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name under which it is found."""
    monkeypatch.setenv("SENTIMENTAGENT_HOME", str(tmp_path))
    monkeypatch.setenv("API_PORT", "0")
    assert load().folders.home == tmp_path
    names = {finding.name for finding in doctor_command.findings()}
    assert len(names) > 20
    assert [name for name in sorted(names) if f"`{name}`" not in TEXT] == []
