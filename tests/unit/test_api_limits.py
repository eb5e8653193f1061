"""Limits: the bucket of a client by a clock that is given, and who that client is behind a proxy."""

from __future__ import annotations

import pytest

from api.limits import MAX_CLIENTS, Buckets, network
from api.proxies import Proxies


def test_a_burst_is_let_through_and_what_is_more_waits() -> None:
    """Three at once, then one every half second; the wait that is told is the one that is needed."""
    buckets = Buckets(2.0, 3)
    assert [buckets.take("a", 100.0) for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a", 100.0) == pytest.approx(0.5)
    assert buckets.take("a", 100.3) == pytest.approx(0.2)
    assert buckets.take("a", 100.5) == 0
    assert buckets.take("a", 100.5) == pytest.approx(0.5)


def test_refused_requests_cost_nothing() -> None:
    """Who asks too often is let in again as soon as without."""
    buckets = Buckets(1.0, 1)
    assert buckets.take("a", 5.0) == 0
    for _ in range(50):
        assert buckets.take("a", 5.5) > 0
    assert buckets.take("a", 6.0) == 0


def test_a_bucket_is_never_fuller_than_full() -> None:
    """A day of silence is one burst."""
    buckets = Buckets(20.0, 100)
    buckets.take("a", 0.0)
    assert sum(buckets.take("a", 86_400.0) == 0 for _ in range(200)) == 100


def test_in_the_long_run_the_rate_counts() -> None:
    """Somebody who asks all the time gets burst + rate x seconds, to one."""
    buckets = Buckets(20.0, 100)
    let_in = sum(buckets.take("a", 1_000_000 + n / 1000) == 0 for n in range(10_000))
    assert let_in in range(298, 302)


def test_clients_do_not_cost_each_other_anything() -> None:
    """Each has its own."""
    buckets = Buckets(1.0, 1)
    assert buckets.take("a", 0.0) == 0
    assert buckets.take("a", 0.0) > 0
    assert buckets.take("b", 0.0) == 0


def test_the_table_is_bounded_and_forgets_who_was_quiet_longest() -> None:
    """A flood of addresses does not free the one that floods."""
    buckets = Buckets(1.0, 1)
    buckets.take("quiet", 0.0)
    buckets.take("busy", 0.0)
    for n in range(MAX_CLIENTS - 2):
        buckets.take(str(n), 0.0)
    assert len(buckets) == MAX_CLIENTS
    buckets.take("busy", 2.0)
    buckets.take("one more", 2.0)
    assert len(buckets) == MAX_CLIENTS
    assert buckets.take("busy", 2.0) > 0
    assert buckets.take("quiet", 0.0) == 0


def test_no_rate_is_no_limit() -> None:
    """And nothing is remembered."""
    buckets = Buckets(0.0, 1)
    assert [buckets.take("a", 0.0) for _ in range(9)] == [0] * 9
    assert len(buckets) == 0


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_a_client_is_its_address_or_its_network(address: str, client: str) -> None:
    """A household of IPv6 has 2^64 addresses."""
    assert network(address) == client


@pytest.mark.parametrize(
    ("trusted", "peer", "lines", "client"),
    [
        ([], "127.0.0.1", ["192.0.2.7"], "127.0.0.1"),
        (["10.0.0.0/8"], "192.0.2.1", ["192.0.2.7"], "192.0.2.1"),
        (["127.0.0.1"], "127.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        (["127.0.0.1"], "::ffff:127.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        (["127.0.0.1"], "127.0.0.1", [], "127.0.0.1"),
        (["127.0.0.1"], "127.0.0.1", [""], "127.0.0.1"),
        (["127.0.0.1"], "127.0.0.1", ["1.1.1.1, 192.0.2.7"], "192.0.2.7"),
        (["127.0.0.1"], "127.0.0.1", ["1.1.1.1", "192.0.2.7"], "192.0.2.7"),
        (["127.0.0.1", "10.0.0.0/8"], "127.0.0.1", ["1.1.1.1, 192.0.2.7, 10.1.2.3"], "192.0.2.7"),
        (["127.0.0.1", "10.0.0.0/8"], "127.0.0.1", ["10.9.9.9, 10.1.2.3"], "10.9.9.9"),
        (["127.0.0.1"], "127.0.0.1", ["192.0.2.7, unknown"], "127.0.0.1"),
        (["127.0.0.1", "10.0.0.0/8"], "127.0.0.1", ["192.0.2.7, nonsense, 10.1.2.3"], "10.1.2.3"),
        (["127.0.0.1"], "127.0.0.1", ["192.0.2.7:4711"], "192.0.2.7"),
        (["127.0.0.1"], "127.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        (["127.0.0.1"], "127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        (["::1"], "::1", ["192.0.2.7"], "192.0.2.7"),
        (["127.0.0.1"], "", ["192.0.2.7"], ""),
    ],
)
def test_the_client_behind_proxies_is_the_last_address_that_one_of_them_saw(
    trusted: list[str], peer: str, lines: list[str], client: str
) -> None:
    """What stands further left is the client's own claim; what an unnamed peer says is nothing."""
    assert Proxies(trusted).client(peer, lines) == client
