"""The SQL of line items: which orders have one, by a hash of its id, so that an id used twice is noticed.

Functions on a connection, inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from psycopg import Connection

from connector.checkpoints.postgres.rows import all_rows, execute_rows
from connector.model.orders import OrderKey
from connector.pipeline.ports.records import Settlement

_KEEP_ONLY: Final = """
DELETE FROM line_item WHERE order_key = ANY(%s) AND NOT EXISTS (
  SELECT FROM unnest(%s::bigint[], %s::text[]) AS given (line, order_key)
  WHERE given.line = line_item.line AND given.order_key = line_item.order_key)
"""
_ADD: Final = """
INSERT INTO line_item (line, order_key) SELECT * FROM unnest(%s::bigint[], %s::text[]) ON CONFLICT DO NOTHING
"""
# One short walk for each, because a bad mapping may give a million orders one line item.
_OWNERS: Final = """
SELECT asked.line, part.order_key FROM unnest(%s::bigint[]) AS asked (line) CROSS JOIN LATERAL (
  SELECT order_key FROM line_item WHERE line_item.line = asked.line ORDER BY order_key LIMIT 2
) AS part ORDER BY asked.line, part.order_key
"""


def settle(connection: Connection[Any], settlements: Sequence[Settlement]) -> None:
    """Exactly the given line items for an order; none for one that is forgotten."""
    exact = {
        one.entry.key: frozenset() if one.forget or one.line_items is None else one.line_items
        for one in settlements
        if one.forget or one.line_items is not None
    }
    if not exact:
        return
    rows = sorted((line, key) for key, lines in exact.items() for line in lines)
    connection.execute(_KEEP_ONLY, ([*exact], [line for line, _ in rows], [key for _, key in rows]))
    execute_rows(connection, _ADD, rows)


def owners(connection: Connection[Any], line_items: Sequence[int]) -> Mapping[int, tuple[OrderKey, ...]]:
    """The first two orders of each line item that any has."""
    found: dict[int, tuple[OrderKey, ...]] = {}
    for line, key in all_rows(connection, _OWNERS, (sorted(set(line_items)),)):
        found[line] = (*found.get(line, ()), key)
    return found
