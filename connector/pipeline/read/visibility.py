"""Invariant 4: an order is settled only by a snapshot that shows every transaction that affected it.

Logical decoding delivers a commit before other sessions can see it, so "the stream said so" isn't enough. This module
remembers the commits that no snapshot has shown yet. It must not know why an order is looked at.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from connector.model.changes import Snapshot
from connector.pipeline.ports.entries import Commit
from connector.pipeline.ports.store import CheckpointStore


@dataclass(frozen=True, slots=True)
class HiddenCommits:
    """Revisions (ascending) of commits that one snapshot didn't show."""

    revisions: tuple[int, ...] = ()

    def touches(self, first: int, last: int) -> bool:
        """True when some hidden commit lies in `first..last`: whoever waits for that range must look again."""
        at = bisect_left(self.revisions, first)
        return at < len(self.revisions) and self.revisions[at] <= last


class Visibility:
    """The commits that no snapshot has shown yet, in memory and in the ledger.

    Use: `before = unseen()`, then take the snapshot, then `hidden_from(snapshot, before)`. A commit that is missing
    from `before` was either seen by an older snapshot, thus by this one too, or arrived later, thus with a revision
    that the entries taken before it don't have.
    """

    def __init__(self, store: CheckpointStore) -> None:
        self._store = store
        self._unseen: dict[int, Commit] = {}
        self._to_forget: list[int] = []
        self.checked_at = 0.0

    async def load(self) -> None:
        self._unseen = {commit.revision: commit for commit in await self._store.unseen()}

    def arrived(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            self._unseen[commit.revision] = commit

    def unseen(self) -> tuple[Commit, ...]:
        return tuple(self._unseen.values())

    def hidden_from(self, snapshot: Snapshot, before: Sequence[Commit]) -> HiddenCommits:
        hidden: list[int] = []
        for commit in before:
            if not snapshot.shows(commit.xid, commit.end_lsn):
                hidden.append(commit.revision)
            elif self._unseen.pop(commit.revision, None) is not None:
                self._to_forget.append(commit.revision)
        hidden.sort()
        return HiddenCommits(tuple(hidden))

    async def forget_seen(self) -> None:
        """Take the seen commits out of the store: not urgent, since seeing a commit twice does no harm."""
        if self._to_forget:
            revisions = [*self._to_forget]
            await self._store.seen(revisions)
            del self._to_forget[: len(revisions)]

    async def forget_all(self) -> None:
        """Another history: these commits are none on the server that is read now, and no snapshot would ever show
        them."""
        self._to_forget += self._unseen
        self._unseen.clear()
        await self.forget_seen()

    def __len__(self) -> int:
        return len(self._unseen)
