"""`check` of the mapping on the live database: what it may read, how changes lead to orders, and some orders."""

from __future__ import annotations

from typing import Final

from connector.checkpoints.store import ReadOnlyCheckpoints
from connector.contract.order_builder import RedoContract
from connector.inspect.checks.mapping_sample import check_sample
from connector.inspect.checks.start_checks import refuse_other_tables
from connector.inspect.store import store_if_any
from connector.model.checklist import Checklist, Topic
from connector.model.errors import ConfigurationError, ConnectorError, Problem, SourceUnavailable
from connector.pipeline.sweeps.former_keys import KEY_NOTE, KeyNote
from connector.projection import Assembler, Projection
from connector.settings.config import Settings
from connector.source.objects.catalog import insert_only_tables
from connector.wiring import factories

_KEYS: Final = 20
"""Stored keys that are tried for whether they are still keys."""


async def check_mapping(settings: Settings, contract: RedoContract | None, found: Checklist) -> None:
    """`contract`: None where no order is to be read."""
    projection = await _projection(settings, found)
    if projection is None:
        found.unseen("the mapping can't be run yet", Topic.ROUTES, Topic.ORDERS)
        if not found.of(Topic.MAPPING).problems:
            found.unseen("it can't be run yet", Topic.MAPPING)
        return
    tables = len(projection.tables)
    privileges, mapping = found.of(Topic.PRIVILEGES), found.of(Topic.MAPPING)
    privileges.found(
        [*projection.hidden, *projection.search_path.problems()], f"may read all rows of the {tables} tables it needs"
    )
    order = f"an order is a row of {projection.order_table}, key ({', '.join(projection.key)})"
    mapping.fine.append(f"{projection.path}: {order}; {tables} tables")
    mapping.problems += projection.nondeterministic
    assembler = factories.new_assembler(settings, projection)
    try:
        mapping.problems += await _key_problems(settings, assembler)
        await _check_routes(settings, assembler, found)
        await _check_orders(assembler, contract, found)
    finally:
        await assembler.aclose()


async def _projection(settings: Settings, found: Checklist) -> Projection | None:
    try:
        projection = await factories.load_projection(settings)
        await refuse_other_tables(factories.checkpoints(settings), projection)
        return projection
    except ConfigurationError as error:
        for problem in error.problems:
            found.of(_topic(problem, settings)).problems.append(problem)
    except SourceUnavailable as error:
        found.of(Topic.DATABASE).problems.append(Problem(str(error), error.hint, "source.dsn"))
    return None


def _topic(problem: Problem, settings: Settings) -> Topic:
    """What names a table, a schema or a function instead of the mapping is about the right to read it."""
    if problem.where.startswith("source."):
        return Topic.PRIVILEGES if problem.what.startswith("role ") else Topic.DATABASE
    names = ("mapping.", settings.mapping.path.name, str(settings.mapping.path))
    return Topic.MAPPING if not problem.where or problem.where.startswith(names) else Topic.PRIVILEGES


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


async def _check_routes(settings: Settings, assembler: Assembler, found: Checklist) -> None:
    routes, tables = found.of(Topic.ROUTES), assembler.projection.tables
    try:
        insert_only = await insert_only_tables(factories.read_dsn(settings), tables)
        fine = f"a change of any of the {len(tables)} tables leads to its orders, by an index where one is needed"
        routes.found(await assembler.plan_problems(insert_only), fine)
    except ConnectorError as error:
        routes.problems.append(Problem(str(error), where="mapping.path"))


async def _check_orders(assembler: Assembler, contract: RedoContract | None, found: Checklist) -> None:
    orders = found.of(Topic.ORDERS)
    if contract is None:
        orders.unseen.append("the settings of Redo's contract come first")
        return
    try:
        await check_sample(assembler, contract, orders)
    except ConnectorError as error:
        orders.problems.append(Problem(str(error), where="mapping.path"))
