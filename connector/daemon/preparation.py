"""Before a generation is built: the mapping is loaded and found fit, publication and slot are made.

It must not know what is built afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from connector.checkpoints.opening import noted, remember_slot
from connector.daemon.generation import Generation
from connector.daemon.mapping.unusable_mapping import UnusableMapping, unusable_mapping
from connector.inspect.checks.database_identity import store_location_problems
from connector.inspect.checks.start_checks import refuse_other_tables, source_checks
from connector.model.errors import ConfigurationError, Problem
from connector.pipeline.intake.progress import PROGRESS_NOTE, Gap
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.start import BASIS_NOTE, SETTING_UP_NOTE
from connector.projection import Projection
from connector.projection.basis_note import newly_hidden, recall
from connector.settings.config import Settings
from connector.source.checks.replica import replica_problems
from connector.source.objects.setup import SetupResult, ensure
from connector.source.objects.slot import OnWait
from connector.wiring.factories import checkpoints, load_projection, read_dsn, source_dsn

log = structlog.get_logger("connector")


@dataclass(frozen=True, slots=True)
class SetUp:
    """What was done to publication and slot. `slot_made`: why the slot was made, None when it was there.
    `sweep_cause`: what else makes every order be compared, None when nothing does."""

    slot_made: Gap | None = None
    sweep_cause: str | None = None


async def load_mapping(settings: Settings, *, lasting: bool) -> Projection | UnusableMapping:
    """`lasting`: where orders were followed before, a mapping that doesn't fit is stood in for, so that the slot is
    read. Raises ConfigurationError, SourceUnavailable."""
    address = checkpoints(settings)
    try:
        projection = await load_projection(settings)
        await refuse_other_tables(address, projection)
        before = recall(await noted(address, BASIS_NOTE))
        if problems := newly_hidden(before, projection, settings.mapping.filtered_tables):
            raise ConfigurationError(problems)
        return projection
    except ConfigurationError as error:
        instead = None
        if lasting:
            instead = await unusable_mapping(address, source_dsn(settings), settings.source.publication, error)
        if instead is None:
            raise
        advice = "the slot is read meanwhile; once the mapping fits, every order is compared with its checkpoint"
        log.error("mapping_refused", problems=[str(problem) for problem in error.problems], next=advice)
        return instead


async def fit_mapping(settings: Settings, *, lasting: bool) -> Projection | UnusableMapping:
    """The mapping, with a source and a store to start with. Raises as `load_mapping` and `check_fit` do."""
    projection = await load_mapping(settings, lasting=lasting)
    await check_fit(settings, projection)
    return projection


async def check_fit(settings: Settings, projection: Projection | UnusableMapping) -> None:
    """Logs warnings. Raises ConfigurationError when source or store aren't fit to start with, SourceUnavailable,
    CheckpointsUnwritable."""
    if isinstance(projection, Projection):
        _refuse_or_warn(await _source_problems(settings, projection))
    _refuse_or_warn(await store_location_problems(settings))


async def admit(settings: Settings, running: Generation, projection: Projection) -> None:
    """See that a mapping can be taken up in the place of the one that runs, before that ends. Raises
    ConfigurationError, SourceUnavailable."""
    await refuse_other_tables(checkpoints(settings), projection)
    before = recall(await running.pipeline.ports.store.noted(BASIS_NOTE))
    problems = newly_hidden(before, projection, settings.mapping.filtered_tables)
    problems += await _source_problems(settings, projection)
    _refuse(problems)
    await running.objects.publish(projection.tables)


async def set_up_source(settings: Settings, projection: Projection, store: CheckpointStore, on_wait: OnWait) -> SetUp:
    """Publication and slot.

    The note stands while a changed publication isn't yet followed by a durable sweep, so that a kill in between loses
    nothing. A new slot needs none: it stands further than any position that is remembered.
    """
    interrupted = await store.noted(SETTING_UP_NOTE) == "yes"
    await store.note(SETTING_UP_NOTE, "yes")
    source = settings.source
    known = await store.noted(PROGRESS_NOTE) is not None
    ready = await ensure(
        source_dsn(settings),
        source.slot,
        source.publication,
        projection.tables,
        source.manage,
        on_wait,
        keep_slot=source.on_slot_loss == "stop" and known,
    )
    await remember_slot(store, source.slot)
    made = _why_made(ready, known) if ready.slot_created else None
    _log_set_up(settings, ready, made)
    if made is not None:
        return SetUp(slot_made=made)
    if ready.publications_changed:
        return SetUp(sweep_cause="publication changed")
    return SetUp(sweep_cause="interrupted start" if interrupted else None)


def _log_set_up(settings: Settings, ready: SetupResult, made: Gap | None) -> None:
    if made is not None:
        source = settings.source
        log.info("slot_created", slot=source.slot, publication=source.publication, because=made.value)
    if ready.tables_by_insert_only:
        names = [str(table) for table in ready.tables_by_insert_only]
        log.warning("followed_by_inserts_only", tables=names, next="redo-connector check says how to follow them whole")
    if made is None and ready.publications_changed:
        log.info("publication_changed", added=[str(table) for table in ready.tables_added])


def _why_made(ready: SetupResult, known: bool) -> Gap:
    if ready.slot_lost is not None:
        return Gap(f"slot_{ready.slot_lost}")
    return Gap.SLOT_GONE if known else Gap.NEW_SLOT


async def _source_problems(settings: Settings, projection: Projection) -> list[Problem]:
    problems = (await source_checks(settings, projection.tables)).problems
    hidden = [*projection.hidden, *projection.search_path.problems()]
    return [*problems, *hidden, *await replica_problems(source_dsn(settings), read_dsn(settings))]


def _refuse_or_warn(problems: list[Problem]) -> None:
    _refuse(problems)
    warn(problems)


def _refuse(problems: list[Problem]) -> None:
    if serious := [problem for problem in problems if not problem.warning]:
        raise ConfigurationError(serious)


def warn(problems: Iterable[Problem]) -> None:
    """Log what a person should know before anything runs."""
    for problem in problems:
        log.warning("preflight", where=problem.where, problem=problem.what, next=problem.hint)
