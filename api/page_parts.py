"""The parts of the page, as HTML: templates and the few words between figures. Pure: records in, HTML out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from api.answers import moment
from api.html import Html, fill, joined, link
from api.trust import Trust, trust

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from agent.records import Scored, SubredditTotals, Totals
    from api.health import Health, ProcessHealth
    from api.static_files import StaticFiles

#: A title on Reddit has at most 300 characters; a body is shown in part.
_TITLE_CHARACTERS: Final = 300
_TEXT_CHARACTERS: Final = 240
_NAME_CHARACTERS: Final = 40
#: Runs before the page is drawn, and is no module.
_FIRST: Final = "first.js"
_STYLES: Final = ("base.css", "charts.css", "lists.css", "print.css")

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
{loads}
<noscript><meta http-equiv="refresh" content="30"></noscript>
</head>
<body>
<a class="skip" href="#view">Skip to the content</a>
<header class="top">
<a class="brand" href="/"><img src="{icon}" alt="" width="28" height="28"> SentimentAgent</a>
<nav id="views" class="scripted" aria-label="Views"></nav>
<p id="live" class="live scripted" role="status"></p>
</header>
<section class="verdict" aria-label="Verdict">
<p id="trust" class="trust {level}" role="status">{sentence}</p>
<div id="feeling" class="scripted"></div>
</section>
<main id="view" tabindex="-1">
<h1 class="plain">What Reddit&#8217;s communities think of the tools they talk about</h1>
<div class="plain">
{health}
{body}
</div>
</main>
<footer>
<p>Version {version}. <span class="plain">Made at {now}; renews itself every 30 seconds.</span>
<span class="links"><a href="/docs">API</a>, <a href="/api/v1/health">health</a> and
<a href="/metrics">metrics</a> for programs.</span></p>
</footer>
</body>
</html>
"""

_LOADS: Final = """<link rel="icon" href="{icon}" type="image/svg+xml">
{styles}
<script src="{first}"></script>
{modules}
<script type="module" src="{main}"></script>"""

_HEALTH: Final = """<section aria-labelledby="health">
<h2 id="health">Health <span class="word {status}">{status}</span></h2>
{reasons}
<dl class="figures">
<div><dt>Items scored</dt><dd>{items}</dd></div>
<div><dt>Newest data</dt><dd>{freshness}</dd></div>
<div><dt>Last collection</dt><dd>{collection}</dd></div>
<div><dt>Collections failed, last hour</dt><dd>{failed}</dd></div>
</dl>
<ul class="processes">
{processes}
</ul>
</section>"""

_TABLE: Final = """<section aria-labelledby="day">
<h2 id="day">The last 24 hours <small>posts and comments, by subreddit</small></h2>
<div class="scrolled" tabindex="0" role="group" aria-labelledby="day">
<table>
<thead><tr><th scope="col">Subreddit</th><th scope="col" class="number">Items</th>
<th scope="col" class="bars"><span class="positive">positive</span> <span class="neutral">neutral</span>
<span class="negative">negative</span></th>
<th scope="col" class="number" title="mean of p(positive) - p(negative), from -1 to 1">Average</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
</section>"""

_ROW: Final = """<tr class="{kind}"><th scope="row"><bdi>{name}</bdi></th><td class="number">{total}</td>
<td class="bars">{bar}</td><td class="number {mood}">{average}</td></tr>"""

_BAR: Final = """<svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{label}">
<title>{label}</title>
<rect class="positive" x="0" width="{positive:.2f}" height="8"/><rect class="neutral" x="{positive:.2f}"
 width="{neutral:.2f}" height="8"/><rect class="negative" x="{until_negative:.2f}" width="{negative:.2f}" height="8"/>
</svg>"""

_POST: Final = """<li>
<p class="score"><span class="sentiment {sentiment}">{sentiment}</span>
<span class="number {sentiment}">{compound}</span></p>
<article><h3><bdi>{title}</bdi></h3>
{text}
<p><bdi>r/{subreddit}</bdi> by <bdi>{author}</bdi>, <time datetime="{at}">{ago}</time>{replies}</p></article>
</li>"""

