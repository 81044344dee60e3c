"""The port to the checkpoint store, in the pipeline's own words. No behaviour."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from connector.model.orders import Members, OrderKey, Place
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.entries import Arrival, Commit, PendingLookup, Room
from connector.pipeline.ports.holds import Hold, HoldKind, HoldState, HoldSummary
from connector.pipeline.ports.records import (
    DeadLetter,
    Endpoint,
    Known,
    LetterGroup,
    Rebinding,
    Settlement,
    Sweep,
    Taken,
    Tally,
    Venture,
    Warned,
)


class CheckpointStore(Protocol):
    """The checkpoint store. `durable` commits survive a power cut; the rest survive a kill -9. All raise
    CheckpointsUnwritable. `heartbeat` beats with every action that is begun, and rests when none is under way."""

    @property
    def heartbeat(self) -> Heartbeat: ...

    async def arrive(
        self,
        arrivals: Sequence[Arrival],
        commits: Sequence[Commit],
        sweep: Sweep | None = None,
        room: Room | None = None,
    ) -> Taken:
        """Add to the ledger (merging with what waits there), remember the commits as unseen, store the sweep's state if
        given, and take what is due then, as far as there is room: one durable commit."""
        ...

    async def take(self, room: Room) -> Taken:
        """The next due entries, by lane, then oldest first (of those that failed, those due earliest first); durably
        marked as in flight."""
        ...

    async def settle(self, settlements: Sequence[Settlement], room: Room | None = None) -> Taken | None:
        """Write what became of orders, then take what is due, as far as there is room. None: that can't be written
        although the settlements could."""
        ...

    async def hasten(self, most_attempts: int | None = None) -> None:
        """Redo answers again: every entry that was backing off is due at once; with `most_attempts` only those that
        spent no more."""
        ...

    async def known(self, keys: Sequence[OrderKey]) -> Known: ...

    async def keys_of(self, order_ids: Sequence[str]) -> Mapping[str, tuple[OrderKey, ...]]:
        """Keys of the orders that are known by these ids at Redo: accepted, left there, refused or held."""
        ...

    async def row_digests(self, keys: Sequence[OrderKey]) -> Mapping[OrderKey, bytes]:
        """By what the rows of those orders are known that Redo holds as it accepted them last, and of which nothing
        else is to be done: not missing, not doubted, without ledger entry, dead letter, leftover or hold."""
        ...

    async def owners(self, places: Sequence[Place]) -> Mapping[Place, tuple[OrderKey, ...]]:
        """Which orders' checkpoints (not missing) are at each place: two keys at most, enough to find another's."""
        ...

    async def line_item_owners(self, line_items: Sequence[int]) -> Mapping[int, tuple[OrderKey, ...]]:
        """Which orders' checkpoints have each line item: two keys at most, which is enough to find another's."""
        ...

    async def payload(self, key: OrderKey, place: Place) -> bytes | None:
        """The body that Redo accepted for an order at a place (its checkpoint's or a leftover), None when none was kept
        or none of the keys opens it."""
        ...

    async def endpoints(self) -> list[Endpoint]:
        """All that orders were ever pushed to, by store and URL."""
        ...

    async def rebind(self, rebinding: Rebinding) -> None:
        """At start: park what the endpoints accepted that are left (checkpoints, leftovers, payloads, line items, dead
        letters), bring back what those accepted that are come to, end all holds, forget the finished sweeps. What is
        remembered where no endpoint is yet is taken to be of these. Asked twice, it changes nothing the second time.
        One durable commit."""
        ...

    async def doubt_parked(self) -> None:
        """The endpoints that aren't active may have accepted newer orders than is remembered. Durable."""
        ...

    async def approve_endpoints(self) -> None:
        """Orders may go to the active endpoints. Durable."""
        ...

    async def open_hold(self, kind: HoldKind, cause: str, now: float) -> Hold:
        """A new hold, gathering. Durable."""
        ...

    async def holds(self) -> list[Hold]:
        """All that hold an order, or are gathering, oldest first."""
        ...

    async def mark_hold(self, number: int, state: HoldState) -> None: ...

    async def summarise(self, number: int, samples: int) -> HoldSummary | None:
        """None when there is no such hold."""
        ...

    async def release(self, number: int, arrival: Arrival, limit: int) -> int:
        """Move up to `limit` orders of a hold into the ledger, as the arrival says (its keys don't count), spread over
        the hold rather than the first ones. Returns how many; a hold that is empty then is gone. Durable."""
        ...

    async def warned(self, limit: int) -> list[Warned]:
        """The latest first."""
        ...

    async def letter_groups(self) -> list[LetterGroup]:
        """Dead letters by reason and cause, the largest group first."""
        ...

    async def letter_keys(self, group: str | None, after: OrderKey | None, limit: int) -> list[OrderKey]:
        """Keys of the dead letters of a group, or of all, in key order."""
        ...

    async def sweeps(self, limit: int) -> list[Sweep]:
        """Finished sweeps, the latest first. `save_sweep` of a finished one adds it; the store keeps some hundreds."""
        ...

    async def take_lookups(self, limit: int, *, wide: bool, without: Collection[str] = ()) -> list[PendingLookup]:
        """The next lookups, oldest first, all of one route and one cursor. Nothing is marked: one resolver for `wide`
        ones (a page was read: cursor not None) and one for the others. `without`: routes that are passed over."""
        ...

    async def enroll(self, members: Mapping[OrderKey, Members], ventures: Sequence[Venture] = ()) -> None:
        """Before orders are pushed, which stay in work: add their child rows to the reverse index, removing none, and
        leftovers with their payloads. One durable commit."""
        ...

    async def enrolled(self, index: str, rows: Sequence[str], after: OrderKey | None, limit: int) -> list[OrderKey]:
        """Orders that the reverse index names for any of the rows, in the store's own order of keys after a key."""
        ...

    async def forget_indexes(self, keep: frozenset[str]) -> None:
        """Remove all members of reverse indexes of other names, which the mapping no longer has: gone for `enrolled` at
        once and durably, removed from the file bit by bit, so that other calls get in between. After a kill the next
        call goes on."""
        ...

    async def resolved(self, lookups: Sequence[PendingLookup], arrival: Arrival | None, cursor: str | None) -> None:
        """Store the keys found and, when `cursor` is None, forget the lookups as they were taken; else remember the
        cursor. A lookup that arrived anew since it was taken stays, from the start. One durable commit."""
        ...

    async def unseen(self) -> list[Commit]:
        """Commits that no snapshot has shown yet."""
        ...

    async def seen(self, revisions: Sequence[int]) -> None: ...

    async def sweep(self) -> Sweep | None: ...

    async def save_sweep(self, sweep: Sweep) -> None: ...

    async def page_checkpoints(self, after: OrderKey | None, limit: int) -> list[OrderKey]:
        """Keys of checkpoints not marked missing, in the store's own order."""
        ...

    async def late_until(self) -> float | None:
        """Until when a request of any order in the ledger may still be carried out late; None: there is none."""
        ...

    async def retire_all(self, shape: int) -> None:
        """Every key that is stored becomes a former one, of the `shape`th change of the key's shape. Checkpoints,
        leftovers, payloads, line items and warnings stay, by the former keys; an order that a request without an answer
        was about has no fingerprint from then on, and a checkpoint at one of its leftovers if it had none. Ledger,
        lookups, dead letters, holds and the reverse index are emptied: to be called once a sweep over all orders is
        stored. Durable; in steps, and after a kill the next call goes on."""
        ...

    async def retire(self, keys: Sequence[OrderKey], shape: int) -> None:
        """The same for these keys alone, which are in work: their ledger entries stay as they are. Durable."""
        ...

    async def take_over(self, claims: Mapping[OrderKey, Place], busy: frozenset[OrderKey]) -> frozenset[OrderKey]:
        """Orders by key, and where their documents belong. What is stored by a former key at such a place is the
        order's from now on, unless it has a checkpoint of its own, or the former one is among `busy` or waits until
        nothing can land late any more. Returns the orders that have taken something over. Durable."""
        ...

    async def recover(
        self, *, late_until: float | None = None, now: float | None = None, longest: float | None = None
    ) -> int:
        """At start: what was in flight when the process died must be confirmed, and may still land until `late_until`.
        The last run's clock may have been ahead of this one's: nothing waits longer than until `longest`, and what
        waits has waited since `now` at least (seconds since 1970, None: as it is). Returns the highest revision
        used."""
        ...

    async def note(self, name: str, value: str) -> None:
        """Remember a small named fact (mapping fingerprint, stream position), durably."""
        ...

    async def noted(self, name: str) -> str | None: ...

    async def tally(self) -> Tally: ...

    async def dead_letters(self, after: OrderKey | None, limit: int) -> list[DeadLetter]: ...

    async def next_due(self, busy: frozenset[OrderKey], *, failing: bool = False) -> float | None:
        """When the earliest entry falls due, None when nothing waits. `failing`: as `take`."""
        ...

    async def close(self) -> None: ...
