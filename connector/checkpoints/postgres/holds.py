"""The SQL of holds: sets of orders that aren't pushed until they are known to be few, or a person approves them.

Functions on a connection, inside the caller's transaction. A hold that is empty is over, but its row stays for a while:
an order that was judged a moment before is written into it then, and opens it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from psycopg import Connection

from connector.checkpoints.holds import KEPT, spread
from connector.checkpoints.postgres import ledger
from connector.checkpoints.postgres.rows import all_rows, execute_rows, one_value
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Arrival
from connector.pipeline.ports.holds import Held, Hold, HoldKind, HoldState, HoldSummary
from connector.pipeline.ports.records import Settlement

_OPEN: Final = "INSERT INTO hold (kind, cause, state, opened_at) VALUES (%s, %s, 'gathering', %s) RETURNING number"
_FORGET_OVER: Final = "DELETE FROM hold WHERE ended AND number <= %s"
_HOLDS: Final = "SELECT number, kind, cause, state, opened_at, orders FROM hold WHERE NOT ended ORDER BY number"
_HOLD: Final = "SELECT number, kind, cause, state, opened_at, orders FROM hold WHERE NOT ended AND number = %s"
_MARK: Final = """
UPDATE hold SET state = %(state)s, ended = (orders = 0 AND %(state)s = 'held') WHERE number = %(number)s AND NOT ended
"""
_END: Final = "UPDATE hold SET ended = true WHERE number = %s AND orders = 0"
_EXISTS: Final = "SELECT number FROM hold WHERE number = ANY(%s)"

_HOLD_ORDERS: Final = """
INSERT INTO held AS known (key, hold, spread, fields, since, confirm)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::float8[], %s::boolean[])
ON CONFLICT (key) DO UPDATE SET hold = excluded.hold, fields = excluded.fields,
  since = least(known.since, excluded.since), confirm = known.confirm OR excluded.confirm
"""
_LET_GO: Final = "DELETE FROM held WHERE key = ANY(%s)"
_OF_KEYS: Final = "SELECT key, hold, fields, since, confirm FROM held WHERE key = ANY(%s)"
_SPREAD: Final = "SELECT key, since, confirm FROM held WHERE hold = %s ORDER BY spread LIMIT %s"
_FIELDS: Final = "SELECT fields, count(*) FROM held WHERE hold = %s GROUP BY fields"


def open_hold(connection: Connection[Any], kind: HoldKind, cause: str, now: float) -> Hold:
    """A new one, gathering."""
    number: int = one_value(connection, _OPEN, (kind.value, cause, now))
    connection.execute(_FORGET_OVER, (number - KEPT,))
    return Hold(number, kind, cause, HoldState.GATHERING, now)


def holds(connection: Connection[Any]) -> list[Hold]:
    """All that aren't over, oldest first."""
    return [_hold(row) for row in all_rows(connection, _HOLDS)]


def mark(connection: Connection[Any], number: int, state: HoldState) -> None:
    """An empty one that is marked held is over."""
    connection.execute(_MARK, {"state": state.value, "number": number})


def settle(connection: Connection[Any], settlements: Sequence[Settlement]) -> None:
    """Put orders into holds, and take those out whose present state was dealt with. Raises ValueError for a hold that
    never was."""
    if done := [one.entry.key for one in settlements if one.held is None and one.again is None]:
        connection.execute(_LET_GO, (done,))
    rows = [_held_row(one.entry.key, one.held) for one in settlements if one.held is not None]
    if rows:
        wanted = {row[1] for row in rows}
        if missing := wanted - {number for (number,) in all_rows(connection, _EXISTS, (sorted(wanted),))}:
            raise ValueError(f"there is no hold {min(missing)}")
        execute_rows(connection, _HOLD_ORDERS, rows)


def summarise(connection: Connection[Any], number: int, samples: int) -> HoldSummary | None:
    """Reads the whole hold."""
    row = connection.execute(_HOLD, (number,)).fetchone()
    if row is None:
        return None
    fields: Counter[str] = Counter()
    for names, orders in all_rows(connection, _FIELDS, (number,)):
        fields.update(dict.fromkeys(orjson.loads(names), orders))
    some = tuple(key for key, _, _ in all_rows(connection, _SPREAD, (number, samples)))
    return HoldSummary(_hold(row), dict(fields), some)


def release(connection: Connection[Any], number: int, arrival: Arrival, limit: int) -> int:
    """Move orders into the ledger. Returns how many."""
    rows = all_rows(connection, _SPREAD, (number, limit))
    ledger.put_back(connection, arrival, rows)
    connection.execute(_LET_GO, ([key for key, _, _ in rows],))
    connection.execute(_END, (number,))
    return len(rows)


def of_keys(connection: Connection[Any], keys: Iterable[OrderKey]) -> Mapping[OrderKey, Held]:
    """Which of some orders are in a hold."""
    return {
        key: Held(number, tuple(orjson.loads(fields)), since, confirm)
        for key, number, fields, since, confirm in all_rows(connection, _OF_KEYS, ([*keys],))
    }


def _held_row(key: OrderKey, held: Held) -> tuple[Any, ...]:
    return key, held.hold, spread(key), orjson.dumps(held.fields).decode(), held.since, held.confirm


def _hold(row: tuple[Any, ...]) -> Hold:
    number, kind, cause, state, opened_at, orders = row
    return Hold(number, HoldKind(kind), cause, HoldState(state), opened_at, orders)