#: What stands in the place of all data while there is none to show.
AWAY: Final = Html(
    '<section class="away"><h2>The store does not answer</h2>\n'
    "<p>There is nothing to show until it does; this page looks again by itself.</p></section>"
)
_STALE: Final = """<section class="away"><h2>The store does not answer</h2>
<p>What follows is what it said last, {ago}. This page looks again by itself.</p></section>
"""
_NOTHING_MEASURED: Final = "not measured"
_DASH: Final = "\N{EN DASH}"
_MINUS: Final = "\N{MINUS SIGN}"


class Loads(NamedTuple):
    """What the page loads, as HTML, and the address of its icon."""

    html: Html
    icon: str


def loads(files: StaticFiles) -> Loads:
    """Return the elements that load the page's files; all modules are named, so that none waits for another."""
    icon = files.address("icon.svg")
    html = fill(
        _LOADS,
        icon=icon,
        styles=joined(fill('<link rel="stylesheet" href="{at}">', at=files.address(name)) for name in _STYLES),
        first=files.address(_FIRST),
        modules=joined(
            fill('<link rel="modulepreload" href="{at}">', at=files.address(name))
            for name in files.names(".js")
            if name != _FIRST
        ),
        main=files.address("main.js"),
    )
    return Loads(html, icon)


def page(health: Health, body: Html, source: str | None, loaded: Loads) -> Html:
    """Return the whole page; ``source`` is where the data in ``body`` comes from."""
    told = _told(health, source)
    return fill(
        _PAGE,
        title=f"SentimentAgent: {health.status}",
        loads=loaded.html,
        icon=loaded.icon,
        level=told.level,
        sentence=told.sentence,
        health=_health(health),
        body=body,
        version=health.version + (f", commit {health.commit[:10]}" if health.commit else ""),
        now=_clock(health.timestamp),
    )


def _told(health: Health, source: str | None) -> Trust:
    """Return how far the page can be trusted: of a store that is away the sample data is still sample data."""
    shown = (source or "").split(", ")
    if health.source is None and "sample" in shown:
        return Trust(level="none", sentence=f"{health.trust.sentence} {trust('healthy', (), shown, None).sentence}")
    return health.trust


def stale(age_s: float) -> Html:
    """Return the notice over what is no longer fresh."""
    return fill(_STALE, ago=_ago(age_s))


def _health(health: Health) -> Html:
    application, now = health.application, health.timestamp
    freshness = application.data_freshness_minutes
    last = application.last_collection_at
    failed = application.collections_failed_last_hour
    reasons = [fill("<li>{reason}</li>", reason=_capitalised(reason)) for reason in health.reasons]
    # The line at the top says in full what the note on sample data says in short.
    notes = [fill("<li>{note}</li>", note=_capitalised(note)) for note in health.notes if "sample data" not in note]
    lists = [fill('<ul class="{kind}">{of}</ul>', kind=kind, of=joined(of)) for kind, of in _lists(reasons, notes)]
    return fill(
        _HEALTH,
        status=health.status,
        reasons=joined(lists),
        items=_NOTHING_MEASURED if health.database.items is None else f"{health.database.items:,}",
        freshness=_NOTHING_MEASURED if freshness is None else _ago(freshness * 60),
        collection=_NOTHING_MEASURED if last is None else _ago((now - last).total_seconds()),
        failed=_NOTHING_MEASURED if failed is None else failed,
        processes=joined(_process(name, each) for name, each in health.processes.items()),
    )


def _lists(reasons: Sequence[Html], notes: Sequence[Html]) -> list[tuple[str, Sequence[Html]]]:
    return [(kind, of) for kind, of in (("reasons", reasons), ("notes", notes)) if of]


