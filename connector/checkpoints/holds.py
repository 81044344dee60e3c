"""The SQL of holds: sets of orders that aren't pushed until they are known to be few, or a person approves them.

Functions on a connection, inside the caller's transaction. A hold that is empty is over, but its row stays for a while:
an order that was judged a moment before is written into it then, and opens it again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import apsw
import orjson

from connector.checkpoints import ledger
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Arrival
from connector.pipeline.ports.holds import Held, Hold, HoldKind, HoldState, HoldSummary
from connector.pipeline.ports.records import Settlement

KEPT: Final = 1_000
"""So many numbers back, a hold that is over is still known."""

_OPEN: Final = "INSERT INTO hold (kind, cause, state, opened_at) VALUES (?, ?, 'gathering', ?) RETURNING number"
_FORGET_OVER: Final = "DELETE FROM hold WHERE over = 1 AND number <= ?"
_COLUMNS: Final = "SELECT number, kind, cause, state, opened_at, orders FROM hold WHERE over = 0"
_HOLDS: Final = f"{_COLUMNS} ORDER BY number"
_HOLD: Final = f"{_COLUMNS} AND number = ?"
_MARK: Final = "UPDATE hold SET state = ?1, over = (orders = 0 AND ?1 = 'held') WHERE number = ?2 AND over = 0"
_END: Final = "UPDATE hold SET over = 1 WHERE number = ? AND orders = 0"
_EXISTS: Final = "SELECT number FROM hold WHERE number IN (SELECT value FROM json_each(?))"

_HOLD_ORDER: Final = """
INSERT INTO held (key, hold, spread, fields, since, confirm) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET hold = excluded.hold, fields = excluded.fields, since = min(since, excluded.since),
  confirm = max(confirm, excluded.confirm)
"""
_LET_GO: Final = "DELETE FROM held WHERE key = ?"
_ANY: Final = "SELECT EXISTS (SELECT 1 FROM held)"
_OF_KEYS: Final = "SELECT key, hold, fields, since, confirm FROM held WHERE key IN (SELECT value FROM json_each(?))"
_SPREAD: Final = "SELECT key, since, confirm FROM held WHERE hold = ? ORDER BY spread LIMIT ?"
_FIELDS: Final = "SELECT fields, count(*) FROM held WHERE hold = ? GROUP BY fields"


def spread(key: OrderKey) -> int:
    """Where an order stands in its hold: anywhere, but always the same place. Signed 64 bits."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), signed=True)


def open_hold(connection: apsw.Connection, kind: HoldKind, cause: str, now: float) -> Hold:
    """A new one, gathering."""
    number: int = connection.execute(_OPEN, (kind.value, cause, now)).get
    connection.execute(_FORGET_OVER, (number - KEPT,))
    return Hold(number, kind, cause, HoldState.GATHERING, now)


def holds(connection: apsw.Connection) -> list[Hold]:
    """All that aren't over, oldest first."""
    return [_hold(row) for row in connection.execute(_HOLDS)]


def mark(connection: apsw.Connection, number: int, state: HoldState) -> None:
    """An empty one that is marked held is over."""
    connection.execute(_MARK, (state.value, number))


def settle(connection: apsw.Connection, settlements: Sequence[Settlement]) -> None:
    """Put orders into holds, and take those out whose present state was dealt with. Raises ValueError for a hold that
    never was."""
    if connection.execute(_ANY).get:
        done = (one for one in settlements if one.held is None and one.again is None)
        connection.executemany(_LET_GO, ((settlement.entry.key,) for settlement in done))
    rows = [_held_row(one.entry.key, one.held) for one in settlements if one.held is not None]
    if rows:
        wanted = {row[1] for row in rows}
        if missing := wanted - {number for (number,) in connection.execute(_EXISTS, (_json(wanted),))}:
            raise ValueError(f"there is no hold {min(missing)}")
        connection.executemany(_HOLD_ORDER, rows)


def summarise(connection: apsw.Connection, number: int, samples: int) -> HoldSummary | None:
    """Reads the whole hold: about 0.1 s for a million orders."""
    row = connection.execute(_HOLD, (number,)).fetchone()
    if row is None:
        return None
    fields: Counter[str] = Counter()
    for names, orders in connection.execute(_FIELDS, (number,)):
        fields.update(dict.fromkeys(orjson.loads(names), orders))
    some = tuple(key for key, _, _ in connection.execute(_SPREAD, (number, samples)))
    return HoldSummary(_hold(row), dict(fields), some)


def release(connection: apsw.Connection, number: int, arrival: Arrival, limit: int) -> int:
    """Move orders into the ledger. Returns how many."""
    rows: list[Any] = connection.execute(_SPREAD, (number, limit)).fetchall()
    ledger.put_back(connection, arrival, rows)
    connection.executemany(_LET_GO, ((key,) for key, _, _ in rows))
    connection.execute(_END, (number,))
    return len(rows)


def of_keys(connection: apsw.Connection, keys: Iterable[OrderKey]) -> Mapping[OrderKey, Held]:
    """Which of some orders are in a hold."""
    rows = connection.execute(_OF_KEYS, (_json(keys),))
    return {
        key: Held(number, tuple(orjson.loads(fields)), since, bool(confirm))
        for key, number, fields, since, confirm in rows
    }


def _held_row(key: OrderKey, held: Held) -> tuple[Any, ...]:
    return key, held.hold, spread(key), _json(held.fields), held.since, held.confirm


def _hold(row: tuple[Any, ...]) -> Hold:
    number, kind, cause, state, opened_at, orders = row
    return Hold(number, HoldKind(kind), cause, HoldState(state), opened_at, orders)


def _json(values: Iterable[str] | Iterable[int]) -> str:
    return orjson.dumps([*values]).decode()
