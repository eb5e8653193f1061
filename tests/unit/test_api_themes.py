from __future__ import annotations

import random
import time
from dataclasses import dataclass

from fakes.stored import TEN_O_CLOCK

from api.themes import MAX_KEYWORDS, MIN_POSTS, Talked, find

FILLER = ("editor", "plugin", "keyboard", "terminal", "window", "project", "model", "answer", "file", "python", "agent")


@dataclass
class Community:
    """Posts about this and that, from a seeded generator."""

    rng: random.Random

    def chatter(self, count: int) -> list[str]:
        """Return texts of common words."""
        return [". ".join(self.rng.sample(FILLER, 5)) for _ in range(count)]

    def posts(self, texts: list[str], *, prefix: str = "p", age_s: int = 7200) -> list[Talked]:
        """Return a post by another person for each text."""
        return [post(f"{prefix}{index}", text, age_s=age_s) for index, text in enumerate(texts)]


def post(  # noqa: PLR0913 - one parameter a field that tests vary
    name: str,
    text: str,
    *,
    author: str | None = "",
    age_s: int = 7200,
    engagement: int | None = 10,
    title: str | None = None,
) -> Talked:
    """Return a post of the last hours whose title is its text."""
    return Talked(
        id=name,
        author=name if author == "" else author,
        title=text if title is None else title,
        text=text,
        created_utc=TEN_O_CLOCK - age_s,
        engagement=engagement,
        sentiment="negative",
    )


def some() -> Community:
    """Return a community."""
    return Community(random.Random(6))  # noqa: S311 - a simulation


def test_what_is_new_is_a_theme_and_what_was_always_said_is_none() -> None:
    """Twelve posts about an outage among eighty of the usual: the one theme, with its posts."""
    usual = some()
    outage = [f"Rate limits today, {text}" for text in usual.chatter(12)]
    now = usual.posts(usual.chatter(80)) + usual.posts(outage, prefix="outage")
    (theme,) = find(now, usual.chatter(400), TEN_O_CLOCK, 100)
    assert theme.keywords[0] == "rate limits"
    assert {post.id for post in theme.posts} == {f"outage{index}" for index in range(12)}
    assert theme.velocity == 12 * 10 / 2


def test_the_usual_alone_has_no_theme() -> None:
    """Words that were as common before are no news."""
    usual = some()
    assert find(usual.posts(usual.chatter(200)), usual.chatter(800), TEN_O_CLOCK, 100) == []


def test_two_things_are_two_themes_and_terms_of_one_thing_one() -> None:
    """What stands in the same posts belongs together; the faster theme comes first."""
    usual = some()
    outage = [f"Login outage, status page red, {text}" for text in usual.chatter(15)]
    price = [f"Pricing doubled: refund please, {text}" for text in usual.chatter(15)]
    now = (
        usual.posts(outage, prefix="o") + usual.posts(price, prefix="q", age_s=14_400) + usual.posts(usual.chatter(60))
    )
    first, second = find(now, usual.chatter(300), TEN_O_CLOCK, 100)
    assert {post.id[0] for post in first.posts} == {"o"}
    assert {post.id[0] for post in second.posts} == {"q"}
    assert "login outage" in first.keywords
    assert len(first.keywords) <= MAX_KEYWORDS
    words = [word for keyword in first.keywords for word in keyword.split()]
    assert len(words) == len(set(words))
    assert find(now, usual.chatter(300), TEN_O_CLOCK, 1) == [first]


def test_one_person_is_no_theme() -> None:
    """Thirty posts of one author; but accounts that are gone are not one person."""
    usual = some()
    spam = [post(f"s{index}", "Buy refundable tokens", author="spammer") for index in range(30)]
    gone = [post(f"g{index}", "Login outage", author=None) for index in range(30)]
    found = find(spam + gone + usual.posts(usual.chatter(60)), usual.chatter(300), TEN_O_CLOCK, 100)
    assert [theme.keywords[0] for theme in found] == ["login outage"]