def _process(name: str, each: ProcessHealth | None) -> Html:
    if each is None:
        return fill('<li class="unknown"><strong>{name}</strong> not known</li>', name=name)
    state = each.state or (each.supervisor_state or "not known").lower()
    memory = "" if each.memory_mb is None else f", {each.memory_mb:.0f} MB"
    restarts = f", {_counted(each.restarts, 'restart')}" if each.restarts else ""
    kind = "well" if each.verdict in {"ok", "not judged"} else "ill"
    return fill(
        '<li class="{kind}"><strong>{name}</strong> {facts}</li>',
        kind=kind,
        name=name,
        facts=state + memory + restarts,
    )


def table(everything: Totals, each: Sequence[SubredditTotals]) -> Html:
    """Return the totals of a day, of all and by subreddit."""
    rows = [_row("all", "All subreddits", everything)]
    rows += [_row("one", f"r/{_cut(one.subreddit, _NAME_CHARACTERS)}", one.totals) for one in each]
    if not everything.total:
        rows = [Html('<tr><td colspan="4">Nothing that was written in the last 24 hours is here.</td></tr>')]
    return fill(_TABLE, rows=joined(rows))


def _row(kind: str, name: str, totals: Totals) -> Html:
    return fill(
        _ROW,
        kind=kind,
        name=name,
        total=f"{totals.total:,}",
        bar=_bar(totals),
        mood=_mood(totals.avg_sentiment),
        average=_signed(totals.avg_sentiment),
    )


def _bar(totals: Totals) -> Html:
    share = 100 / totals.total if totals.total else 0
    positive, neutral, negative = totals.positive * share, totals.neutral * share, totals.negative * share
    label = f"{totals.positive:,} positive, {totals.neutral:,} neutral, {totals.negative:,} negative"
    # Figures of our own: formatted, not escaped.
    return Html(
        _BAR.format(
            label=label, positive=positive, neutral=neutral, negative=negative, until_negative=positive + neutral
        )
    )


def posts(newest: Sequence[Scored], now_utc: float) -> Html:
    """Return the newest posts."""
    shown = joined(_post(one, now_utc) for one in newest) or Html("<li>There are no posts yet.</li>")
    return fill(
        '<section aria-labelledby="newest"><h2 id="newest">Newest posts</h2><ol class="items">{posts}</ol></section>',
        posts=shown,
    )


def _post(scored: Scored, now_utc: float) -> Html:
    item, score = scored.item, scored.score
    text = _cut(" ".join(item.content.split()), _TEXT_CHARACTERS)
    replies = "" if item.comment_count is None else f", {_counted(item.comment_count, 'comment')}"
    return fill(
        _POST,
        sentiment=score.sentiment,
        compound=_signed(score.compound),
        title=link(item.url, _cut(item.title, _TITLE_CHARACTERS) or "(no title)"),
        text=fill("<p><bdi>{text}</bdi></p>", text=text) if text else Html(),
        subreddit=_cut(item.subreddit, _NAME_CHARACTERS),
        author=_cut(item.author, _NAME_CHARACTERS) or "(nobody)",
        at=moment(item.created_utc).isoformat(),
        ago=_ago(now_utc - item.created_utc),
        replies=replies,
    )


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[:characters].rstrip()}…"


def _signed(value: float | None) -> str:
    if value is None:
        return _DASH
    return f"{value:+.2f}".replace("-", _MINUS) if round(value, 2) else "0.00"


def _mood(average: float | None) -> str:
    """Return the colour's name: what is shown as less than 0.05 from nothing is neither."""
    if average is None or abs(round(average, 2)) < 0.05:  # noqa: PLR2004 - chosen, not measured
        return "neutral"
    return "positive" if average > 0 else "negative"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _ago(seconds: float) -> str:
    for limit, size, unit in ((90, 1, "second"), (5400, 60, "minute"), (172_800, 3600, "hour")):
        if seconds < limit:
            return f"{_counted(max(0, round(seconds / size)), unit)} ago"
    return f"{_counted(round(seconds / 86_400), 'day')} ago"


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _capitalised(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
