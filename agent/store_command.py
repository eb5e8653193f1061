"""``sentimentagent store``: make a Cosmos DB ready, back up, verify, move to another store, forget an author.

Every one of them works while the system runs, and none of them asks a process of it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click
import msgspec
from msgspec.structs import replace

from agent.store import migration, recount, sqlite_upkeep
from agent.store.choose import open_reader, open_writer
from ipc import logs
from ipc.environment import load
from ipc.errors import SettingsError, StoreUnavailable
from ipc.life import EX_CONFIG
from ipc.logs import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from agent.store.migration import Migrated, Progress
    from agent.store.sqlite_upkeep import Verification
    from ipc.settings import Settings

T = TypeVar("T")

_DAY_S: Final = 86_400
_MB: Final = 1024 * 1024
_ENGINES: Final = click.Choice(["sqlite", "cosmos"])


@click.group()
def store() -> None:
    """Look after the database."""
    logs.configure_command()


@store.command()
@click.option("--dry-run", is_flag=True, help="Print what would be made, and make nothing.")
def init(*, dry_run: bool) -> None:
    """Make what the store needs in Cosmos DB. May be repeated.

    Nothing is dropped and no document is changed. A container that is there with another indexing policy or time to
    live gets what the store needs: --dry-run tells which.
    """
    settings = _settings()
    if not settings.store.cosmos_endpoint:
        click.echo(f"SQLite needs nothing made: the analyzer makes {settings.folders.store} when it starts.")
        return
    click.echo(_run(_init(settings, dry_run=dry_run)), nl=False)


@store.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace FILE when it is there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def backup(file: Path, *, overwrite: bool, as_json: bool) -> None:
    """Copy the SQLite database into FILE while it is written, check the copy, and only then give it its name."""
    settings = _settings()
    if settings.store.cosmos_endpoint:
        _fail("Cosmos DB is backed up by the account itself: its backup policy is set in Azure")
    done = _guarded(lambda: sqlite_upkeep.backup(settings.folders.store, file, overwrite=overwrite))
    words = f"{done.items} items, {done.size_bytes / _MB:.1f} MB, checked, in {done.took_s:.1f} s: {file}"
    click.echo(msgspec.json.encode(done).decode() if as_json else harmless(words))


@store.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(*, as_json: bool) -> None:
    """Recount all roll-ups from the items and compare. Exit status 1 when something differs or is damaged."""
    settings = _settings()
    if settings.store.cosmos_endpoint:
        found = _run(_recount(settings))
    else:
        found = _guarded(lambda: sqlite_upkeep.verify(settings.folders.store))
    click.echo(msgspec.json.encode(found).decode() if as_json else _verified(found))
    sys.exit(0 if found.is_sound else 1)


@store.command()
@click.option("--from", "source", type=_ENGINES, required=True, help="The store that is read.")
@click.option("--to", "target", type=_ENGINES, required=True, help="The store that is written.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def migrate(source: str, target: str, *, as_json: bool) -> None:
    """Move everything to another store; begun again, it goes on. Exit status 1 when something is missing."""
    if source == target:
        _fail("--from and --to are the same")
    settings = _settings()
    if not settings.store.cosmos_endpoint:
        _fail("COSMOS_ENDPOINT is not set: where is Cosmos DB?", EX_CONFIG)
    done = _run(_migrate(settings, source, target))
    click.echo(msgspec.json.encode(done).decode() if as_json else _migrated(done, source, target))
    sys.exit(0 if done.is_whole else 1)


@store.command()
@click.option("--author", required=True, help="The name, as Reddit shows it, whatever its case.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def forget(author: str, *, as_json: bool) -> None:
    """Empty every stored item of an author: title, text, name and address go, the anonymous count stays."""
    settings = _settings()
    forgotten = _run(_forget(settings, author))
    words = f"{forgotten} items emptied; what is collected from now on is not: that is Reddit's to delete"
    click.echo(msgspec.json.encode({"forgotten": forgotten}).decode() if as_json else words)


async def _init(settings: Settings, *, dry_run: bool) -> str:
    from agent.store import cosmos_init  # noqa: PLC0415 - only with Cosmos DB
    from agent.store.cosmos_client import CosmosDatabase  # noqa: PLC0415 - Azure's SDK is heavy, and an extra

    async with CosmosDatabase(settings.store) as database:
        steps = await cosmos_init.plan(database, settings.store.cosmos_database)
        if not dry_run:
            await cosmos_init.create(database, steps)
        return cosmos_init.described(steps)


async def _recount(settings: Settings) -> Verification:
    retained_from_utc = int(time.time()) - (settings.store.data_retention_days - 1) * _DAY_S
    async with open_reader(settings) as reader:
        items = (await reader.contents()).items
        with click.progressbar(length=items, label="items", file=sys.stderr) as bar:
            return await recount.verify(reader, retained_from_utc, lambda read: bar.update(read - bar.pos))


async def _migrate(settings: Settings, source: str, target: str) -> Migrated:
    place = settings.folders.state / f"migration-{source}-to-{target}.json"
    of_source, of_target = _with(settings, source), _with(settings, target)
    async with (
        open_reader(of_source) as reading,
        open_writer(of_target) as writing,
        open_reader(of_target) as written,
    ):
        items = (await reading.contents()).items
        with click.progressbar(length=items, label="items", file=sys.stderr) as bar:

            def on_progress(progress: Progress) -> None:
                bar.update(progress.read - bar.pos)

            return await migration.migrate(reading, writing, written, place, on_progress)


async def _forget(settings: Settings, author: str) -> int:
    async with open_writer(settings) as writer:
        return await writer.forget(author)


def _with(settings: Settings, engine: str) -> Settings:
    """Return the settings with one of both stores chosen."""
    if engine == "cosmos":
        return settings
    return replace(settings, store=replace(settings.store, cosmos_endpoint=""))


def _verified(found: Verification) -> str:
    recounted = f"{found.items} items, {found.hours} hours recounted in {found.took_s:.1f} s"
    lines = [
        f"{recounted}, {found.hours_not_verifiable} hours older than their items",
        *(f"damaged: {harmless(each)}" for each in found.damages),
        *(f"{harmless(each.what)}: stored {each.stored:g}, counted {each.counted:g}" for each in found.differences),
    ]
    untold = found.difference_count - len(found.differences)
    verdict = "sound" if found.is_sound else f"NOT SOUND: {found.difference_count} differences, {untold} of them untold"
    return "\n".join([*lines, verdict])


def _migrated(done: Migrated, source: str, target: str) -> str:
    moved = f"{done.read} items read from {source}, {done.new} of them new in {target}"
    lines = [
        f"{moved}, {done.hours_adopted} hours taken over without their items",
        f"{source} holds {done.items_before} items, {target} {done.items_after}",
    ]
    if done.set_aside:
        lines.append(f"{done.set_aside} items that could not be scored stay in {source}")
    lines.append(
        "whole" if done.is_whole else f"NOT WHOLE: {target} counts less in {done.hours_short} hours; run it again"
    )
    return "\n".join(lines)


def _settings() -> Settings:
    try:
        return load()
    except SettingsError as error:
        _fail(f"wrong settings: {error}", EX_CONFIG)


def _run(work: Coroutine[Any, Any, T]) -> T:
    return _guarded(lambda: asyncio.run(work))


def _guarded(work: Callable[[], T]) -> T:
    """Do the work; what goes wrong outside is a sentence and an exit status."""
    try:
        return work()
    except SettingsError as error:
        _fail(str(error), EX_CONFIG)
    except StoreUnavailable as error:
        _fail(str(error))


def _fail(words: str, status: int = 1) -> NoReturn:
    click.echo(harmless(words), err=True)
    sys.exit(status)
