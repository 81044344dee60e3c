"""The lookups of the store in memory: the same answers as the SQL of `walks`, in a dictionary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import orjson

from connector.model.orders import Lookup
from connector.pipeline.ports.entries import Arrival, PendingLookup


@dataclass(slots=True)
class _Walk:
    """A lookup that waits, and the revision its present walk began with."""

    pending: PendingLookup
    latest_since: float
    revision: int | None = None


class WalkRows:
    """Lookups that wait to be resolved."""

    def __init__(self) -> None:
        self._walks: dict[Lookup, _Walk] = {}

    def __len__(self) -> int:
        return len(self._walks)

    def moments(self) -> list[float]:
        """Since when each waits."""
        return [walk.pending.since for walk in self._walks.values()]

    def arrive(self, arrival: Arrival) -> None:
        for lookup in arrival.lookups:
            if walk := self._walks.get(lookup):
                revision = max(walk.pending.revision, arrival.revision)
                since = min(walk.pending.since, arrival.since)
                walk.pending = replace(walk.pending, revision=revision, since=since)
                walk.latest_since = arrival.since
            else:
                pending = PendingLookup(lookup, arrival.revision, arrival.revision, arrival.since, None)
                self._walks[lookup] = _Walk(pending, arrival.since)

    def oldest(self, limit: int, *, begun: bool) -> list[PendingLookup]:
        waiting = sorted(
            (walk.pending for walk in self._walks.values() if (walk.pending.cursor is not None) is begun),
            key=lambda pending: (pending.first_revision, pending.lookup.route, orjson.dumps(pending.lookup.values)),
        )
        together = (
            pending
            for pending in waiting
            if (pending.lookup.route, pending.cursor) == (waiting[0].lookup.route, waiting[0].cursor)
        )
        return list(islice(together, limit))

    def forget(self) -> None:
        """All of them."""
        self._walks.clear()

    def resolved(self, lookups: Sequence[PendingLookup], cursor: str | None) -> None:
        for taken in lookups:
            walk = self._walks.get(taken.lookup)
            if walk is None:
                continue
            begun = taken.revision if walk.revision is None else walk.revision
            if cursor is not None:
                walk.revision = begun
                walk.pending = replace(walk.pending, cursor=cursor)
            elif walk.pending.revision <= begun:
                del self._walks[taken.lookup]
            else:
                walk.revision = None
                walk.pending = replace(walk.pending, first_revision=begun + 1, since=walk.latest_since, cursor=None)
