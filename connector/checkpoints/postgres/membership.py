"""The SQL of the reverse index: which orders a child row is part of, where the stream can't tell.

Functions on a connection, inside the caller's transaction. They must not know tables of the OMS, nor why an order is
looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from psycopg import Connection

from connector.checkpoints.postgres.rows import execute_rows, one_value
from connector.model.orders import Members, OrderKey
from connector.pipeline.ports.records import Settlement

_Row: TypeAlias = tuple[str, str, OrderKey]
"""Name of the index, row, order."""

# Not ON CONFLICT: that would use up a number each time.
_NAME: Final = """
INSERT INTO member_index (name) SELECT wanted.name FROM unnest(%s::text[]) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM member_index WHERE member_index.name = wanted.name)
"""
_ADD: Final = """
INSERT INTO member (index_id, row_key, order_key)
SELECT member_index.id, given.row_key, given.order_key
FROM unnest(%s::text[], %s::text[], %s::text[]) AS given (name, row_key, order_key) JOIN member_index USING (name)
ON CONFLICT DO NOTHING
"""
_KEEP_ONLY: Final = """
DELETE FROM member WHERE order_key = ANY(%s) AND NOT EXISTS (
  SELECT FROM unnest(%s::text[], %s::text[], %s::text[]) AS given (name, row_key, order_key)
  JOIN member_index USING (name)
  WHERE member_index.id = member.index_id AND given.row_key = member.row_key AND given.order_key = member.order_key)
"""

# One walk along the primary key for each row, as long as its limit however many orders the row is part of.
_ORDERS_OF_ANY: Final = """
SELECT DISTINCT part.order_key FROM unnest(%(rows)s::text[]) AS asked (row_key) CROSS JOIN LATERAL (
  SELECT order_key FROM member
  WHERE index_id = (SELECT id FROM member_index WHERE name = %(index)s)
    AND member.row_key = asked.row_key AND order_key > %(after)s
  ORDER BY order_key LIMIT %(limit)s
) AS part ORDER BY part.order_key LIMIT %(limit)s
"""

_RETIRE: Final = "UPDATE member_index SET name = NULL WHERE name IS NOT NULL AND name <> ALL(%s)"
_RETIRED: Final = "SELECT id FROM member_index WHERE name IS NULL LIMIT 1"
_EMPTY: Final = """
DELETE FROM member WHERE ctid = ANY(ARRAY(SELECT ctid FROM member WHERE index_id = %s LIMIT %s))
"""
_DROP: Final = "DELETE FROM member_index WHERE id = %s"


def enroll(connection: Connection[Any], members: Mapping[OrderKey, Members]) -> None:
    """Add what isn't there yet. Writes nothing when everything is."""
    _add(connection, _rows(members))


def settle(connection: Connection[Any], settlements: Sequence[Settlement]) -> None:
    """Make the index hold exactly the rows that are given for an order. Writes nothing when it does."""
    exact = {one.entry.key: one.members for one in settlements if one.members is not None}
    if not exact:
        return
    rows = _rows(exact)
    columns = [[row[at] for row in rows] for at in range(3)]
    connection.execute(_KEEP_ONLY, ([*exact], *columns))
    _add(connection, rows)


def enrolled(
    connection: Connection[Any], index: str, rows: Sequence[str], after: OrderKey | None, limit: int
) -> list[OrderKey]:
    """The first `limit` orders of any of the rows after a key."""
    asked = {"rows": [*rows], "index": index, "after": after or "", "limit": limit}
    return [key for (key,) in connection.execute(_ORDERS_OF_ANY, asked)]


def retire(connection: Connection[Any], keep: Iterable[str]) -> None:
    """Give up the parts of other names: nothing finds them from now on."""
    connection.execute(_RETIRE, ([*keep],))


def sweep_retired(connection: Connection[Any], limit: int) -> bool:
    """Remove up to `limit` rows of what was given up. False when nothing is left to do."""
    number = one_value(connection, _RETIRED)
    if number is None:
        return False
    if connection.execute(_EMPTY, (number, limit)).rowcount < limit:
        connection.execute(_DROP, (number,))
    return True


def _add(connection: Connection[Any], rows: Sequence[_Row]) -> None:
    """Naming parts of the index that had no number."""
    if rows:
        connection.execute(_NAME, (sorted({name for name, _, _ in rows}),))
    execute_rows(connection, _ADD, rows)


def _rows(members: Mapping[OrderKey, Members]) -> list[_Row]:
    return sorted((name, row, key) for key, parts in members.items() for name, rows in parts.items() for row in rows)
