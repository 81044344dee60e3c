"""The SQL of former keys: what is stored of orders whose keys had another shape, until today's keys take it over.

Functions on a connection, inside the caller's transaction. They must not know what a key's shape is.
"""
# ruff: noqa: S608  names of tables and columns of ours

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString

from psycopg import Connection

from connector.checkpoints.former import AFTER_FORMER, STEP, payloads
from connector.checkpoints.postgres.rows import all_rows, execute_rows, one_value
from connector.checkpoints.vault import Vault
from connector.model.orders import FORMER_KEYS, OrderKey, Place, former

_TODAYS: Final = """
(SELECT key FROM checkpoint WHERE key < %s LIMIT %s) UNION ALL (SELECT key FROM checkpoint WHERE key >= %s LIMIT %s)
LIMIT %s
"""
_LATE: Final = "SELECT max(late_until) FROM ledger"

# What Redo holds there isn't known, and no order may go without somebody knowing it.
_WITHOUT_CHECKPOINT: Final = """
INSERT INTO checkpoint (key, order_id, fingerprint, accepted_at, missing, store_id, digest, traits)
SELECT DISTINCT ON (key) key, order_id, ''::bytea, %s, false, store_id, ''::bytea, ''::bytea FROM leftover
WHERE NOT EXISTS (SELECT FROM checkpoint WHERE checkpoint.key = leftover.key) AND (%s OR key = ANY(%s::text[]))
ORDER BY key, order_id
"""
_DOUBT: Final = """
UPDATE checkpoint SET fingerprint = '', digest = '' WHERE key = ANY(%s) AND (
  EXISTS (SELECT FROM ledger WHERE ledger.key = checkpoint.key AND (confirm OR late_until IS NOT NULL))
  OR EXISTS (SELECT FROM held WHERE held.key = checkpoint.key AND held.confirm))
"""
_NAMES: Final = "FROM unnest(%s::text[], %s::text[]) AS names (was, now) WHERE"


def _renamed(table: LiteralString, key: LiteralString, *rest: LiteralString) -> tuple[LiteralString, ...]:
    """Statements that give rows another key, in the place of what has it already and is the same otherwise."""
    same = "".join(f" AND other.{column} = {table}.{column}" for column in rest)
    there = f"{table}.{key} = names.now AND other.{key} = names.was{same}"
    return (
        f"DELETE FROM {table} USING {table} AS other, {_NAMES.removeprefix('FROM ')} {there}",
        f"UPDATE {table} SET {key} = names.now {_NAMES} {key} = names.was",
    )


_RENAME: Final = (
    f"UPDATE checkpoint SET key = names.now {_NAMES} key = names.was",
    *_renamed("leftover", "key", "store_id", "order_id"),
    *_renamed("line_item", "order_key", "line"),
    *_renamed("warning", "key", "kind"),
    *_renamed("payload", "key", "store_id", "order_id"),
)
_FORGET: Final = "DELETE FROM checkpoint WHERE key = ANY(%s)"
_WAITING: Final = ("DELETE FROM dead_letter", "DELETE FROM held", "DELETE FROM ledger")
_OF_KEYS: Final = " WHERE key = ANY(%s)"
_LOOKUPS: Final = "DELETE FROM lookup"

# One that left the mapping is second choice, and so is one that has had the place longer ago.
_AT_PLACES: Final = """
SELECT claim.key, there.key FROM unnest(%s::text[], %s::text[], %s::text[]) AS claim (key, store_id, order_id)
JOIN checkpoint AS there ON there.store_id = claim.store_id AND there.order_id = claim.order_id
WHERE there.key >= %s AND there.key < %s AND there.key <> ALL(%s)
  AND NOT EXISTS (SELECT FROM checkpoint AS own WHERE own.key = claim.key)
  AND NOT EXISTS (SELECT FROM ledger WHERE ledger.key = there.key AND late_until IS NOT NULL)
ORDER BY there.missing, there.accepted_at DESC, there.key
"""
_PAYLOADS: Final = "SELECT key, store_id, order_id, sealed FROM payload WHERE key = ANY(%s)"
_SEAL_ANEW: Final = """
UPDATE payload SET sealed = anew.sealed
FROM unnest(%b::bytea[], %s::text[], %s::text[], %s::text[]) AS anew (sealed, key, store_id, order_id)
WHERE (payload.key, payload.store_id, payload.order_id) = (anew.key, anew.store_id, anew.order_id)
"""


