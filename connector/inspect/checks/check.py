"""`check`: everything that `run` needs, looked at and left alone."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

from connector.checkpoints.address import SETTING
from connector.checkpoints.store import ReadOnlyCheckpoints
from connector.contract.order_builder import RedoContract
from connector.inspect.checks.mapping_sample import sample_problems
from connector.inspect.checks.start_checks import refuse_other_tables, source_problems
from connector.inspect.checks.store_checks import store_problems
from connector.inspect.store import store_if_any
from connector.model.errors import (
    ConfigurationError,
    ConnectorError,
    Problem,
    SourceUnavailable,
)
from connector.model.orders import OutcomeKind, Place
from connector.pipeline.sweeps.former_keys import KEY_NOTE, KeyNote
from connector.projection import Assembler
from connector.redo.client import RedoClient
from connector.settings import config
from connector.settings.config import Settings
from connector.settings.exposure import unverified
from connector.source.checks.replica import replica_problems
from connector.source.objects.catalog import insert_only_tables
from connector.wiring import factories

"""Stored keys that are asked whether they still are keys."""
_KEYS: Final = 20
"""Stored keys that are tried for whether they are still keys."""


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
    """First what can be seen without any privilege, so that all that is missing is reported at once."""
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
        found = [*await _key_problems(settings, assembler), *await _mapping_problems(settings, assembler, contract)]
        return [*problems, *found]
    finally:
        await assembler.aclose()


async def _key_problems(settings: Settings, assembler: Assembler) -> list[Problem]:
    """What `run` will do where orders are known by keys of another shape. A store that can't be read, others tell."""
    try:
        async with store_if_any(settings) as store:
            return [] if store is None else await _changed_key(store, assembler)
    except ConnectorError:
        return []


async def _changed_key(store: ReadOnlyCheckpoints, assembler: Assembler) -> list[Problem]:
    note, orders = KeyNote.parsed(await store.noted(KEY_NOTE)), (await store.tally()).checkpoints
    if note is not None and note.holds_for(assembler.key_shape):
        return []
    if note is None and not await assembler.misfits(await store.random_keys(_KEYS)):
        return []
    before = f" from {note.shape}" if note is not None and note.shape is not None else ""
    hint = (
        f"nothing to do: `run` finds {orders:,} orders that Redo holds again by order id and store, without pushing "
        "them for it; what it can't find again is held for approval before anything is removed"
    )
    return [Problem(f"the order key changed{before} to {assembler.key_shape}", hint, "mapping.path", warning=True)]


async def _mapping_problems(settings: Settings, assembler: Assembler, contract: RedoContract) -> list[Problem]:
    """How the mapping does on the orders that there are."""
    try:
        insert_only = await insert_only_tables(factories.read_dsn(settings), assembler.projection.tables)
        return [*await assembler.plan_problems(insert_only), *await sample_problems(assembler, contract)]
    except ConnectorError as error:
        return [Problem(str(error), where="mapping.path")]


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
