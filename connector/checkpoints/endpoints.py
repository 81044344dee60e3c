"""The SQL of endpoints: which address and store of Redo accepted what is remembered.

What the active ones accepted is in the tables that everything else reads; what the others did is parked, and comes back
with them. Functions on a connection, inside the caller's transaction.
"""

from __future__ import annotations

from typing import Any, Final

import apsw

from connector.checkpoints import ledger, progress
from connector.model.orders import OrderKey
from connector.pipeline.failpoints import reach
from connector.pipeline.ports.records import Endpoint, Rebinding

CHECKPOINT: Final = "key, order_id, fingerprint, accepted_at, redo_id, missing, digest, store_id, traits"
PARKED: Final = {
    # The first finds its rows by what the second holds.
    "line_item": "line, order_key",
    "checkpoint": CHECKPOINT,
    "leftover": "key, store_id, order_id",
    "payload": "key, store_id, order_id, sealed",
    "dead_letter": "key, reason, message, paths, fingerprint, first_seen, last_seen, attempts, status, cause,"
    " store_id, letter_group",
}
"""The tables that say what Redo holds, and their columns."""

LONGEST: Final = 3600.0
"""Seconds that a rebinding may take."""

_ENDPOINTS: Final = """
SELECT store_id, url, active, approved, CASE WHEN active THEN
  (SELECT count(*) FROM checkpoint WHERE checkpoint.store_id = endpoint.store_id AND NOT missing) ELSE orders END
FROM endpoint ORDER BY store_id, url
"""
_ACTIVE: Final = "SELECT store_id, url, id FROM endpoint WHERE active"
_LEAVE: Final = """
UPDATE endpoint SET active = 0,
  orders = (SELECT count(*) FROM checkpoint WHERE checkpoint.store_id = endpoint.store_id AND NOT missing)
WHERE id = ?
"""
_COME: Final = """
INSERT INTO endpoint (store_id, url, active, approved, orders) VALUES (?, ?, 1, ?, 0)
ON CONFLICT (store_id, url) DO UPDATE SET active = 1, approved = max(approved, excluded.approved) RETURNING id
"""
_APPROVE: Final = "UPDATE endpoint SET approved = 1 WHERE active"

# Of the keys that wait for a confirming push, Redo may hold something else than was accepted last.
_DOUBT: Final = """
UPDATE parked_checkpoint SET fingerprint = x'', digest = x'' WHERE endpoint = ?1 AND (?2
  OR key IN (SELECT key FROM ledger WHERE confirm OR in_flight OR late_until IS NOT NULL)
  OR key IN (SELECT key FROM held WHERE confirm))
"""
_DOUBT_ALL: Final = "UPDATE parked_checkpoint SET fingerprint = x'', digest = x'' WHERE fingerprint <> x''"
_FORGET_WARNINGS: Final = "DELETE FROM warning WHERE key IN (SELECT key FROM parked_checkpoint WHERE endpoint = ?)"
# An order that went to another store meanwhile is at both.
_AT_BOTH: Final = """
INSERT OR IGNORE INTO leftover (key, store_id, order_id) SELECT key, store_id, order_id FROM parked_checkpoint
WHERE endpoint = ? AND NOT missing AND key IN (SELECT key FROM checkpoint)
"""

_REQUEUE: Final = """
SELECT key, since, confirm FROM held WHERE confirm UNION ALL SELECT DISTINCT key, ?, 0 FROM leftover
"""
_OPEN: Final = """
SELECT key FROM parked_checkpoint WHERE endpoint = ?1 AND fingerprint = x''
UNION SELECT key FROM parked_leftover WHERE endpoint = ?1
"""
_LATE: Final = "UPDATE ledger SET late_until = coalesce(max(late_until, ?1), late_until, ?1) WHERE key = ?2"
_START_ANEW: Final = """
UPDATE ledger SET approved = 0, newer_approved = 0 WHERE approved OR newer_approved;
UPDATE ledger SET attempts = 0, due = 0 WHERE attempts > 0;
DELETE FROM held;
UPDATE hold SET over = 1 WHERE over = 0;
DELETE FROM dead_letter WHERE store_id = '' AND fingerprint IS NOT NULL;
DELETE FROM finished_sweep;
"""


