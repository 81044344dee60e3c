"""Lookups that wait in the ledger: changed rows whose orders a query has yet to tell.

A lookup may lead to so many orders that it is walked in pages. A change that arrives during the walk starts another
one after it, not instead of it: a row that changes all the time would otherwise never reach its last order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson

from connector.checkpoints.engine import Session
from connector.model.orders import Lookup
from connector.pipeline.ports.entries import Arrival, PendingLookup


def arrive(session: Session, arrivals: Iterable[Arrival]) -> None:
    """Add lookups, merging with what waits. Each is of the arrival's own transaction: only `revision` counts."""
    merged: dict[tuple[str, str], tuple[int, int, float, float]] = {}
    for arrival in arrivals:
        for lookup in arrival.lookups:
            name = (lookup.route, _text(lookup))
            first, latest, since, _ = merged.get(name, (arrival.revision, arrival.revision, arrival.since, 0.0))
            merged[name] = (first, max(latest, arrival.revision), min(since, arrival.since), arrival.since)
    session.run_rows("lookup_arrive", [(*name, *row) for name, row in sorted(merged.items())])


def oldest(session: Session, limit: int, *, begun: bool) -> list[PendingLookup]:
    """Of those whose walk has begun, or of the others: the one that waits longest, and others of the same route at the
    same cursor."""
    first = session.row("lookup_oldest_begun" if begun else "lookup_oldest_unread")
    if first is None:
        return []
    route, cursor = first
    if begun:
        rows = session.rows("lookup_together_begun", route=route, cursor=cursor, limit=limit)
    else:
        rows = session.rows("lookup_together_unread", route=route, limit=limit)
    return [
        PendingLookup(Lookup(route, tuple(orjson.loads(columns))), first_revision, revision, since, cursor)
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
