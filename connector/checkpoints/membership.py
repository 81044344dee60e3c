"""The SQL of the reverse index: which orders a child row is part of, where the stream can't tell.

Functions on a connection, inside the caller's transaction. They must not know tables of the OMS, nor why an order is
looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import apsw
import orjson

from connector.model.orders import Members, OrderKey
from connector.pipeline.ports.records import Settlement

_PAGES: Final = 4
"""Orders held at a time, in pages, however many the rows lead to."""

_Row: TypeAlias = tuple[int, str, OrderKey]
"""A row of `member`, in the order of its primary key."""

_IDS: Final = "SELECT name, id FROM member_index WHERE name IS NOT NULL"
_NAME: Final = "INSERT INTO member_index (name) VALUES (?) RETURNING id"

_OF_ORDERS: Final = """
SELECT index_id, row_key, order_key FROM member WHERE order_key IN (SELECT value FROM json_each(?))
"""
_ADD: Final = "INSERT INTO member (index_id, row_key, order_key) VALUES (?, ?, ?)"
_REMOVE: Final = "DELETE FROM member WHERE index_id = ? AND row_key = ? AND order_key = ?"

_ORDERS_OF_ANY: Final = """
SELECT order_key FROM member
WHERE index_id = ? AND row_key IN (SELECT value FROM json_each(?)) AND order_key > ? LIMIT ?
"""
# One walk along the primary key for each row, as long as its limit however many orders the row is part of.
_ORDERS_OF: Final = """
SELECT order_key FROM member
WHERE index_id = ? AND row_key = ? AND order_key > ? ORDER BY order_key LIMIT ?
"""

_RETIRE: Final = """
UPDATE member_index SET name = NULL WHERE name IS NOT NULL AND name NOT IN (SELECT value FROM json_each(?))
"""
_RETIRED: Final = "SELECT id FROM member_index WHERE name IS NULL LIMIT 1"
_EMPTY: Final = """
DELETE FROM member WHERE (index_id, row_key, order_key) IN
  (SELECT index_id, row_key, order_key FROM member WHERE index_id = ? LIMIT ?)
"""
_DROP: Final = "DELETE FROM member_index WHERE id = ?"


def enroll(connection: apsw.Connection, members: Mapping[OrderKey, Members]) -> None:
    """Add what isn't there yet. Only reads when everything is."""
    wanted = _rows(connection, members)
    missing = wanted.difference(_present(connection, members)) if wanted else wanted
    connection.executemany(_ADD, sorted(missing))


def settle(connection: apsw.Connection, settlements: Sequence[Settlement]) -> None:
    """Make the index hold exactly the rows that are given for an order. Only reads when it does."""
    exact = {one.entry.key: one.members for one in settlements if one.members is not None}
    if not exact:
        return
    wanted, present = _rows(connection, exact), _present(connection, exact)
    connection.executemany(_REMOVE, sorted(present - wanted))
    connection.executemany(_ADD, sorted(wanted - present))


def enrolled(
    connection: apsw.Connection, index: str, rows: Sequence[str], after: OrderKey | None, limit: int
) -> list[OrderKey]:
    """The first `limit` orders of any of the rows after a key."""
    number = _ids(connection).get(index)
    if number is None:
        return []
    some = [key for (key,) in connection.execute(_ORDERS_OF_ANY, (number, _json(rows), after or "", _PAGES * limit))]
    if len(some) < _PAGES * limit:  # that was all
        return sorted(set(some))[:limit]
    found: set[OrderKey] = set()
    for row in rows:
        found.update(key for (key,) in connection.execute(_ORDERS_OF, (number, row, after or "", limit)))
        if len(found) > _PAGES * limit:
            found = set(sorted(found)[:limit])
    return sorted(found)[:limit]


def retire(connection: apsw.Connection, keep: Iterable[str]) -> None:
    """Give up the parts of other names: nothing finds them from now on."""
    connection.execute(_RETIRE, (_json(keep),))


def sweep_retired(connection: apsw.Connection, limit: int) -> bool:
    """Remove up to `limit` rows of what was given up. False when nothing is left to do."""
    row = connection.execute(_RETIRED).fetchone()
    if row is None:
        return False
    connection.execute(_EMPTY, (row[0], limit))
    if connection.changes() < limit:
        connection.execute(_DROP, row)
    return True


def _rows(connection: apsw.Connection, members: Mapping[OrderKey, Members]) -> set[_Row]:
    """The rows of `member` that would say the same, naming parts of the index that had no number."""
    ids = dict(_ids(connection))
    for name in sorted({name for parts in members.values() for name, rows in parts.items() if rows} - ids.keys()):
        ids[name] = connection.execute(_NAME, (name,)).get
    return {(ids[name], row, key) for key, parts in members.items() for name, rows in parts.items() for row in rows}


def _present(connection: apsw.Connection, keys: Iterable[OrderKey]) -> set[_Row]:
    return set(connection.execute(_OF_ORDERS, (_json(keys),)))


def _ids(connection: apsw.Connection) -> Mapping[str, int]:
    return dict(connection.execute(_IDS))


def _json(texts: Iterable[str]) -> str:
    return orjson.dumps([*texts]).decode()