def endpoints(connection: apsw.Connection) -> list[Endpoint]:
    """All, by store and URL. Counts the checkpoints: a third of a second for a million."""
    rows = connection.execute(_ENDPOINTS)
    return [Endpoint(store, url, bool(active), bool(approved), orders) for store, url, active, approved, orders in rows]


def approve(connection: apsw.Connection) -> None:
    """Orders may go to the active ones."""
    connection.execute(_APPROVE)


def doubt(connection: apsw.Connection) -> None:
    """What is parked may be older than what was accepted."""
    connection.execute(_DOUBT_ALL)


def rebind(connection: apsw.Connection, rebinding: Rebinding) -> None:
    """About half a minute for a million orders that are parked, or brought back."""
    active: dict[tuple[str, str], int] = {(store, url): one for store, url, one in connection.execute(_ACTIVE)}
    wanted = set(rebinding.urls.items())
    if wanted == active.keys():
        return
    for endpoint in active.keys() - wanted:
        _park(connection, endpoint[0], active[endpoint], alone=len(active) == 1, doubted=rebinding.doubted)
    reach("endpoints.within_rebind")
    late: list[OrderKey] = []
    for store_id, url in sorted(wanted - active.keys()):
        late += _bring_back(connection, connection.execute(_COME, (store_id, url, rebinding.approved)).get)
    if active:
        rows: list[Any] = connection.execute(_REQUEUE, (rebinding.requeue.since,)).fetchall()
        connection.execute(_START_ANEW)
        ledger.put_back(connection, rebinding.requeue, [*rows, *((key, rebinding.requeue.since, 0) for key in late)])
        connection.executemany(_LATE, ((rebinding.late_until, key) for key in late))
    progress.reach(connection, [rebinding.requeue.revision])
    if rebinding.sweep is not None:
        progress.save_sweep(connection, rebinding.sweep)


def _park(connection: apsw.Connection, store_id: str, endpoint: int, *, alone: bool, doubted: bool) -> None:
    connection.execute(_LEAVE, (endpoint,))
    for table, columns in PARKED.items():
        where = "WHERE store_id = ?1"
        if table == "line_item":
            # Without a condition, SQLite empties a table at once.
            where = "" if alone else "WHERE order_key IN (SELECT key FROM checkpoint WHERE store_id = ?1)"
        rows = f"SELECT ?2, {columns} FROM {table} {where}"  # noqa: S608 (constants)
        connection.execute(f"INSERT INTO parked_{table} (endpoint, {columns}) {rows}", (store_id, endpoint))
        connection.execute(f"DELETE FROM {table} {where}", (store_id,) if where else ())  # noqa: S608 (constants)
    connection.execute(_DOUBT, (endpoint, doubted))
    connection.execute(_FORGET_WARNINGS, (endpoint,))


def _bring_back(connection: apsw.Connection, endpoint: int) -> list[OrderKey]:
    """Returns the orders whose outcome was open when it was left."""
    late = [OrderKey(key) for (key,) in connection.execute(_OPEN, (endpoint,))]
    connection.execute(_AT_BOTH, (endpoint,))
    for table, columns in PARKED.items():
        connection.execute(
            f"INSERT OR IGNORE INTO {table} ({columns}) SELECT {columns} FROM parked_{table} WHERE endpoint = ?",  # noqa: S608 (constants)
            (endpoint,),
        )
        connection.execute(f"DELETE FROM parked_{table} WHERE endpoint = ?", (endpoint,))  # noqa: S608 (constants)
    return late
