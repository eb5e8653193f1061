from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from ipc.config_command import describe
from ipc.environment import load
from watchdog.scrub import MASK, Scrubber, secrets_of

if TYPE_CHECKING:
    from pathlib import Path

SECRET = 'p@ss "word"/+ü\n1'  # noqa: S105 - of this test alone


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
        SECRET.replace("\n", "\\n"),
    ],
    ids=["plain", "address", "JSON", "log line"],
)
def test_a_known_secret_is_found_in_every_form(form: str) -> None:
    """As programs write it into addresses, JSON and lines."""
    assert Scrubber([SECRET]).text(f"before {form} after") == f"before {MASK} after"


def test_a_longer_secret_is_taken_out_before_its_beginning() -> None:
    """Else the rest of it would stay."""
    assert Scrubber(["abcdef", "abcdef-ghijkl"]).text("x abcdef-ghijkl y") == f"x {MASK} y"


def test_a_short_secret_is_taken_out_where_it_stands_alone() -> None:
    """As a part of words it would take half the text along."""
    scrubber = Scrubber(["log", ""])
    assert scrubber.text("log=log the catalogue of logs") == f"{MASK}={MASK} the catalogue of logs"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abc.def-123", f"Authorization: Bearer {MASK}"),
        ("authorization=Basic dXNlcjpwYXNz rest", f"authorization=Basic {MASK} rest"),
        ('{"access_token": "abc123", "n": 1}', f'{{"access_token": "{MASK}", "n": 1}}'),
        ("password=hunter2&x=1", f"password={MASK}&x=1"),
        ("AccountKey=abc==;Endpoint=x", f"AccountKey={MASK};Endpoint=x"),
        ("https://user:hunter2@host/x", f"https://{MASK}@host/x"),
        ("told ops@example.org, and", f"told {MASK}, and"),
        ("by /u/some_body there", f"by /u/{MASK} there"),
        ("ADMIN_TOKEN=  # default", "ADMIN_TOKEN=  # default"),
        ("token_requests=3 tokenizers==0.22", "token_requests=3 tokenizers==0.22"),
        ("memory 489 of 1300 MB, beat 0.2 s ago", "memory 489 of 1300 MB, beat 0.2 s ago"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out_too(text: str, clean: str) -> None:
    """Also one that nobody told us; and nothing else."""
    assert Scrubber([]).text(text) == clean
    assert Scrubber([]).text(clean) == clean


def test_values_keep_their_shape() -> None:
    """A secret that is a word of ours must not change the names of a JSON object."""
    value: Any = {"status": ["status", 1, None, True, {"x": "the status"}], "api_key": "abc", "key": ""}
    assert Scrubber(["status"]).value(value) == {
        "status": [MASK, 1, None, True, {"x": f"the {MASK}"}],
        "api_key": MASK,
        "key": "",
    }


def test_every_secret_of_the_settings_is_known(tmp_path: Path) -> None:
    """Secrets, halves of logins, people; in the file also what is no setting of ours; in the environment the rest."""
    in_file = {
        "REDDIT_CLIENT_ID": "client-half",
        "REDDIT_CLIENT_SECRET": "reddit-secret",
        "ADMIN_TOKEN": "admin-secret",
        "SMTP_HOST": "mail.example.org",
        "SMTP_USERNAME": "mail-user",
        "SMTP_PASSWORD": "mail-secret",
        "ALERT_FROM": "from@example.org",
        "ALERT_TO": "one@example.org,two@example.org",
        "ALERT_URLS": "slack://token-one/token-two, json://hook.example.org/path-secret",
        "AZURE_OPENAI_API_KEY": "azure-secret",
        "HEALTH_CHECK_ENABLED": "true",
    }
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in in_file.items()))
    settings = load({"SENTIMENTAGENT_HOME": str(tmp_path)})
    scrubber = Scrubber(secrets_of(settings, in_file, {"GITHUB_TOKEN": "environment-secret", "PATH": "/usr/bin"}))
    basic = base64.b64encode(b"client-half:reddit-secret").decode()
    planted = [
        *("client-half", "reddit-secret", "admin-secret", "mail-user", "mail-secret", "from@example.org", basic),
        *("two@example.org", "token-one", "token-two", "path-secret", "azure-secret", "environment-secret"),
    ]
    text = scrubber.text(f"{describe(settings)} {' '.join(planted)} mail.example.org true /usr/bin")
    assert [secret for secret in planted if secret in text] == []
    assert text.endswith("mail.example.org true /usr/bin")
    assert "LOG_LEVEL=INFO" in text
