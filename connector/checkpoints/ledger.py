"""The ledger's SQL: which orders wait to be looked at, and in what order.

Functions on a connection, inside the caller's transaction. They must not know lookups, sweeps or checkpoints.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

import apsw

from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Arrival, Entry, Lane
from connector.pipeline.ports.records import Settlement

AT_ONCE: Final = 0.001
"""When something that failed is due that shall be tried at once: any time that is over, but not 0."""
MOST_ATTEMPTS: Final = 2**31 - 1

# What failed is tried at once when it changes. It is never at due = 0, so that it is found without a walk over all that
# waits. What arrives while the order is in flight is also remembered apart, because its settlement leaves exactly that
# part behind.
_ARRIVE: Final = f"""
INSERT INTO ledger (key, first_revision, revision, since, lane, confirm, approved) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET
  first_revision = min(first_revision, excluded.first_revision),
  revision = max(revision, excluded.revision),
  since = min(since, excluded.since),
  lane = min(lane, excluded.lane),
  due = CASE WHEN attempts > 0 THEN max({AT_ONCE}, min(due, excluded.since)) ELSE 0 END,
  confirm = max(confirm, excluded.confirm),
  approved = max(approved, excluded.approved),
  newer_first = CASE WHEN in_flight
    THEN min(coalesce(newer_first, excluded.first_revision), excluded.first_revision) END,
  newer_since = CASE WHEN in_flight
    THEN min(coalesce(newer_since, excluded.since), excluded.since) END,
  newer_confirm = in_flight AND (newer_confirm OR excluded.confirm),
  newer_approved = in_flight AND (newer_approved OR excluded.approved)
"""  # noqa: S608 (a number of ours)

_COLUMNS: Final = """
SELECT key, first_revision, revision, since, lane, attempts, confirm, late_until, approved FROM ledger
"""

# Two walks along the index ledger_next, each as long as its limit whatever waits behind.
_NEVER_DELAYED: Final = f"{_COLUMNS} WHERE lane = ? AND due = 0 ORDER BY revision LIMIT ?"
_DELAY_OVER: Final = f"{_COLUMNS} WHERE lane = ? AND due > 0 AND due <= ? AND attempts = 0 ORDER BY due LIMIT ?"
_FAILING: Final = f"""
{_COLUMNS} WHERE lane IN (SELECT value FROM json_each(?)) AND due > 0 AND due <= ? AND attempts > 0 ORDER BY due LIMIT ?
"""  # noqa: S608 (constants)

_NO_NEWER: Final = "newer_first = NULL, newer_since = NULL, newer_confirm = 0, newer_approved = 0"
_MARK: Final = f"UPDATE ledger SET in_flight = 1, {_NO_NEWER} WHERE key = ?"  # noqa: S608 (constants)

# What arrived in flight ends the wait, and must not wait for a late request to be over.
_AGAIN: Final = f"""
UPDATE ledger SET due = CASE WHEN ?2 > 0 THEN max({AT_ONCE}, min(?1, coalesce(newer_since, ?1)))
    WHEN newer_first IS NULL THEN ?1 ELSE 0 END,
  attempts = ?2,
  confirm = max(?3, newer_confirm), late_until = ?4, approved = max(?5, newer_approved), in_flight = 0, {_NO_NEWER}
WHERE key = ?6
"""  # noqa: S608 (constants)
# Apart, because it moves the entry in the index ledger_since. Before _AGAIN, which forgets newer_since.
_SINCE: Final = "UPDATE ledger SET since = min(?1, coalesce(newer_since, ?1)) WHERE key = ?2"
_LEAVE: Final = "DELETE FROM ledger WHERE key = ? AND revision <= ? AND newer_first IS NULL"
# late_until stays: a request that may land late is none the less late for what arrived anew.
_STAY: Final = f"""
UPDATE ledger SET first_revision = coalesce(newer_first, ? + 1), since = coalesce(newer_since, since),
  due = 0, attempts = 0, confirm = newer_confirm, approved = newer_approved, in_flight = 0, {_NO_NEWER}
WHERE key = ? AND (revision > ? OR newer_first IS NOT NULL)
"""  # noqa: S608 (constants)

_EARLIEST: Final = "SELECT key, due FROM ledger WHERE lane = ? AND attempts = 0 ORDER BY due, revision LIMIT ?"
_EARLIEST_FAILING: Final = """
SELECT key, due FROM ledger WHERE lane = ? AND due > 0 AND attempts > 0 ORDER BY due LIMIT ?
"""

_EVERY_LANE: Final = ", ".join(str(int(lane)) for lane in Lane)
# The lanes are named because the index begins with them. An entry with no attempt that is due exactly when nothing can
# land late any more isn't backing off: it waits for that moment, whether Redo answers or not.
_HASTEN: Final = f"""
UPDATE ledger SET due = CASE WHEN attempts > 0 THEN {AT_ONCE} ELSE 0 END
WHERE rowid IN (SELECT rowid FROM ledger
  WHERE lane IN ({_EVERY_LANE}) AND due > 0
    AND CASE WHEN attempts > 0 THEN due > {AT_ONCE} AND attempts <= ?1 ELSE due IS NOT late_until END LIMIT ?2)
