"""How the store lies in Cosmos DB: two containers, what they are partitioned by, what they index, what expires.

    items   partition "subreddit|day": its items, which expire, and a document that counts them by hour, which does not
    meta    partitions "cycles", "set_aside", "subreddits", "contents" and "layout": a handful of small documents

An item and the counts that it belongs to share a partition, because only there a batch is all or nothing. Of the items
only what is asked for is indexed: each indexed value makes every write dearer. No network, no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What an older program must not write to, and a newer one migrates. Stored in ``meta``.
VERSION: Final = 1

ITEMS: Final = "items"
META: Final = "meta"
#: In both containers. A synthetic key works with every tool and SDK; a hierarchical one does not.
PARTITION_KEY: Final = "/pk"
#: "On, and nothing expires by itself": each item carries its own time to live.
DEFAULT_TTL: Final = -1

# Partitions of ``meta``.
CYCLES: Final = "cycles"
SET_ASIDE: Final = "set_aside"
SUBREDDITS: Final = "subreddits"
CONTENTS: Final = "contents"
LAYOUT: Final = "layout"
#: The id of the document that counts a partition's others; no other id looks like it.
COUNTER_ID: Final = "~counter"
#: The id of the document that says what ``items`` holds.
CONTENTS_ID: Final = "contents"

#: What the service adds to every policy; left out when two are compared.
_ETAG: Final = '/"_etag"/?'


class ContainerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What one container must be like."""

    name: str
    #: Paths that queries look for.
    indexed: tuple[str, ...]
    #: Orders over several paths, all ascending; an index serves its reverse too.
    composites: tuple[tuple[str, ...], ...] = ()

    @property
    def indexing_policy(self) -> dict[str, Any]:
        """What the container is created with: these paths and nothing else."""
        return {
            "indexingMode": "consistent",
            "automatic": True,
            "includedPaths": [{"path": f"{path}/?"} for path in self.indexed],
            "excludedPaths": [{"path": "/*"}],
            "compositeIndexes": [
                [{"path": path, "order": "ascending"} for path in composite] for composite in self.composites
            ],
        }


CONTAINERS: Final = (
    ContainerSpec(
        name=ITEMS,
        # pk and name find an item, shown orders what is recent, the created second cuts windows, the compound, the
        # number of comments and the sentiment lists, due_utc the sweep, author_key a request to forget; day_utc and
        # day_key the counts, of all subreddits and of one.
        indexed=(
            PARTITION_KEY,
            "/name",
            "/sub",
            "/shown",
            "/created_utc",
            "/compound_nano",
            "/comment_count",
            "/score/sentiment",
            "/due_utc",
            "/author_key",
            "/day_utc",
            "/day_key",
        ),
        composites=(
            ("/shown", "/created_utc", "/name"),
            ("/sub", "/shown", "/created_utc", "/name"),
            ("/shown", "/compound_nano", "/created_utc", "/name"),
            ("/shown", "/comment_count", "/created_utc", "/name"),
        ),
    ),
    ContainerSpec(name=META, indexed=(PARTITION_KEY, "/finished_utc", "/outcome", "/author_key")),
)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where a container is not what it must be."""

    text: str
    #: A partition key can't be changed: only another container, or another database, helps.
    can_be_mended: bool


def differences(spec: ContainerSpec, found: Mapping[str, Any]) -> list[Difference]:
    """Compare a container's properties, as the service tells them, with what it must be like."""
    differing = []
    paths = found.get("partitionKey", {}).get("paths")
    if paths != [PARTITION_KEY]:
        text = f"the container {spec.name} is partitioned by {_listed(paths)} and not by {PARTITION_KEY}"
        differing.append(Difference(text=text, can_be_mended=False))
    if (ttl := found.get("defaultTtl")) != DEFAULT_TTL:
        text = f"the container {spec.name} has the default time to live {ttl or 'off'} and not {DEFAULT_TTL}"
        differing.append(Difference(text=text, can_be_mended=True))
    if _essence(found.get("indexingPolicy", {})) != _essence(spec.indexing_policy):
        differing.append(Difference(text=f"the container {spec.name} has another indexing policy", can_be_mended=True))
    return differing


def _listed(paths: list[str] | None) -> str:
    return ", ".join(paths) if paths else "nothing"


def _essence(policy: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what a policy says, without what the service fills in."""
    return (
        str(policy.get("indexingMode", "consistent")).lower(),
        _paths(policy, "includedPaths"),
        _paths(policy, "excludedPaths"),
        frozenset(
            tuple((path["path"], path.get("order", "ascending")) for path in composite)
            for composite in policy.get("compositeIndexes", ())
        ),
    )


def _paths(policy: Mapping[str, Any], which: str) -> frozenset[str]:
    return frozenset(path["path"] for path in policy.get(which, ())) - {_ETAG}
