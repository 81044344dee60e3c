"""The ledger: which orders wait to be looked at, in what order, and changed rows whose orders a query has yet to tell.

Such a lookup may lead to so many orders that it is walked in pages. A change that arrives during the walk starts
another one after it, not instead of it: a row that changes all the time would otherwise never reach its last order.

It must not know sweeps or checkpoints.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, TypeAlias

import orjson

from connector.checkpoints.engine import Session
from connector.model.orders import Lookup, OrderKey
from connector.pipeline.ports.entries import OTHERS_SHARE, Arrival, Entry, Lane, PendingLookup, Room
from connector.pipeline.ports.records import Settlement

MOST_ATTEMPTS: Final = 2**31 - 1

_Row: TypeAlias = tuple[int, int, float, int, bool, bool]
"""What arrives of a key: first revision, revision, since, lane, confirm, approved."""

_LANES: Final = [int(lane) for lane in Lane]


def arrive(session: Session, arrivals: Sequence[Arrival]) -> None:
    """Add keys and lookups, merging with what waits."""
    rows = ((one.keys, _row(one, one.since, one.confirm)) for one in arrivals)
    _add(session, ((key, row) for keys, row in rows for key in keys))
    _add_lookups(session, arrivals)


def put_back(session: Session, arrival: Arrival, rows: Iterable[tuple[OrderKey, float, bool]]) -> None:
    """Add orders that were kept elsewhere, as the arrival says, but each with its own `since` and `confirm`."""
    _add(session, ((key, _row(arrival, since, arrival.confirm or bool(confirm))) for key, since, confirm in rows))


def _row(arrival: Arrival, since: float, confirm: bool) -> _Row:
    first = arrival.revision if arrival.first_revision is None else arrival.first_revision
    return first, arrival.revision, since, int(arrival.lane), confirm, arrival.approved


def _add(session: Session, rows: Iterable[tuple[OrderKey, _Row]]) -> None:
    """In key order, so that neighbours in the index are written together; each key once."""
    merged: dict[OrderKey, _Row] = {}
    for key, row in rows:
        known = merged.get(key)
        merged[key] = row if known is None else _joined(known, row)
    session.run_rows("ledger_arrive", [(key, *merged[key]) for key in sorted(merged)])


def _joined(one: _Row, other: _Row) -> _Row:
    (first, latest, since, lane, confirm, approved), newer = one, other
    return (
        min(first, newer[0]),
        max(latest, newer[1]),
        min(since, newer[2]),
        min(lane, newer[3]),
        confirm or newer[4],
        approved or newer[5],
    )


def due(session: Session, room: Room) -> list[Entry]:
    """The next entries that haven't failed: by lane, then by revision, but of OTHERS_SHARE one that isn't live, while
    any is due. Of more than `limit` whose delay is over, those due earliest."""
    found = session.rows_of("ledger_due", _lanes(room.lanes), now=room.now, page=room.limit + len(room.busy))
    free = [_entry(row) for row in found if row[0] not in room.busy]
    free.sort(key=lambda entry: (entry.lane, entry.revision, entry.key))
    return _shared(free, room.limit)


def _shared(free: list[Entry], limit: int) -> list[Entry]:
    """The first ones, the others' share among them. `free`: by lane."""
    live = sum(entry.lane is Lane.LIVE for entry in free)
    share = min(len(free) - live, max(limit // OTHERS_SHARE, min(limit - 1, 1)))
    return [*free[: min(live, limit - share)], *free[live:]][:limit]


def failing(session: Session, room: Room) -> list[Entry]:
    """The next entries that failed, those due earliest first, so that each has its turn."""
    found = session.rows_of("ledger_failing", _lanes(room.lanes), now=room.now, page=room.limit + len(room.busy))
    return [_entry(row[1:]) for row in sorted(row for row in found if row[1] not in room.busy)[: room.limit]]


def _lanes(lanes: Iterable[Lane]) -> list[tuple[int]]:
    return [(int(lane),) for lane in sorted(set(lanes))]


def _entry(row: Sequence[Any]) -> Entry:
    key, first_revision, revision, since, lane, attempts, confirm, late_until, approved = row
    return Entry(key, first_revision, revision, since, Lane(lane), attempts, bool(confirm), late_until, bool(approved))


def mark(session: Session, keys: Sequence[OrderKey]) -> None:
    """From now on a request may be on its way for these."""
    session.run("ledger_mark", keys=[*keys])


def settle(session: Session, settlements: Sequence[Settlement]) -> None:
    """Take entries out, leave their newer part, or put them back for later."""
    done = [(one.entry.key, one.entry.revision) for one in settlements if one.again is None]
    session.run_rows("ledger_leave", done)
    session.run_rows("ledger_stay", done)
    later = [(one.entry.key, one.again) for one in settlements if one.again is not None]
    session.run_rows("ledger_set_since", [(key, again.since) for key, again in later if again.since is not None])
    session.run_rows(
        "ledger_again",
        [(key, again.due, again.attempts, again.confirm, again.late_until, again.approved) for key, again in later],
    )


def hasten(session: Session, limit: int, most_attempts: int | None) -> bool:
    """Make up to `limit` entries of each kind due at once, but not those that only wait until nothing can land late any
    more. False when that was all."""
    most = MOST_ATTEMPTS if most_attempts is None else most_attempts
    failing = session.changed("ledger_hasten_failing", lanes=_LANES, most_attempts=most, limit=limit)
    delayed = session.changed("ledger_hasten_delayed", lanes=_LANES, limit=limit)
    return limit in (failing, delayed)


def next_due(session: Session, busy: frozenset[OrderKey], *, failed: bool) -> float | None:
    """The earliest due time of what isn't busy, 0 for at once. `failed`: of what failed, or else of the others."""
    name = "ledger_earliest_failing" if failed else "ledger_earliest"
    rows = session.rows_of(name, _lanes(Lane), page=len(busy) + 1)
    return min((due for key, due in rows if key not in busy), default=None)


def _add_lookups(session: Session, arrivals: Iterable[Arrival]) -> None:
    """Each is of the arrival's own transaction: only `revision` counts."""
    merged: dict[tuple[str, str], tuple[int, int, float, float]] = {}
    for arrival in arrivals:
        for lookup in arrival.lookups:
            name = (lookup.route, _text(lookup))
            first, latest, since, _ = merged.get(name, (arrival.revision, arrival.revision, arrival.since, 0.0))
            merged[name] = (first, max(latest, arrival.revision), min(since, arrival.since), arrival.since)
    session.run_rows("lookup_arrive", [(*name, *row) for name, row in sorted(merged.items())])


def oldest_lookups(session: Session, limit: int, *, begun: bool, without: Collection[str]) -> list[PendingLookup]:
    """Of those whose walk has begun, or of the others: the one that waits longest, and others of the same route at the
    same cursor. `without`: routes that are passed over."""
    name = "lookup_oldest_begun" if begun else "lookup_oldest_unread"
    first = session.row(name, without=list(without))
    if first is None:
        return []
    route, cursor = first
    rows = session.rows("lookup_together", route=route, cursor=cursor, limit=limit)
    return [
        PendingLookup(Lookup(route, tuple(orjson.loads(columns))), first_revision, revision, since, cursor or None)
        for columns, first_revision, revision, since in rows
    ]


def resolved(session: Session, lookups: Sequence[PendingLookup], cursor: str | None) -> None:
    """Go on after `cursor`, or end the walk: forget what was walked, start again what changed meanwhile."""
    taken = [(pending.lookup.route, _text(pending.lookup), pending.revision) for pending in lookups]
    if cursor is not None:
        session.run_rows("lookup_continue", [(*row, cursor) for row in taken])
        return
    session.run_rows("lookup_finish", taken)
    session.run_rows("lookup_restart", taken)


def _text(lookup: Lookup) -> str:
    return orjson.dumps(lookup.values).decode()