def late_until(connection: Connection[Any]) -> float | None:
    """Until when a request of any order may still be carried out late."""
    found: float | None = one_value(connection, _LATE)
    return found


def begin(connection: Connection[Any], now: float) -> None:
    """Before the first step: places that Redo may hold an order at, without a checkpoint, get one."""
    connection.execute(_WITHOUT_CHECKPOINT, (now, True, []))


def retire_some(connection: Connection[Any], shape: int) -> bool:
    """Some of today's keys become former ones. False when there were none left."""
    keys = [key for (key,) in all_rows(connection, _TODAYS, (FORMER_KEYS, STEP, AFTER_FORMER, STEP, STEP))]
    _retire(connection, keys, shape)
    return bool(keys)


def forget_waiting(connection: Connection[Any]) -> None:
    """What waits, is refused or held, and the lookups, whatever their keys."""
    for statement in (*_WAITING, _LOOKUPS):
        connection.execute(statement)


def retire(connection: Connection[Any], keys: Sequence[OrderKey], shape: int, now: float) -> None:
    """These keys become former ones, apart from their ledger entries, which are in work."""
    connection.execute(_WITHOUT_CHECKPOINT, (now, False, [*keys]))
    _retire(connection, keys, shape)
    for statement in _WAITING[:2]:
        connection.execute(statement + _OF_KEYS, ([*keys],))


def _retire(connection: Connection[Any], keys: Sequence[OrderKey], shape: int) -> None:
    connection.execute(_DOUBT, ([*keys],))
    connection.execute(_FORGET, ([former(key, shape) for key in keys],))
    _rename(connection, keys, [former(key, shape) for key in keys])


def _rename(connection: Connection[Any], was: Sequence[OrderKey], now: Sequence[OrderKey]) -> None:
    for statement in _RENAME:
        connection.execute(statement, ([*was], [*now]))


def take_over(
    connection: Connection[Any], claims: Mapping[OrderKey, Place], busy: frozenset[OrderKey], vault: Vault | None
) -> frozenset[OrderKey]:
    """See `pipeline.ports.store.CheckpointStore.take_over`."""
    taken = _assigned(connection, claims, busy)
    if not taken:
        return frozenset()
    bodies = _opened(connection, taken, vault)
    _rename(connection, [*taken], [*taken.values()])
    if vault is not None:
        anew = ((vault.seal(key, at, body), key, at.store_id, at.order_id) for key, at, body in bodies)
        execute_rows(connection, _SEAL_ANEW, anew)
    for statement in _WAITING:
        connection.execute(statement + _OF_KEYS, ([*taken],))
    return frozenset(taken.values())


def _assigned(
    connection: Connection[Any], claims: Mapping[OrderKey, Place], busy: frozenset[OrderKey]
) -> dict[OrderKey, OrderKey]:
    """Former keys, each with the first order that claims its place."""
    rows = [(key, place.store_id, place.order_id) for key, place in claims.items()]
    columns = [[*column] for column in zip(*rows, strict=True)]
    there: dict[OrderKey, list[OrderKey]] = {}
    bindings = (*columns, FORMER_KEYS, AFTER_FORMER, [*busy])
    for key, was in all_rows(connection, _AT_PLACES, bindings) if rows else ():
        there.setdefault(key, []).append(was)
    taken: dict[OrderKey, OrderKey] = {}
    for key in claims:
        was = next((one for one in there.get(key, ()) if one not in taken), None)
        if was is not None:
            taken[was] = key
    return taken


def _opened(
    connection: Connection[Any], taken: Mapping[OrderKey, OrderKey], vault: Vault | None
) -> list[tuple[OrderKey, Place, bytes]]:
    """The payloads of former keys, by the keys that take them over."""
    found = []
    for was, *row in all_rows(connection, _PAYLOADS, ([*taken],)):
        found += [(taken[was], place, body) for place, body in payloads([tuple(row)], was, vault).items()]
    return found
