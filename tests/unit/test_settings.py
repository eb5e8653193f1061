from __future__ import annotations

from pathlib import Path

import pytest

from ipc.environment import load
from ipc.errors import SettingsError
from ipc.settings import NAMES, Secret, Settings

ROOT = Path(__file__).parents[2]


def loaded(tmp_path: Path, env_file: str = "", **environ: str) -> Settings:
    """Load with a home of our own, a file of this content and these names in the environment."""
    (tmp_path / ".env").write_text(env_file)
    return load({"SENTIMENTAGENT_HOME": str(tmp_path), **environ})


def test_defaults_need_no_account(tmp_path: Path) -> None:
    """A first run has no key, no server and no network."""
    settings = loaded(tmp_path)
    assert settings.collector.effective_source == "sample"
    assert settings.analyzer.sentiment_model == "embedded"
    assert settings.api.api_host == "127.0.0.1"
    assert settings.folders.store == tmp_path / "state" / "sentiment.db"
    assert settings.warnings == ()


def test_the_example_file_decodes_to_exactly_the_defaults(tmp_path: Path) -> None:
    """What is shipped as an example must not change anything by being copied."""
    example = (ROOT / "deployment" / ".env.example").read_text()
    settings, defaults = loaded(tmp_path, example), loaded(tmp_path)
    for group in ("log", "life", "collector", "analyzer", "store", "api", "watchdog", "mail", "alerts"):
        assert getattr(settings, group) == getattr(defaults, group)


@pytest.mark.parametrize("document", ["docs/settings.md", "deployment/.env.example"])
def test_every_setting_is_named(document: str) -> None:
    """No setting without a word about it."""
    text = (ROOT / document).read_text()
    assert [name for name in sorted(NAMES) if name not in text] == []


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    """So that one start can try another value."""
    settings = loaded(tmp_path, "API_PORT=8001\nLOG_LEVEL=DEBUG\n", API_PORT="8002")
    assert settings.api.api_port == 8002
    assert settings.log.log_level == "DEBUG"
    assert settings.origins == {"API_PORT": "environment", "LOG_LEVEL": str(tmp_path / ".env")}


def test_lists_are_comma_separated(tmp_path: Path) -> None:
    """As operators already have them, blanks or not."""
    settings = loaded(tmp_path, "SUBREDDITS=Cursor, claude ,,aws\nAPI_CORS_ORIGINS=http://a,http://b\n")
    assert settings.collector.subreddits == ("Cursor", "claude", "aws")
    assert settings.api.api_cors_origins == ("http://a", "http://b")


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("API_PORT=many", "API_PORT"),
        ("API_PORT=70000", "API_PORT"),
        ("COLLECTION_INTERVAL_MINUTES=0", "COLLECTION_INTERVAL_MINUTES"),
        ("LOG_LEVEL=LOUD", "LOG_LEVEL"),
        ("REDDIT_CLIENT_ID=abc", "REDDIT_CLIENT_SECRET"),
        ("COLLECTION_SOURCE=archive", "ARCHIVE_PATH"),
        ("COLLECTION_SOURCE=reddit", "REDDIT_CLIENT_ID"),
        ("MEMORY_WARNING_MB=500", "MEMORY_LIMIT_MB"),
        ("SMTP_HOST=localhost", "ALERT_TO"),
        ("ALERT_DEADMAN_URL=file:///etc/passwd", "ALERT_DEADMAN_URL"),
        ("ALERT_CAP_PER_HOUR=0", "ALERT_CAP_PER_HOUR"),
        ("COLLECTION_INTERVAL_MINUTE=5", "did you mean COLLECTION_INTERVAL_MINUTES"),
        ("SUBREDDIT=aws", "did you mean SUBREDDITS"),
        ("API_COLOUR=red", "API_COLOUR"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, line: str, names: str) -> None:
    """The operator reads which line of which file to mend."""
    with pytest.raises(SettingsError, match=names):
        loaded(tmp_path, line + "\n")


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("AZURE_OPENAI_API_KEY=hush", "SENTIMENT_MODEL"),
        ("SENTIMENT_METHOD=VADER", "SENTIMENT_MODEL"),
        ("HEALTH_CHECK_ENABLED=true", "always on"),
        ("COSMOS_CONTAINER_POSTS=posts", "its own containers"),
        ("FAVOURITE_COLOUR=vermilion", "no such setting"),
    ],
)
def test_a_retired_or_foreign_name_is_one_warning(tmp_path: Path, line: str, instead: str) -> None:
    """An old `.env` goes on working; what it says no longer counts is told, its value is not."""
    warnings = loaded(tmp_path, line + "\n").warnings
    assert len(warnings) == 1
    assert instead in warnings[0]
    assert line.split("=")[1] not in warnings[0]


def test_a_stranger_in_the_environment_is_ignored_unless_it_bears_our_name(tmp_path: Path) -> None:
    """An environment is full of other programs' names; SENTIMENTAGENT_ is only ours."""
    assert loaded(tmp_path, "", API_TOKEN_OF_SOMETHING="x", EDITOR="vi").warnings == ()
    with pytest.raises(SettingsError, match="SENTIMENTAGENT_HOMME.*did you mean SENTIMENTAGENT_HOME"):
        loaded(tmp_path, "", SENTIMENTAGENT_HOMME="x")


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    """Not by repr, not by str, not within the settings, not in an error."""
    settings = loaded(tmp_path, "REDDIT_CLIENT_ID=id\nREDDIT_CLIENT_SECRET=hush-hush\nADMIN_TOKEN=hush-too\n")
    assert settings.collector.reddit_client_secret.reveal() == "hush-hush"
    assert "hush" not in repr(settings)
    assert "hush" not in f"{settings.api.admin_token} {settings.api.admin_token!r}"
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, "SMTP_PASSWORD=hush\nSMTP_PORT=x\n")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "env_file",
    [
        "COSMOS_ENDPOINT=AccountEndpoint=https://a.documents.azure.com:443/;AccountKey=aHVzaA==;\n",
        "COSMOS_ENDPOINT=https://user:aHVzaA==@a.documents.azure.com/\n",
        "COSMOS_ENDPOINT=https://a.documents.azure.com/\nCOSMOS_KEY=aHVzaA==and-more\n",
    ],
)
def test_a_cosmos_account_that_cannot_be_one_is_refused_unquoted(tmp_path: Path, env_file: str) -> None:
    """A connection string in the wrong place holds the key: it is refused and never repeated."""
    with pytest.raises(SettingsError, match="COSMOS_") as caught:
        loaded(tmp_path, env_file)
    assert "aHVzaA==" not in str(caught.value)


def test_a_cosmos_account_is_taken_without_a_warning(tmp_path: Path) -> None:
    """Endpoint and key as the portal shows them."""
    settings = loaded(tmp_path, "COSMOS_ENDPOINT=https://a.documents.azure.com:443/\nCOSMOS_KEY=aHVzaA==\n")
    assert settings.warnings == ()
    assert settings.store.cosmos_key.reveal() == "aHVzaA=="


def test_an_empty_value_is_the_default(tmp_path: Path) -> None:
    """`NAME=` in a file says nothing."""
    assert loaded(tmp_path, "API_PORT=\n").api.api_port == 8000


def test_a_secret_is_compared_by_its_value() -> None:
    """So that settings can be compared."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert not Secret("")
