"""The verbs that look and change nothing: check, explain, grants, status."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any, Final

import httpx2 as httpx

from connector.checkpoints.address import SETTING, Address
from connector.checkpoints.opening import open_if_any
from connector.checkpoints.postgres.preflight import preflight as store_preflight
from connector.checkpoints.sqlite.file import open_reader
from connector.contract.order_builder import RedoContract
from connector.inspect import waiting
from connector.inspect.database_identity import store_neighbours
from connector.inspect.one_order import preview_one
from connector.inspect.start_checks import refuse_other_tables, source_problems
from connector.model.errors import (
    CheckpointsUnwritable,
    ConfigurationError,
    ConnectorError,
    Problem,
    SourceUnavailable,
)
from connector.model.orders import OutcomeKind, Place
from connector.pipeline.sweeps.former_keys import KEY_NOTE, KeyNote
from connector.projection import Assembler
from connector.projection.assembly.statistics import read_statistics
from connector.redo.client import RedoClient
from connector.settings import config
from connector.settings.config import Settings
from connector.settings.exposure import unverified
from connector.source.checks.grants import Access
from connector.source.checks.grants import grants as print_grants
from connector.source.checks.hosting import Hosting
from connector.source.checks.replica import replica_problems
from connector.wiring import factories

_SAMPLE: Final = 20
"""Orders that `check` looks at."""


async def check(settings: Settings) -> list[Problem]:
    """Everything that `run` needs, looked at and left alone."""
    try:
        contract = factories.redo_contract(settings)
        client = factories.redo_client(settings, None)
    except ConfigurationError as error:
        return [*error.problems]
    async with AsyncExitStack() as stack:
        stack.push_async_callback(client.aclose)
        problems = await _database_problems(settings, contract)
        problems += await redo_problems(client, settings.redo.store_id)
    source, kept = settings.source, factories.checkpoints(settings)
    secrets = {"source.dsn": source.dsn, "source.read_dsn": source.read_dsn}
    dsns = {name: dsn.get_secret_value() for name, dsn in secrets.items() if dsn is not None}
    if kept.in_postgres:
        dsns[SETTING] = kept.url
    return [*problems, *await store_problems(settings), *unverified(dsns, config.environment())]


async def _database_problems(settings: Settings, contract: RedoContract) -> list[Problem]:
    """First what can be seen without any privilege, so that all that is missing is told at once."""
    try:
        access = await factories.load_access(settings)
    except ConfigurationError as error:
        return [*error.problems]
    problems = await source_problems(settings, access.tables)
    try:
        problems += await replica_problems(factories.source_dsn(settings), factories.read_dsn(settings))
    except SourceUnavailable as error:
        hint = error.hint or "check source.dsn and source.read_dsn"
        problems.append(Problem(str(error), hint, "source.read_dsn"))
    try:
        projection = await factories.load_projection(settings)
        await refuse_other_tables(factories.checkpoints(settings), projection)
    except ConfigurationError as error:
        return [*problems, *error.problems]
    assembler = factories.new_assembler(settings, projection)
    try:
        found = [*await _key_problems(settings, assembler), *await _mapping_problems(assembler, contract)]
        return [*problems, *found]
    finally:
        await assembler.aclose()


async def _key_problems(settings: Settings, assembler: Assembler) -> list[Problem]:
    """What `run` will do where orders are known by keys of another shape. A store that can't be read, others tell."""
    try:
        store = await open_if_any(factories.checkpoints(settings))
    except (ConfigurationError, CheckpointsUnwritable):
        return []
    if store is None:
        return []
    try:
        note, orders = KeyNote.parsed(await store.noted(KEY_NOTE)), (await store.tally()).checkpoints
        if note is not None and note.holds_for(assembler.key_shape):
            return []
        if note is None and not await assembler.misfits(await store.random_keys(_SAMPLE)):
            return []
    except ConnectorError:
        return []
    finally:
        await store.close()
    before = f" from {note.shape}" if note is not None and note.shape is not None else ""
    hint = (
        f"nothing to do: `run` finds {orders:,} orders that Redo holds again by order id and store, without pushing "
        "them for it; what it can't find again is held for approval before anything is removed"
    )
    return [Problem(f"the order key changed{before} to {assembler.key_shape}", hint, "mapping.path", warning=True)]


async def _mapping_problems(assembler: Assembler, contract: RedoContract) -> list[Problem]:
    """How the mapping does on the orders that there are."""
    try:
        problems = [*await assembler.plan_problems()]
        keys = (await assembler.scan(None, _SAMPLE)).keys
        previews = [await preview_one(assembler, contract, key, None) for key in keys]
        bad = [one for one in previews if one["problems"]]
        if not bad:
            return [*problems, *await assembler.cross_check(_SAMPLE)]
    except ConnectorError as error:
        return [Problem(str(error), where="mapping.path")]
    what = f"{len(bad)} of the first {len(previews)} orders would become dead letters; {bad[0]['key']} because:"
    reason = "; ".join(bad[0]["problems"])
    hint = f"`redo-connector preview {bad[0]['key']}` shows it; mend the mapping, or the order"
    return [*problems, Problem(f"{what} {reason}", hint, "mapping.path", warning=True)]


