"""An item as a document of Cosmos DB, and what a batch makes of what is there: no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from fakes.stored import TEN_O_CLOCK, item, scored, set_aside
from hypothesis import given
from hypothesis import strategies as st

from agent.records import Kept
from agent.store import cosmos_changes, cosmos_documents
from agent.store.cosmos_days import DAY_ID
from agent.store.cosmos_documents import DAY_S, LEAST_TTL_S

if TYPE_CHECKING:
    from agent.records import Scored
    from agent.store.cosmos_changes import Operation, Plan
    from agent.store.cosmos_documents import Document

PK = "cursor|2025-10-15"


def document(one: Scored, checked_utc: int = TEN_O_CLOCK + 60, write: str = "another") -> Document:
    """Return the document of an item as the service tells it."""
    kept = Kept(scored=one, checked_utc=checked_utc, place="")
    return cosmos_documents.item_document(kept, PK, write, 100) | {"_etag": '"1"', "_ts": 1}


def planned(*looks: Scored, known: tuple[Document, ...] = ()) -> Plan:
    """Return the plan for looks at items of one partition."""
    (of_partition,) = cosmos_changes.partitions(looks).values()
    return cosmos_changes.plan(PK, of_partition, {one["id"]: one for one in known}, "mine", lambda _: 100)


def counted(operations: list[Operation]) -> dict[str, int]:
    """Return what the patches of a plan add to the day, by path."""
    patches = [operation[1] for operation in operations if operation[0] == "patch"]
    assert all(name == DAY_ID and len(increments) <= 10 for name, increments in patches)
    return {one["path"]: one["value"] for _, increments in patches for one in increments}


@given(st.text())
def test_an_id_holds_nothing_that_the_service_forbids(name: str) -> None:
    """Whatever a name holds, its id is short, plain, and no id that we give ourselves."""
    made = cosmos_documents.escape(name)
    assert not set(made) & set("/\\?# ")
    assert made.isascii()
    assert len(made) < 255
    assert made not in {"~day", "~counter"}


@given(st.text(max_size=300), st.text(max_size=300))
def test_two_names_never_share_an_id(one: str, other: str) -> None:
    """The same only for the same."""
    assert (cosmos_documents.escape(one) == cosmos_documents.escape(other)) == (one == other)


def test_an_item_is_the_same_after_the_way_through_a_document() -> None:
    """Every field of item and score, as the service's JSON brings it back."""
    for one in (scored(), scored(item("t1_y", content="\U0001f600\x00"), "negative")):
        stored = msgspec.json.decode(msgspec.json.encode(document(one)))
        assert cosmos_documents.scored(stored) == one
        assert cosmos_documents.kept(stored).checked_utc == TEN_O_CLOCK + 60


def test_a_deleted_item_is_in_no_query() -> None:
    """It has none of the fields by which items are found, but for its name and time."""
    gone = document(scored(item("t3_a", author="me")))
    tombstone = document(scored(msgspec.structs.replace(item("t3_a", author=""), is_deleted=True)))
    assert {"shown", "due_utc", "author_key"} <= set(gone)
    assert not {"shown", "due_utc", "author_key"} & set(tombstone)
    assert "due_utc" not in document(scored(item("t3_a", source="archive")))


@pytest.mark.parametrize(
    ("created_utc", "expected"),
    [
        (TEN_O_CLOCK, 90 * DAY_S),
        (TEN_O_CLOCK - 89 * DAY_S, LEAST_TTL_S),
        (TEN_O_CLOCK - 4000 * DAY_S, LEAST_TTL_S),
        (TEN_O_CLOCK - 80 * DAY_S, 10 * DAY_S),
        (TEN_O_CLOCK + 10**11, 2**31 - 1),
    ],
)
def test_a_time_to_live_ends_with_the_retention(created_utc: int, expected: int) -> None:
    """Counted from creation, within what the service takes, and never so short that a replay would count again."""
    assert cosmos_documents.ttl_s(created_utc, 90, TEN_O_CLOCK) == expected


def test_a_new_item_is_created_and_counted_in_its_hour() -> None:
    """One create; the hour's sentiment and compound, and the day's number of items."""
    plan = planned(scored(item("t3_a", created_utc=TEN_O_CLOCK + 3599), "negative"))
    assert [operation[0] for operation in plan.operations] == ["create", "patch"]
    assert counted(plan.operations) == {
        "/items": 1,
        "/hours/10/negative": 1,
        "/hours/10/nano": -750_000_000 + 50_000_000,
    }
    assert (plan.new, plan.newest) == (1, {"reddit": TEN_O_CLOCK + 3659})


