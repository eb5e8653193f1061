from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from ipc.errors import WireError
from ipc.messages import (
    VERSION,
    Ack,
    AnyMessage,
    Batch,
    Beat,
    Burden,
    Burdened,
    Collect,
    Cycle,
    CycleRunning,
    CycleStarted,
    Drain,
    Drained,
    Explain,
    Explained,
    Explanation,
    Incident,
    Item,
    MemoryCurve,
    MemoryPoint,
    ProcessReport,
    Recall,
    Recalled,
    Relieve,
    Relieved,
    Status,
    StatusReport,
    SubredditFailure,
    Trouble,
    WordEffect,
    decode,
    encode,
)

FOLDER = Path(__file__).parents[1] / "golden"
GOLDEN = json.loads((FOLDER / "messages_v1.json").read_text())
#: Before a beat told of troubles, and before it said what it had looked for.
FORMER = [
    pytest.param(name, payload, id=f"{former} {name}")
    for former in ("first", "second")
    for name, payload in json.loads((FOLDER / f"messages_v1_{former}.json").read_text()).items()
]

ITEM = Item(
    name="t3_1",
    subreddit="a",
    author="b",
    title="c",
    content="d",
    url="e",
    created_utc=1,
    collected_utc=2,
    comment_count=3,
    source="sample",
)
CYCLE = Cycle(
    id="c1",
    source="sample",
    started_utc=1.0,
    finished_utc=2.0,
    outcome="failed",
    posts=1,
    comments=2,
    new=3,
    failures=(SubredditFailure(subreddit="a", cause="forbidden", detail="d"),),
    memory_delta_mb=0.5,
)
BEAT = Beat(
    process="api",
    pid=7,
    state="ready",
    uptime_s=1.5,
    loop_lag_s=0.0,
    progress=3,
    waiting_for="items",
    gauges={"a": 1.0},
    facts={"b": "c"},
    troubles=(Trouble(kind="source", subject="aws", cause="forbidden", reason="forbidden: private"),),
    looked_for=("source",),
)
REPORT = ProcessReport(
    process="api",
    supervisor_state="RUNNING",
    pid=7,
    uptime_s=1.5,
    memory_mb=40.0,
    cpu_percent=None,
    memory_warning_mb=400.0,
    memory_limit_mb=480.0,
    beat_age_s=0.5,
    beat=BEAT,
    verdict="ok",
    reason="",
    restarts=1,
    last_restart_utc=1.0,
    last_restart_reason="x",
    slope_mb_per_h=12.5,
    limit_reached_in_s=2520.0,
    progress_age_s=12.0,
)
INCIDENT = Incident(
    id="i1",
    process="data",
    kind="source",
    opened_utc=1.0,
    closed_utc=None,
    reason="r",
    action="a",
    subjects=("aws",),
    severity="warning",
)
EXPLANATION = Explanation(
    sentiment="positive",
    confidence=0.75,
    rule="text",
    model="embedded",
    words=(WordEffect(word="love", effect=0.5),),
    is_whole=True,
)
MESSAGES: list[AnyMessage] = [
    Batch(seq=1, items=(ITEM,), cycles=(CYCLE,)),
    Ack(seq=1),
    Explain(title="a", content="b"),
    Explained(explanation=EXPLANATION),
    Collect(),
    CycleStarted(cycle_id="c1"),
    CycleRunning(cycle_id="c1"),
    BEAT,
    Relieve(deadline_s=2.0),
    Relieved(before_mb=410.0, after_mb=None),
    Drain(deadline_s=5.0),
    Drained(items_in=7, items_out=7),
    Burden(pid=7, mb=64, hold_s=10.0),
    Burdened(rss_mb=110.5),
    Status(),
    StatusReport(
        uptime_s=1.0,
        round_age_s=None,
        supervisor_answers=True,
        alerts="mail",
        alerts_waiting=0,
        processes=(REPORT,),
        incidents=(INCIDENT,),
        warnings=("CPU of api: 95 %",),
    ),
    Recall(span_s=3600),
    Recalled(
        every_s=15,
        curves=(MemoryCurve(process="api", points=(MemoryPoint(1_795_000_020, 47.5, 48.25),)),),
    ),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_version_1_keeps_its_bytes(message: AnyMessage) -> None:
    """A process of today and one of the release before must understand each other."""
    golden = bytes.fromhex(GOLDEN[type(message).__name__])
    assert encode(message).hex() == golden.hex()
    assert decode(golden) == message


@pytest.mark.parametrize(("name", "payload"), FORMER)
def test_bytes_from_before_a_field_was_added_are_still_read(name: str, payload: str) -> None:
    """During an upgrade one process is older than the other; what it did not say is not known."""
    message = decode(bytes.fromhex(payload))
    assert type(message).__name__ == name
    if isinstance(message, Beat):
        assert message.looked_for == ()


def test_every_message_has_golden_bytes() -> None:
    """A new message joins the list above."""
    assert set(GOLDEN) == {type(message).__name__ for message in MESSAGES}


def test_an_unknown_field_is_ignored() -> None:
    """Fields may be added within a version."""
    payload = bytes((VERSION,)) + msgspec.msgpack.encode({"type": "ack", "seq": 5, "colour": "red"})
    assert decode(payload) == Ack(seq=5)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "empty"),
        (b"\x02" + encode(Ack(seq=1))[1:], "version 2"),
        (b"\x01" + msgspec.msgpack.encode({"type": "shutdown"}), "shutdown"),
        (b"\x01" + msgspec.msgpack.encode({"type": "ack", "seq": "one"}), "seq"),
        (b"\x01" + msgspec.msgpack.encode({"type": "ack"}), "seq"),
        (b"\x01" + msgspec.msgpack.encode([1, 2]), "object"),
        (b"\x01GET / HTTP/1.1\r\n\r\n", "not a message"),
        (b"\x01\xc1", "not a message"),
    ],
    ids=["empty", "version", "tag", "type", "missing", "shape", "http", "not msgpack"],
)
def test_what_is_not_ours_is_a_wire_error(payload: bytes, says: str) -> None:
    """One error for all of it: the connection that brought it is closed."""
    with pytest.raises(WireError, match=says):
        decode(payload)


def test_a_message_cannot_change() -> None:
    """Messages are shared between tasks."""
    with pytest.raises(AttributeError):
        ITEM.title = "another"  # type: ignore[misc]


def test_an_item_knows_its_kind() -> None:
    """By Reddit's fullname, the key everywhere."""
    assert ITEM.kind == "post"
    assert msgspec.structs.replace(ITEM, name="t1_1").kind == "comment"
