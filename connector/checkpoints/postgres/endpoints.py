"""The SQL of endpoints: which address and store of Redo accepted what is remembered. The mirror of the SQLite store's.

Functions on a connection, inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, LiteralString

from psycopg import Connection

from connector.checkpoints.endpoints import LONGEST
from connector.checkpoints.postgres import ledger, progress
from connector.checkpoints.postgres.connection import StoreConnection
from connector.checkpoints.postgres.rows import all_rows, one_value
from connector.model.orders import OrderKey
from connector.pipeline.failpoints import reach
from connector.pipeline.ports.records import Endpoint, Rebinding

_PARKED: Final[tuple[tuple[LiteralString, LiteralString], ...]] = (
    # The first finds its rows by what the second holds.
    ("line_item", "line, order_key"),
    ("checkpoint", "key, order_id, fingerprint, accepted_at, redo_id, missing, digest, store_id, traits"),
    ("leftover", "key, store_id, order_id"),
    ("payload", "key, store_id, order_id, sealed"),
    (
        "dead_letter",
        "key, reason, message, paths, fingerprint, first_seen, last_seen, attempts, status, cause, store_id,"
        " letter_group",
    ),
)
# Everything is read, in one transaction that may take as long as it takes: not as queries elsewhere, which walk along
# an index.
_AT_LENGTH: Final = """
SELECT set_config(name, value, true) FROM (VALUES ('statement_timeout', '0'), ('enable_seqscan', 'on'),
  ('enable_hashjoin', 'on'), ('enable_mergejoin', 'on')) AS wanted (name, value)
"""
_MADE: Final = "SELECT to_regclass('endpoint') IS NOT NULL"
_ENDPOINTS: Final = """
SELECT store_id, url, active, approved, CASE WHEN active THEN
  (SELECT count(*) FROM checkpoint WHERE checkpoint.store_id = endpoint.store_id AND NOT missing) ELSE orders END
FROM endpoint ORDER BY store_id, url
"""
_ACTIVE: Final = "SELECT store_id, url, id FROM endpoint WHERE active"
_LEAVE: Final = """
UPDATE endpoint SET active = false,
  orders = (SELECT count(*) FROM checkpoint WHERE checkpoint.store_id = endpoint.store_id AND NOT missing)
WHERE id = %s
"""
_COME: Final = """
INSERT INTO endpoint AS known (store_id, url, active, approved, orders) VALUES (%s, %s, true, %s, 0)
ON CONFLICT (store_id, url) DO UPDATE SET active = true, approved = known.approved OR excluded.approved RETURNING id
"""
_APPROVE: Final = "UPDATE endpoint SET approved = true WHERE active AND NOT approved"

_DOUBT: Final = """
UPDATE parked_checkpoint SET fingerprint = '', digest = '' WHERE endpoint = %s AND (%s
  OR key IN (SELECT key FROM ledger WHERE confirm OR in_flight OR late_until IS NOT NULL)
  OR key IN (SELECT key FROM held WHERE confirm))