def test_what_is_known_changes_nothing() -> None:
    """An item that is there, by another's hand or our own, is not written; our own is new all the same."""
    one = scored()
    assert planned(one, known=(document(one),)).operations == []
    assert planned(one, known=(document(one),)).new == 0
    assert planned(one, known=(document(one, write="mine"),)).new == 1


def test_an_edit_exchanges_the_score_under_the_version_that_was_read() -> None:
    """The old score leaves its hour and the new one enters it; the number of items stays."""
    edited = scored(item("t3_a", collected_utc=TEN_O_CLOCK + 900, title="Edited"), "negative")
    plan = planned(edited, known=(document(scored(item("t3_a"), "positive")),))
    verb, (name, changed), *conditions = plan.operations[0]
    assert (verb, name, conditions) == ("replace", "t3_a", [{"if_match_etag": '"1"'}])
    assert (changed["title"], changed["checked_utc"], changed["collected_utc"]) == (
        "Edited",
        TEN_O_CLOCK + 900,
        TEN_O_CLOCK + 60,
    )
    assert counted(plan.operations) == {
        "/hours/10/positive": -1,
        "/hours/10/negative": 1,
        "/hours/10/nano": -750_000_000 - 700_000_000,
    }


def test_a_later_look_without_an_edit_leaves_the_counts_alone() -> None:
    """One replace and no patch."""
    again = scored(item("t3_a", collected_utc=TEN_O_CLOCK + 900), "negative")
    plan = planned(again, known=(document(scored(item("t3_a"), "positive")),))
    assert [operation[0] for operation in plan.operations] == ["replace"]


def test_several_looks_at_a_new_item_are_one_document() -> None:
    """In one batch: the first, an older one and a later one come to one create that counts the last text."""
    looks = [
        scored(item("t3_a"), "positive"),
        scored(item("t3_a", collected_utc=TEN_O_CLOCK + 1, title="Older"), "neutral"),
        scored(item("t3_a", collected_utc=TEN_O_CLOCK + 99, title="Edited"), "negative"),
    ]
    plan = planned(*looks)
    (created,) = plan.operations[0][1]
    assert (created["title"], created["collected_utc"], created["checked_utc"]) == (
        "Edited",
        TEN_O_CLOCK + 60,
        TEN_O_CLOCK + 99,
    )
    assert counted(plan.operations)["/hours/10/negative"] == 1


@given(st.lists(st.integers(0, 86_399), max_size=300), st.integers(0, 60_000))
def test_every_batch_is_within_the_bounds_of_the_service(seconds: list[int], length: int) -> None:
    """Whatever comes for one day: at most 100 operations and 1 MB a batch, each item in just one."""
    midnight = TEN_O_CLOCK // DAY_S * DAY_S
    looks = [
        scored(item(f"t3_{n}", created_utc=midnight + second, content="x" * length)) for n, second in enumerate(seconds)
    ]
    names = []
    for pk, of_partition in cosmos_changes.partitions(looks).items():
        assert pk == PK
        for chunk in cosmos_changes.chunks(of_partition):
            plan = cosmos_changes.plan(pk, chunk, {}, "mine", lambda _: 100)
            assert len(plan.operations) <= 100
            assert len(msgspec.json.encode(plan.operations)) < 1_000_000
            names += list(chunk)
    assert names == [look.item.name for look in looks]


def test_a_text_that_no_document_can_hold_is_cut() -> None:
    """Reddit's own are far below; what is cut is cut the same at every look, so it is no edit."""
    long = scored(item("t3_a", content="x" * 3_000_000))
    (of_one,) = cosmos_changes.partitions([long])[PK].values()
    assert len(of_one[0].item.content) == cosmos_documents.TEXT_LIMIT
    again = scored(item("t3_a", content="x" * 3_000_000, collected_utc=TEN_O_CLOCK + 99), "negative")
    plan = planned(again, known=(document(of_one[0]),))
    assert [operation[0] for operation in plan.operations] == ["replace"]


def test_emptying_leaves_what_is_empty_alone() -> None:
    """What was set aside loses its text and the error's words, once."""
    stored = cosmos_documents.set_aside_document(set_aside(), 100) | {"_etag": '"1"'}
    plan = cosmos_changes.emptying({stored["id"]: stored}, lambda _: 100)
    (operation,) = plan.operations
    name, changed = operation[1]
    assert (changed["item"]["content"], changed["item"]["author"], changed["error"]) == ("", "", "IndexError")
    assert cosmos_changes.emptying({name: changed | {"_etag": '"2"'}}, lambda _: 100).operations == []