def test_a_word_that_only_stands_in_the_small_print_is_no_theme() -> None:
    """What a post is about stands in its title, at least in half of the posts."""
    usual = some()
    now = [post(f"p{index}", f"{text}. Thanksgiving", title=text) for index, text in enumerate(usual.chatter(30))]
    assert find(now + usual.posts(usual.chatter(30)), usual.chatter(300), TEN_O_CLOCK, 100) == []


def test_without_a_past_what_is_common_is_told() -> None:
    """On the first day there is nothing to compare with; an empty store has no themes."""
    usual = some()
    now = usual.posts([f"Login outage, {text}" for text in usual.chatter(40)])
    assert find(now, [], TEN_O_CLOCK, 1)[0].keywords[0] == "login outage"
    assert find([], [], TEN_O_CLOCK, 100) == []
    assert find(now[: MIN_POSTS - 1], [], TEN_O_CLOCK, 100) == []


def test_the_id_stays_while_posts_come() -> None:
    """A client follows a theme by it."""
    usual = some()
    outage = usual.posts([f"Login outage, {text}" for text in usual.chatter(30)], prefix="o")
    before, rest = usual.chatter(300), usual.posts(usual.chatter(60))
    (early,) = find(rest + outage[:12], before, TEN_O_CLOCK, 100)
    (late,) = find(rest + outage, before, TEN_O_CLOCK + 600, 100)
    assert early.id == late.id
    assert len(early.id) == 16


def test_times_and_velocity_are_those_of_its_posts() -> None:
    """The busiest hour, the first post, and what an hour brought; a post of a minute counts as an hour old."""
    ages_s = [60, 120, 180, 7200, 36_000]
    now = [post(f"o{index}", "Login outage", age_s=age, engagement=6) for index, age in enumerate(ages_s)]
    (theme,) = find(now, [], TEN_O_CLOCK, 100)
    assert theme.peak_utc == TEN_O_CLOCK - 3600
    assert theme.first_utc == TEN_O_CLOCK - 36_000
    assert theme.velocity == 6 * 3 + 6 / 2 + 6 / 10


def test_an_unknown_engagement_is_not_zero() -> None:
    """Known ones alone are summed; where none is known, the velocity is unknown and the theme comes last."""
    silent = [post(f"s{index}", "Login outage", engagement=None) for index in range(6)]
    known = [post(f"k{index}", "Pricing doubled", engagement=0) for index in range(6)]
    slow, unknown = find(silent + known, [], TEN_O_CLOCK, 100)
    assert (slow.keywords[0], slow.velocity) == ("pricing doubled", 0)
    assert (unknown.keywords[0], unknown.velocity) == ("login outage", None)
    mixed = [*silent[:3], post("x", "Login outage", engagement=10)]
    assert find(mixed, [], TEN_O_CLOCK, 1)[0].velocity == 5


def test_most_engagement_comes_first_within_a_theme() -> None:
    """And the order is the same each time, whatever order they came in."""
    now = [post(f"o{index}", "Login outage", engagement=index) for index in range(6)]
    first = find(now, [], TEN_O_CLOCK, 1)
    assert [one.id for one in first[0].posts] == ["o5", "o4", "o3", "o2", "o1", "o0"]
    assert find(now[::-1], [], TEN_O_CLOCK, 1) == first


def test_posts_that_are_made_to_be_many_themes_take_no_longer() -> None:
    """Three strangers each who share fifty words of their own: each theme was looked for among the words of all."""

    def own(group: int) -> str:
        return " ".join(f"q{chr(97 + group // 26 % 26)}{chr(97 + group % 26)}{chr(97 + n)}z{n}" for n in range(26))

    posts = [post(f"p{group}-{n}", own(group)) for group in range(400) for n in range(MIN_POSTS)]
    began_s = time.perf_counter()
    found = find(posts, [], TEN_O_CLOCK, 1000)
    assert time.perf_counter() - began_s < 1
    assert len(found) == 400