"""  # noqa: S608 (numbers of ours)


_CONFIRM: Final = f"""
UPDATE ledger SET confirm = 1, late_until = coalesce(max(late_until, ?1), late_until, ?1), in_flight = 0, {_NO_NEWER}
WHERE in_flight = 1
"""  # noqa: S608 (constants)


def arrive(connection: apsw.Connection, arrivals: Iterable[Arrival]) -> None:
    """Add keys, merging with what waits."""
    # In key order, so that neighbours in the index are written together.
    connection.executemany(
        _ARRIVE,
        (_row(arrival, key, arrival.since, arrival.confirm) for arrival in arrivals for key in sorted(arrival.keys)),
    )


def put_back(connection: apsw.Connection, arrival: Arrival, rows: Iterable[tuple[OrderKey, float, int]]) -> None:
    """Add orders that were kept elsewhere, as the arrival says, but each with its own `since` and `confirm`."""
    connection.executemany(
        _ARRIVE, (_row(arrival, key, since, arrival.confirm or bool(confirm)) for key, since, confirm in sorted(rows))
    )


def _row(
    arrival: Arrival, key: OrderKey, since: float, confirm: bool
) -> tuple[OrderKey, int, int, float, int, int, int]:
    first = arrival.revision if arrival.first_revision is None else arrival.first_revision
    return key, first, arrival.revision, since, int(arrival.lane), confirm, arrival.approved


def due(
    connection: apsw.Connection, limit: int, now: float, busy: frozenset[OrderKey], lanes: Sequence[Lane]
) -> list[Entry]:
    """The next entries that haven't failed: by lane, then by revision. Of more than `limit` whose delay is over, those
    due earliest."""
    entries: list[Entry] = []
    for lane in sorted(set(lanes)):
        wanted = limit - len(entries)
        if wanted <= 0:
            break
        page = wanted + len(busy)
        rows = [*connection.execute(_NEVER_DELAYED, (int(lane), page))]
        rows += connection.execute(_DELAY_OVER, (int(lane), now, page))
        free = sorted((row for row in rows if row[0] not in busy), key=lambda row: (row[2], row[0]))
        entries += map(_entry, free[:wanted])
    return entries


def failing(
    connection: apsw.Connection, limit: int, now: float, busy: frozenset[OrderKey], lanes: Sequence[Lane]
) -> list[Entry]:
    """The next entries that failed, those due earliest first, so that each has its turn."""
    wanted = json.dumps([int(lane) for lane in lanes])
    rows = connection.execute(_FAILING, (wanted, now, limit + len(busy)))
    return [_entry(row) for row in rows if row[0] not in busy][:limit]


def _entry(row: tuple[OrderKey, int, int, float, int, int, int, float | None, int]) -> Entry:
    key, first_revision, revision, since, lane, attempts, confirm, late_until, approved = row
    return Entry(key, first_revision, revision, since, Lane(lane), attempts, bool(confirm), late_until, bool(approved))


def mark(connection: apsw.Connection, entries: Sequence[Entry]) -> None:
    """From now on a request may be on its way for these."""
    connection.executemany(_MARK, ((entry.key,) for entry in entries))


def settle(connection: apsw.Connection, settlements: Sequence[Settlement]) -> None:
    """Take entries out, leave their newer part, or put them back for later."""
    done = [settlement.entry for settlement in settlements if settlement.again is None]
    before = connection.total_changes()
    connection.executemany(_LEAVE, ((entry.key, entry.revision) for entry in done))
    if connection.total_changes() - before < len(done):
        connection.executemany(_STAY, ((entry.revision, entry.key, entry.revision) for entry in done))
    later = [(one.entry.key, one.again) for one in settlements if one.again is not None]
    connection.executemany(_SINCE, ((again.since, key) for key, again in later if again.since is not None))
    connection.executemany(
        _AGAIN,
        ((again.due, again.attempts, again.confirm, again.late_until, again.approved, key) for key, again in later),
    )


def hasten(connection: apsw.Connection, limit: int, most_attempts: int | None) -> int:
    """Make up to `limit` delayed entries due at once, but not those that only wait until nothing can land late any
    more. Returns how many it were."""
    connection.execute(_HASTEN, (MOST_ATTEMPTS if most_attempts is None else most_attempts, limit))
    return connection.changes()


def next_due(connection: apsw.Connection, busy: frozenset[OrderKey], *, failed: bool) -> float | None:
    """The earliest due time of what isn't busy, 0 for at once. `failed`: of what failed, or else of the others."""
    earliest: list[float] = []
    for lane in Lane:
        rows = connection.execute(_EARLIEST_FAILING if failed else _EARLIEST, (int(lane), len(busy) + 1))
        earliest += [due for key, due in rows if key not in busy][:1]
    return min(earliest, default=None)


def confirm_in_flight(connection: apsw.Connection, late_until: float | None) -> None:
    """Whoever took these is gone, and Redo may hold what was on its way, or take it until `late_until`."""
    connection.execute(_CONFIRM, (late_until,))
