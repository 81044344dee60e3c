"""A stand-in for a mapping that doesn't fit the database as the connector starts, so that the slot is read all the
same: a restart must not make the OMS keep WAL until somebody has mended the mapping.

Only where orders were followed before. Which orders a change concerns can't be known, so any change makes every order
be compared, once that can be done again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from connector.checkpoints.address import Address
from connector.checkpoints.opening import noted
from connector.model.changes import Changes, Interest, TableName
from connector.model.errors import ConfigurationError, MappingBroken, Problem, SourceUnavailable
from connector.model.orders import Affected
from connector.pipeline.start import MAPPING_NOTE
from connector.pipeline.sweeps.state import MAPPING_UNFIT
from connector.projection import Projection
from connector.source.objects.publication_pair import published_tables


@dataclass(frozen=True, slots=True)
class UnusableMapping:
    """The pipeline's ports Routes and Assembler. `tables` are those that were published for the mapping before;
    `fingerprint` is that mapping's."""

    tables: tuple[TableName, ...]
    fingerprint: str
    problem: Problem

    @property
    def signature(self) -> str:
        return ""

    @property
    def key_shape(self) -> None:
        return None

    @property
    def interest(self) -> Interest:
        return dict.fromkeys(self.tables, ())

    def affected(self, changes: Changes) -> Affected:
        return Affected(sweep=MAPPING_UNFIT) if changes.table in self.tables else Affected()

    async def _refuse(self, *_: object, **__: object) -> NoReturn:
        """Whatever needs the mapping."""
        raise MappingBroken(str(self.problem))

    assemble = resolve = scan = absent = misfits = estimate = sample = diagnose = _refuse

    async def redefined(self) -> bool:
        return False

    def superseded_by(self, projection: Projection) -> bool:
        return True

    async def aclose(self) -> None:
        return None


async def unusable_mapping(
    address: Address, dsn: str, publication: str, error: ConfigurationError
) -> UnusableMapping | None:
    """For a mapping that can't be loaded for this error; None where nothing was followed before, or nothing can be
    now. `address`: of the checkpoints."""
    fingerprint = await noted(address, MAPPING_NOTE)
    if fingerprint is None:
        return None
    try:
        tables = await published_tables(dsn, publication)
    except SourceUnavailable:
        return None
    return UnusableMapping(tables, fingerprint, error.problems[0]) if tables else None
