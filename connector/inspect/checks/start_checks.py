"""What must hold before a connector starts, looked at and left alone; `check` shows the same."""

from __future__ import annotations

from collections.abc import Sequence

from connector.checkpoints.address import Address
from connector.checkpoints.opening import former_slots, noted
from connector.model.changes import TableName
from connector.model.checklist import Checklist, Topic
from connector.model.errors import ConfigurationError
from connector.projection import Projection
from connector.projection.checks.unqualified_names import NAMES_NOTE, moved
from connector.settings.config import Settings
from connector.source.checks.preflight import preflight
from connector.source.checks.replica import connections_needed
from connector.wiring.factories import checkpoints, read_dsn, source_dsn


async def source_checks(settings: Settings, tables: Sequence[TableName] | None) -> Checklist:
    """Whether the source can be streamed, and what was left behind there. `tables`: to be followed, None where nobody
    knows them."""
    source, found = settings.source, Checklist()
    try:
        dsn = source_dsn(settings)
    except ConfigurationError as error:
        found.of(Topic.DATABASE).problems += error.problems
        return found
    return await preflight(
        dsn,
        source.slot,
        source.publication,
        tables,
        source.manage,
        renews=source.on_slot_loss == "recreate",
        former_slots=await former_slots(checkpoints(settings)),
        connections=connections_needed(dsn, read_dsn(settings)),
    )


async def refuse_other_tables(address: Address, projection: Projection) -> None:
    """Raises ConfigurationError when a name of the mapping means another table than when orders were followed last.
    `address`: of the checkpoints."""
    if problems := moved(projection.path_names, await noted(address, NAMES_NOTE)):
        raise ConfigurationError(problems)
