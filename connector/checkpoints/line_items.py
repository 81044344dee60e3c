"""The SQL of line items: which orders have one, by a hash of its id, so that an id used twice is noticed.

Functions on a connection, inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import apsw
import orjson

from connector.model.orders import OrderKey
from connector.pipeline.ports.records import Settlement

_OF_ORDERS: Final = "SELECT line, order_key FROM line_item WHERE order_key IN (SELECT value FROM json_each(?))"
_ADD: Final = "INSERT INTO line_item (line, order_key) VALUES (?, ?)"
_REMOVE: Final = "DELETE FROM line_item WHERE line = ? AND order_key = ?"
# One short walk for each, because a bad mapping may give a million orders one line item.
_OWNERS: Final = "SELECT order_key FROM line_item WHERE line = ? ORDER BY order_key LIMIT 2"


def settle(connection: apsw.Connection, settlements: Sequence[Settlement]) -> None:
    """Exactly the given line items for an order; none for one that is forgotten. Only reads when nothing differs."""
    exact = {
        one.entry.key: frozenset() if one.forget or one.line_items is None else one.line_items
        for one in settlements
        if one.forget or one.line_items is not None
    }
    if not exact:
        return
    wanted = {(line, key) for key, lines in exact.items() for line in lines}
    present = set(connection.execute(_OF_ORDERS, (_json(exact),)))
    connection.executemany(_REMOVE, sorted(present - wanted))
    connection.executemany(_ADD, sorted(wanted - present))


def owners(connection: apsw.Connection, line_items: Sequence[int]) -> Mapping[int, tuple[OrderKey, ...]]:
    """The first two orders of each line item that any has."""
    found = {line: tuple(key for (key,) in connection.execute(_OWNERS, (line,))) for line in line_items}
    return {line: keys for line, keys in found.items() if keys}


def _json(texts: Iterable[str]) -> str:
    return orjson.dumps([*texts]).decode()