"""
_DOUBT_ALL: Final = "UPDATE parked_checkpoint SET fingerprint = '', digest = '' WHERE fingerprint <> ''"
_FORGET_WARNINGS: Final = "DELETE FROM warning WHERE key IN (SELECT key FROM parked_checkpoint WHERE endpoint = %s)"
# An order that went to another store meanwhile is at both.
_AT_BOTH: Final = """
INSERT INTO leftover (key, store_id, order_id) SELECT key, store_id, order_id FROM parked_checkpoint
WHERE endpoint = %s AND NOT missing AND key IN (SELECT key FROM checkpoint) ON CONFLICT DO NOTHING
"""

_REQUEUE: Final = """
SELECT key, since, confirm FROM held WHERE confirm UNION ALL SELECT DISTINCT key, %s::float8, false FROM leftover
"""
_OPEN: Final = """
SELECT key FROM parked_checkpoint WHERE endpoint = %(endpoint)s AND fingerprint = ''
UNION SELECT key FROM parked_leftover WHERE endpoint = %(endpoint)s
"""
_LATE: Final = "UPDATE ledger SET late_until = greatest(late_until, %s::float8) WHERE key = ANY(%s)"
_START_ANEW: Final = (
    "UPDATE ledger SET approved = false, newer_approved = false WHERE approved OR newer_approved",
    "UPDATE ledger SET attempts = 0, due = 0 WHERE attempts > 0",
    "DELETE FROM held",
    "UPDATE hold SET ended = true WHERE NOT ended",
    "DELETE FROM dead_letter WHERE store_id = '' AND fingerprint IS NOT NULL",
    "DELETE FROM finished_sweep",
)


def endpoints(connection: Connection[Any]) -> list[Endpoint]:
    """All, by store and URL; none in a schema that an older version made."""
    if not one_value(connection, _MADE):
        return []
    return [Endpoint(*row) for row in all_rows(connection, _ENDPOINTS)]


def approve(connection: Connection[Any]) -> None:
    """Orders may go to the active ones."""
    connection.execute(_APPROVE)


def doubt(connection: Connection[Any]) -> None:
    """What is parked may be older than what was accepted."""
    with _at_length(connection):
        connection.execute(_DOUBT_ALL)


def rebind(connection: Connection[Any], rebinding: Rebinding) -> None:
    """As the SQLite store does."""
    active = {(store, url): one for store, url, one in all_rows(connection, _ACTIVE)}
    if set(rebinding.urls.items()) == active.keys():
        return
    with _at_length(connection):
        _rebind(connection, rebinding, active)


@contextmanager
def _at_length(connection: Connection[Any]) -> Iterator[None]:
    """Everything inside may take its time."""
    assert isinstance(connection, StoreConnection)  # noqa: S101 -- every session of the store is one
    usual, connection.patience = connection.patience, LONGEST
    try:
        connection.execute(_AT_LENGTH)
        yield
        connection.execute("SELECT").fetchall()  # in a pipeline: until then nothing was waited for
    finally:
        connection.patience = usual


def _rebind(connection: Connection[Any], rebinding: Rebinding, active: Mapping[tuple[str, str], int]) -> None:
    wanted = set(rebinding.urls.items())
    for endpoint in active.keys() - wanted:
        _park(connection, endpoint[0], active[endpoint], doubted=rebinding.doubted)
    reach("endpoints.within_rebind")
    late: list[OrderKey] = []
    for store_id, url in sorted(wanted - active.keys()):
        late += _bring_back(connection, one_value(connection, _COME, (store_id, url, rebinding.approved)))
    if active:
        rows = all_rows(connection, _REQUEUE, (rebinding.requeue.since,))
        for statement in _START_ANEW:
            connection.execute(statement)
        since = rebinding.requeue.since
        ledger.put_back(connection, rebinding.requeue, [*rows, *((key, since, False) for key in late)])
        connection.execute(_LATE, (rebinding.late_until, late))
    progress.reach(connection, [rebinding.requeue.revision])
    if rebinding.sweep is not None:
        progress.save_sweep(connection, rebinding.sweep)


def _park(connection: Connection[Any], store_id: str, endpoint: int, *, doubted: bool) -> None:
    connection.execute(_LEAVE, (endpoint,))
    for table, columns in _PARKED:
        where: LiteralString = "store_id = %s"
        if table == "line_item":
            where = "order_key IN (SELECT key FROM checkpoint WHERE store_id = %s)"
        connection.execute(
            f"INSERT INTO parked_{table} (endpoint, {columns}) SELECT %s, {columns} FROM {table} WHERE {where}",  # noqa: S608 (constants)
            (endpoint, store_id),
        )
        connection.execute(f"DELETE FROM {table} WHERE {where}", (store_id,))  # noqa: S608 (constants)
    connection.execute(_DOUBT, (endpoint, doubted))
    connection.execute(_FORGET_WARNINGS, (endpoint,))


def _bring_back(connection: Connection[Any], endpoint: int) -> list[OrderKey]:
    """Returns the orders whose outcome was open when it was left."""
    late = [OrderKey(key) for (key,) in connection.execute(_OPEN, {"endpoint": endpoint}).fetchall()]
    connection.execute(_AT_BOTH, (endpoint,))
    for table, columns in _PARKED:
        connection.execute(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM parked_{table} WHERE endpoint = %s"  # noqa: S608 (constants)
            " ON CONFLICT DO NOTHING",
            (endpoint,),
        )
        connection.execute(f"DELETE FROM parked_{table} WHERE endpoint = %s", (endpoint,))  # noqa: S608 (constants)
    return late
