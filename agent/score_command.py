"""``sentimentagent score``: what the model makes of one text, and by which words. Stores nothing, asks no process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click
import msgspec

from agent.sentiment.choose import open_engine
from agent.sentiment.engine import Scores, TextFailure
from agent.sentiment.explain import Word, explain
from agent.sentiment.rules import Rule, prepare
from ipc import logs
from ipc.environment import load
from ipc.errors import ModelError, SettingsError
from ipc.life import EX_CONFIG
from ipc.logs import harmless

if TYPE_CHECKING:
    from agent.sentiment.engine import Engine

#: Standard input is read this far: the rules read no more of a post.
_MOST_BYTES: Final = 1024 * 1024
#: Words that are printed for people; JSON has all that were tried.
_PRINTED_WORDS: Final = 8
#: A word that moves the verdict's probability by less says nothing. Chosen.
_LEAST_EFFECT: Final = 0.01


@click.command()
@click.argument("text")
@click.option("--title", default="", help="A title over the text, as a post has one.")
@click.option("--model", "name", help="As the setting SENTIMENT_MODEL, which is the default.")
@click.option("--explain/--no-explain", "wants_words", default=True, help="Name the words behind it (the default).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def score(text: str, title: str, name: str | None, *, wants_words: bool, as_json: bool) -> None:
    """Score TEXT, or standard input where TEXT is a dash, and name the words that drove the verdict."""
    logs.configure_command()
    if text == "-":
        text = sys.stdin.buffer.read(_MOST_BYTES).decode("utf-8", errors="replace")
    told = _scored(_engine(name), title, text, wants_words=wants_words)
    click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode() if as_json else _words(told))


def _scored(engine: Engine, title: str, text: str, *, wants_words: bool) -> dict[str, Any]:
    prepared = prepare(title, text)
    if prepared.text is None:
        assert prepared.fixed is not None  # noqa: S101 - exactly one of the two is there
        return _told(prepared.fixed, prepared.rule, engine, [])
    if not wants_words:
        (outcome,) = engine.score([prepared.text])
        if isinstance(outcome, TextFailure):
            _fail(f"the model can't score this text: {outcome.error}")
        return _told(outcome, prepared.rule, engine, None)
    found = explain(engine, prepared.text)
    if isinstance(found, TextFailure):
        _fail(f"the model can't score this text: {found.error}")
    return _told(found.scores, prepared.rule, engine, found.words) | {"is_whole": found.is_whole}


def _told(scores: Scores, rule: Rule, engine: Engine, words: list[Word] | None) -> dict[str, Any]:
    told = {
        "sentiment": scores.sentiment,
        "confidence": scores.confidence,
        "compound": scores.compound,
        "probabilities": {"positive": scores.positive, "neutral": scores.neutral, "negative": scores.negative},
        "rule": rule,
        "model": engine.name,
    }
    return told if words is None else told | {"words": words}


def _words(told: dict[str, Any]) -> str:
    lines = [
        f"{told['sentiment']}, confidence {told['confidence']:.2f}, compound {told['compound']:+.2f}",
        "  ".join(f"{name} {value:.3f}" for name, value in told["probabilities"].items()),
        f"rule {told['rule']}, model {harmless(told['model'])}",
    ]
    strong = [word for word in told.get("words", []) if abs(word.effect) >= _LEAST_EFFECT][:_PRINTED_WORDS]
    if strong:
        lines.append(f"without the word, the probability of {told['sentiment']} falls by")
        lines += [f"{word.effect:+7.3f}  {harmless(word.word)}" for word in strong]
    elif "words" in told:
        lines.append("no single word drove it")
    if told.get("is_whole") is False:
        lines.append("the text has more words than were tried: those of its strongest pieces were")
    return "\n".join(lines)


def _engine(name: str | None) -> Engine:
    try:
        settings = load().analyzer
        return open_engine(
            name or settings.sentiment_model, engine=settings.sentiment_engine, threads=settings.analyzer_threads
        )
    except SettingsError as error:
        _fail(f"wrong settings: {error}", EX_CONFIG)
    except ModelError as error:
        _fail(str(error), EX_CONFIG)


def _fail(words: str, status: int = 1) -> NoReturn:
    click.echo(harmless(words), err=True)
    sys.exit(status)