async def explain(settings: Settings) -> dict[str, Any]:
    """How a changed row of each table leads to orders, as `Projection.explain` has it, with what the planner knows."""
    projection = await factories.load_projection(settings)
    read = {hop.table.name for use in projection.uses if use.route.lookup for hop in use.route.lookup.hops}
    statistics = await read_statistics(
        sorted(read), read_dsn=factories.read_dsn(settings), statement_timeout_ms=factories.timeout_ms(settings)
    )
    return projection.explain(statistics)


async def grants(settings: Settings, role: str, hosting: str | None) -> str:
    """The script that lets a role in, for a database hosted there (None: as recognised)."""
    wanted = await factories.load_access(settings)
    needs = wanted.privileges
    access = Access(
        role,
        wanted.tables,
        # The mapping may come to read more columns of a table tomorrow; queries of ours read those that join.
        {name: None if name in needs.named else sorted(columns or ()) for name, columns in needs.columns.items()},
        sorted(needs.schemas),
        [(function.schema, function.name, function.arguments) for function in wanted.functions],
        wanted.path,
    )
    where = None if hosting is None else Hosting(hosting)
    return await print_grants(
        factories.source_dsn(settings), access, settings.source.publication, settings.source.slot, where
    )


async def status(settings: Settings) -> dict[str, Any]:
    """What the running connector says of itself; when none answers, what its store remembers."""
    where = f"{address(settings)}/api/status"
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(where, timeout=5.0)
            answer.raise_for_status()
            said = answer.json()
            if isinstance(said, dict) and "verdict" in said:
                return {"running": True, **said, **await _groups(settings)}
    except (httpx.HTTPError, ValueError):
        pass  # nobody there: then what the store says
    found: dict[str, Any] = {"running": False, "ready": False, "verdict": f"No connector answers at {where}."}
    store = await open_if_any(factories.checkpoints(settings))
    if store is None:
        return {**found, "next": "start it with `redo-connector run`"}
    try:
        tally = await store.tally()
        remembered = {
            "holds": await waiting.holds_in(store),
            "last_reconcile": await waiting.last_reconcile_in(store),
            "endpoints": [asdict(one) for one in await store.endpoints()],
        }
    finally:
        await store.close()
    return {
        **found,
        "next": "start it with `redo-connector run`: it goes on where it stopped",
        "affected": tally.affected,
        "lookups": tally.lookups,
        "checkpoints": tally.checkpoints,
        "missing": tally.missing,
        "dead_letters": dict(tally.dead_letters),
        "warnings": dict(tally.warnings),
        **remembered,
        **await _groups(settings),
    }


async def _groups(settings: Settings) -> dict[str, Any]:
    """What orders were refused for, from the store: a running connector tells how many only."""
    try:
        return {"dead_letter_groups": (await waiting.dead_letters(settings, 1))["groups"]}
    except ConnectorError:
        return {}  # the connector's own words are worth showing without


def address(settings: Settings) -> str:
    """Where the running connector's status server answers, from here."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 -- listening anywhere includes here
    host = settings.status.host
    return f"http://{anywhere.get(host, host)}:{settings.status.port}"


async def redo_problems(client: RedoClient, store_id: str) -> list[Problem]:
    """Ask Redo for an order that doesn't exist: a refused token shows, and nothing changes there."""
    outcome = (await client.read(Place(store_id, "redo-connector-check"))).outcome
    if outcome.kind is OutcomeKind.REFUSED and outcome.status == 401:
        hint = "check redo.api_secret, and that it is current"
        return [Problem("Redo refused the API secret", hint, "redo.api_secret")]
    if outcome.kind is OutcomeKind.REFUSED and outcome.status == 404:
        what, hint = "Redo knows no such store", "check redo.store_id, and redo.base_url or redo.orders_url"
        return [Problem(what, hint, "redo.store_id")]
    if outcome.status is None and outcome.reason != "no_address":
        hint = "check the address, network, proxy and DNS; orders wait in the ledger until Redo answers"
        return [Problem(outcome.message, hint, "redo.base_url")]
    return []


async def store_problems(settings: Settings) -> list[Problem]:
    """The store can be opened and written, unless the running connector has it open. Leaves nothing behind."""
    address = factories.checkpoints(settings)
    if address.in_memory:
        return []
    if not address.in_postgres:
        problems = _file_problems(address)
        return problems or await waiting.endpoint_problems(settings)
    problems = await asyncio.to_thread(store_preflight, address)
    try:
        if any(not each.warning for each in problems):
            return problems
        return [*problems, *await store_neighbours(settings), *await waiting.endpoint_problems(settings)]
    except SourceUnavailable:
        return problems  # told already
    except (ConfigurationError, CheckpointsUnwritable) as error:
        return [Problem(str(error), where=SETTING)]


def _file_problems(address: Address) -> list[Problem]:
    try:
        path = address.path
    except ConfigurationError as error:
        return [*error.problems]
    folder = path.resolve().parent
    if not folder.is_dir():
        return [Problem(f"the folder {folder} does not exist", "create it", "checkpoints.url")]
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        hint = "make it writable for the user that the connector runs as"
        return [Problem(f"the folder {folder} can't be written: {error.strerror}", hint, "checkpoints.url")]
    if path.exists() and path.stat().st_size:
        try:
            open_reader(path).close()
        except ConfigurationError as error:
            return list(error.problems)
        except CheckpointsUnwritable as error:
            return [Problem(str(error), where="checkpoints.url")]
    return []
