"""The account's databases and containers: made, read, changed and dropped as the service does it."""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING, Any, Final

from fakes.cosmos.documents import Body, Container
from fakes.cosmos.partitions import split
from fakes.cosmos.refusal import Refused, conflict, not_found

if TYPE_CHECKING:
    from collections.abc import Callable

#: A container and a database read or made; the service charges single units. Chosen, not measured.
CONTROL_RU: Final = 2.0


class Database:
    """A name, and the containers under it."""

    def __init__(self, name: str, number: int) -> None:
        self.id = name
        self.rid = base64.b64encode(struct.pack("<I", number)).decode()
        self.containers: dict[str, Container] = {}

    def as_json(self) -> Body:
        """Return it as it is answered."""
        own = {"id": self.id, "_rid": self.rid, "_self": f"dbs/{self.rid}/", "_colls": "colls/", "_users": "users/"}
        return own | {"_etag": '"1"', "_ts": 0}


class Account:
    """All that is stored; outlives the server's stops."""

    def __init__(self, now: Callable[[], float], ranges: int) -> None:
        self.databases: dict[str, Database] = {}
        self._now = now
        self._ranges = ranges
        self._count = 0

    def database(self, name: str) -> Database:
        """Return a database by its name or resource id."""
        for each in self.databases.values():
            if name in {each.id, each.rid}:
                return each
        raise not_found(f"database {name}")

    def container(self, database: str, name: str) -> Container:
        """Return a container by its name or resource id."""
        for each in self.database(database).containers.values():
            if name in {each.id, each.rid}:
                return each
        raise not_found(f"container {name}", owner=True)

    def create_database(self, sent: Body) -> Database:
        """Make a database."""
        name = str(sent["id"])
        if name in self.databases:
            raise conflict(name)
        self.databases[name] = Database(name, self._next())
        return self.databases[name]

    def create_container(self, database: str, sent: Body) -> Container:
        """Make a container."""
        owner = self.database(database)
        name = str(sent.get("id", ""))
        if name in owner.containers:
            raise conflict(name)
        if not name or not sent.get("partitionKey"):
            raise Refused(400, "A container needs an id and a partition key")
        number = struct.pack("<I", self._next() | 1 << 31)
        rid = base64.b64encode(base64.b64decode(owner.rid) + number).decode()
        owner.containers[name] = Container(sent, rid, split(self._ranges), self._now)
        return owner.containers[name]

    def replace_container(self, database: str, name: str, sent: Body) -> Container:
        """Change a container's settings."""
        container = self.container(database, name)
        if sent.get("partitionKey", {}).get("paths") != container.partition_key["paths"]:
            raise Refused(400, "The partition key of a container cannot be changed")
        container.configure(sent)
        return container

    def drop(self, database: str, name: str | None = None) -> None:
        """Drop a container with its documents, or a whole database."""
        owner = self.database(database)
        if name is None:
            del self.databases[owner.id]
        else:
            del owner.containers[self.container(database, name).id]

    def _next(self) -> int:
        self._count += 1
        return self._count


def container_json(database: Database, container: Container) -> Body:
    """Return a container as it is answered."""
    links = {"_docs": "docs/", "_sprocs": "sprocs/", "_triggers": "triggers/", "_udfs": "udfs/"}
    own = {"_rid": container.rid, "_self": f"dbs/{database.rid}/colls/{container.rid}/", "_etag": '"1"', "_ts": 0}
    policies = {"conflictResolutionPolicy": {"mode": "LastWriterWins", "conflictResolutionPath": "/_ts"}}
    return policies | container.settings | own | links | {"_conflicts": "conflicts/"}


def account_json(url: str, consistency: str) -> dict[str, Any]:
    """Return the account as it is answered: one region, this server."""
    region = [{"name": "Here", "databaseAccountEndpoint": url}]
    return {
        "_self": "",
        "id": "fake",
        "_rid": "fake.documents.local",
        "media": "//media/",
        "addresses": "//addresses/",
        "_dbs": "//dbs/",
        "writableLocations": region,
        "readableLocations": region,
        "enableMultipleWriteLocations": False,
        "userConsistencyPolicy": {"defaultConsistencyLevel": consistency},
        "queryEngineConfiguration": "{}",
    }
