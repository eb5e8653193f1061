"""What to do about a trouble with the data, by its kind and cause: the runbook's words in short. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from watchdog.commands import Commands


class Advice(NamedTuple):
    """What to do, which chapter of the runbook has the whole of it, and the commands by name."""

    words: str
    chapter: str
    commands: tuple[str, ...] = ()


_CHANGE: Final = ("config", "restart collector")
_WAIT: Final = "Nothing: it is tried again in the next collection."
_OUTSIDE: Final = Advice("Look at the network and the proxies between here and Reddit.", "2", ("doctor",))
_GONE: Final = Advice("Correct the name in SUBREDDITS or take it out, then restart the collector.", "12", _CHANGE)
_SIGN_IN: Final = Advice(
    "Check REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET; the doctor tries them. Then restart the collector.",
    "2",
    ("doctor", "restart collector"),
)
_STALLED: Final = Advice(
    "See what the collector waits for. The outbox: the analyzer takes nothing, look at its log. Nothing: restart it.",
    "2",
    ("log analyzer", "restart collector"),
)
_LOG: Final = Advice("Read the cause in the collector's log.", "2")

#: By kind, then by cause; the empty cause is for all others.
_ADVICE: Final = {
    "source": {
        "forbidden": Advice(
            "It is private, or closed to this app: take it out of SUBREDDITS, then restart the collector.",
            "12",
            _CHANGE,
        ),
        "not_found": _GONE,
        "no_such_subreddit": _GONE,
        "bad_credentials": _SIGN_IN,
        "token_expired": _SIGN_IN,
        "rate_limited": Advice(
            f"{_WAIT} If it stays, raise COLLECTION_INTERVAL_MINUTES or name fewer SUBREDDITS.", "12", ("config",)
        ),
        "server_error": Advice(f"{_WAIT} The trouble is Reddit's own.", "12"),
        "timed_out": _OUTSIDE,
        "unreachable": _OUTSIDE,
        "not_reddit": Advice("A proxy or a login page answers in Reddit's place.", "12", ("doctor",)),
        "stalled": _STALLED,
        "": _LOG,
    },
    "collections": {"": _LOG},
    "stale": {
        "stalled": _STALLED,
        "quiet": Advice("Nothing, if it can be that nobody wrote: collections succeed.", "13"),
        "": Advice("As for subreddits that can't be read.", "12"),
    },
    "silent": {"": Advice("Look on Reddit whether it is quiet, closed to new posts, or renamed.", "12")},
    "database": {
        "": Advice("See whether its file is there, can be read, and has room; the doctor looks.", "4", ("doctor",))
    },
    "disk": {
        "": Advice(
            "Make room. With a full disk nothing that was acknowledged is lost, but collecting stands still.",
            "1",
            ("doctor", "df"),
        )
    },
}


def of(kind: str, cause: str) -> Advice:
    """Return what to do about ``kind`` with this cause."""
    by_cause = _ADVICE[kind]
    return by_cause.get(cause, by_cause[""])


def command(name: str, commands: Commands) -> tuple[str, str]:
    """Return the purpose and the whole of a command of :class:`Advice`."""
    word, _, process = name.partition(" ")
    match word:
        case "restart":
            return f"To restart the {process}", commands.control("restart", process)
        case "log":
            return f"To read what {process} said", commands.log(process)
        case "config":
            return "To see the settings and where they come from", commands.tool("config check")
        case "df":
            return "To see what room there is", "df -h"
        case _:
            return "To have all of it examined", commands.tool(word)
