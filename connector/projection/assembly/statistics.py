"""What the planner knows of the tables that reverse queries read: how many of their rows share a value.

Estimates for people, from the last ANALYZE; nothing is counted. Reads only.
Source: https://www.postgresql.org/docs/current/view-pg-stats.html
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connector.model.changes import TableName
from connector.projection.assembly.sessions import Pool, ReadSettings
from connector.projection.catalog.tables import Table
from connector.projection.routes.route import Lookup

_SPREADS = """
SELECT DISTINCT ON (schemaname, tablename, attname)
  schemaname, tablename, attname, n_distinct::float8, null_frac::float8
FROM pg_stats WHERE (schemaname, tablename) IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY schemaname, tablename, attname, inherited DESC
"""


@dataclass(frozen=True, slots=True)
class Spread:
    """Of one column. `distinct` as pg_stats has it: a number of values, or minus their share of all rows."""

    distinct: float
    nulls: float

    def values(self, rows: float) -> float:
        return self.distinct if self.distinct >= 0 else -self.distinct * rows


@dataclass(frozen=True, slots=True)
class Statistics:
    """Spreads by table and column; a table that was never analysed has none."""

    spreads: Mapping[tuple[TableName, str], Spread] = field(default_factory=dict)

    def fan_out(self, lookup: Lookup) -> float | None:
        """Orders that a changed row leads to, on the average of the values that lead to any; None: not known."""
        orders = 1.0
        for hop in lookup.hops:
            share = self._sharing(hop.table, [column.name for column in hop.columns])
            if share is None:
                return None
            orders *= share
        return round(max(orders, 1.0), 1)

    def _sharing(self, table: Table, columns: Sequence[str]) -> float | None:
        """Rows of a table that have the same values in the columns."""
        names = list(dict.fromkeys(columns))
        if table.primary_key and set(table.primary_key) <= set(names):
            return 1.0
        spreads = [self.spreads.get((table.name, name)) for name in names]
        known = [spread for spread in spreads if spread is not None]
        if table.rows < 0 or len(known) < len(names):
            return None
        # As the planner does: columns count as independent, but there are no more values than rows.
        filled = table.rows * min(1 - spread.nulls for spread in known)
        values = min(math.prod(spread.values(table.rows) for spread in known), filled)
        return filled / values if values >= 1 else 1.0


NO_STATISTICS = Statistics()


async def read_statistics(tables: Sequence[TableName], *, read_dsn: str, statement_timeout_ms: int) -> Statistics:
    """Of columns that the role may read. Raises ConnectorError as `Pool.session` does."""
    asked = [[name.schema for name in tables], [name.name for name in tables]]
    async with (
        Pool(ReadSettings(read_dsn, statement_timeout_ms), 1) as pool,
        pool.session("reading the planner's statistics") as session,
    ):
        rows = await session.rows(_SPREADS, asked)
    return Statistics({(TableName(schema, table), column): Spread(*rest) for schema, table, column, *rest in rows})
