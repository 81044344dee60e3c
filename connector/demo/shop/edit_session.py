"""What an edit of the demo's orders works with: a connection, a source of chance, and the shop's own calendar.

Knows how to run statements and how to find an order to work on; what is done to it is `edits`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from psycopg import AsyncConnection, sql

from connector.demo.oms import SEEDED_DAYS
from connector.demo.shop.rows import COLUMNS, OPENED, Row, Rows, ShopRows

# The first order of the state from a point that chance lays between its oldest and its newest. States come in runs, so
# that walking the primary key would pass over thousands of others; `BETWEEN` and the row comparison keep the planner
# on the index (status_cd, ord_id).
_ORDER: Final = """
    WITH bounds AS (
        SELECT
            (SELECT ord_id FROM oms.order_header WHERE status_cd BETWEEN %(status)s::char(1) AND %(status)s::char(1)
             ORDER BY status_cd, ord_id LIMIT 1) AS oldest,
            (SELECT ord_id FROM oms.order_header WHERE status_cd BETWEEN %(status)s::char(1) AND %(status)s::char(1)
             ORDER BY status_cd DESC, ord_id DESC LIMIT 1) AS newest
    )
    SELECT ord_id FROM oms.order_header
    WHERE (status_cd, ord_id) >= (
        %(status)s::char(1), (SELECT oldest + floor((newest - oldest + 1) * %(chance)s)::bigint FROM bounds)
    )
        AND status_cd <= %(status)s::char(1)
    ORDER BY status_cd, ord_id LIMIT 1 FOR UPDATE
"""


@dataclass(slots=True)
class EditSession:
    """All methods work inside the caller's transaction. Queries name their values (`%(order)s`)."""

    conn: AsyncConnection[Any]
    random: Random
    shop: ShopRows = field(init=False)
    now: datetime = OPENED + timedelta(days=SEEDED_DAYS + 20)
    spoiled: dict[int, str] = field(default_factory=dict)
    """Customers whose address was broken on purpose, with the right one."""

    def __post_init__(self) -> None:
        self.shop = ShopRows(self.random)
        self.shop.catalogue()

    async def change(self, query: str, **values: object) -> int:
        """Run one statement; how many rows it changed."""
        return (await self.conn.execute(query.encode(), values)).rowcount

    async def all(self, query: str, **values: object) -> Sequence[Row]:
        rows: list[Row] = await (await self.conn.execute(query.encode(), values)).fetchall()
        return rows

    async def one(self, query: str, **values: object) -> Row | None:
        rows = await self.all(query, **values)
        return rows[0] if rows else None

    async def insert(self, rows: Rows) -> int:
        """Insert rows table by table; how many they were."""
        async with self.conn.cursor() as cursor:
            for table, values in rows.items():
                query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    sql.Identifier(*table.split(".")),
                    sql.SQL(", ").join(map(sql.Identifier, COLUMNS[table])),
                    sql.SQL(", ").join(sql.Placeholder() * len(COLUMNS[table])),
                )
                for row in values:
                    await cursor.execute(query, row)
        return sum(map(len, rows.values()))

    async def number(self, sequence: str) -> int:
        """The next number of a sequence of the OMS."""
        rows = await self.all("SELECT nextval(%(sequence)s)", sequence=f"oms.{sequence}")
        return int(rows[0][0])

    async def order(self, *statuses: str) -> int | None:
        """Some order in one of the states, locked; None when there is none."""
        row = await self.one(_ORDER, status=self.random.choice(statuses), chance=self.random.random())
        return row[0] if row else None

    async def customer(self) -> int | None:
        """Some customer; None when there is none."""
        row = await self.one("SELECT max(cust_id) FROM oms.customer")
        return self.random.randrange(1, row[0] + 1) if row and row[0] else None
