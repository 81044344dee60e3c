"""What must hold at every moment of an order's life, checked where the pipeline meets its neighbours.

The witness outlives processes. It notes what is wrong instead of raising, because a pipeline may survive an error.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from connector.model.changes import Lsn
from connector.model.orders import Order, OrderKey, Outcome, OutcomeKind, Place
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.ports.entries import Arrival, Commit, Entry
from connector.pipeline.ports.records import Checkpoint, Settlement
from tests.system.life.oms import Oms, OmsRoutes


class Witness:
    def __init__(self, oms: Oms) -> None:
        self._oms = oms
        self.wrong: list[str] = []
        self.looks = 0
        """How often work was asked for."""
        self._accepted_at: defaultdict[int, dict[OrderKey, Checkpoint]] = defaultdict(dict)
        self.go(0)
        self._arrived: set[int] = set()
        self._newest: dict[str, str] = {}
        self.begin()

    def go(self, address: int) -> None:
        """Checkpoints are those of another Redo from now on."""
        self.checkpoints = self._accepted_at[address]

    def begin(self) -> None:
        """A new process: what the last one had in work is over."""
        self._in_work: set[OrderKey] = set()
        self._asked: defaultdict[OrderKey, list[Outcome]] = defaultdict(list)
        self._accepted: dict[OrderKey, tuple[Place, bytes]] = {}
        self._places: set[Place] = set()
        self._keys: set[str] = set()
        self._probing: set[str] = set()

    def require(self, fine: bool, wrong: str) -> None:
        if not fine:
            self.wrong.append(wrong)

    # The ledger.

    def arrived(self, arrivals: Sequence[Arrival], commits: Iterable[Commit]) -> None:
        self._arrived |= {commit.end_lsn for commit in commits}

    def acknowledged(self, position: Lsn) -> None:
        """Invariant 3."""
        for commit in self._oms.log:
            for part in commit.transactions:
                found = [OmsRoutes().affected(changes) for changes in part.changes]
                concerns = any(one.keys or one.lookups or one.sweep for one in found)
                if commit.end_lsn <= position and concerns:
                    known = part.commit_lsn + 1 in self._arrived
                    self.require(known, f"commit {commit.number} was acknowledged before it was in the ledger")

    def skip(self) -> None:
        """A slot was lost with what it had not delivered."""
        self._arrived |= {part.commit_lsn + 1 for commit in self._oms.log for part in commit.transactions}

    def took(self, entries: Sequence[Entry]) -> None:
        """Invariant 5: an order is in work once."""
        self.looks += 1
        for entry in entries:
            self.require(entry.key not in self._in_work, f"{entry.key} was taken while it was in work")
            self._in_work.add(entry.key)
            self._asked[entry.key].clear()

    def settling(self, settlement: Settlement) -> None:
        entry, again = settlement.entry, settlement.again
        key = entry.key
        self.require(key in self._in_work, f"{key} was settled without having been taken")
        self._in_work.discard(key)
        if again is not None and again.attempts > entry.attempts:
            failed = [outcome.kind for outcome in self._asked[key]]
            fine = not failed or failed[-1] in (OutcomeKind.UNAVAILABLE, OutcomeKind.UNKNOWN, OutcomeKind.REFUSED)
            self.require(fine, f"{key} spent an attempt on {failed}")
        if settlement.checkpoint is not None:
            self._check(settlement.checkpoint)
        if settlement.forget:
            self.checkpoints.pop(key, None)

    def _check(self, checkpoint: Checkpoint) -> None:
        """Invariant 2."""
        key, before = checkpoint.key, self.checkpoints.get(checkpoint.key)
        self.checkpoints[key] = checkpoint
        if self._accepted.pop(key, None) == (checkpoint.place, checkpoint.fingerprint):
            return
        marked = before is not None and checkpoint == replace(
            before,
            missing=checkpoint.missing,
            fingerprint=checkpoint.fingerprint and before.fingerprint,
            digest=checkpoint.digest and before.digest,
            row_digest=checkpoint.row_digest,
        )
        self.require(marked, f"the checkpoint of {key} is not what Redo accepted last")

    # Redo.

    def asking(self, place: Place, order: Order | None, admissions: StoreAdmissions) -> None:
        """A request begins."""
        self.require(place not in self._places, f"two requests are in flight for {place}")
        self._places.add(place)
        if admissions.of(place.store_id).pause is not None:
            self.require(place.store_id not in self._probing, "a second request is sent in a pause")
            self._probing.add(place.store_id)
        if order is None:
            return
        body = json.loads(order.body)
        key = key_of(body)
        self.require(key not in self._keys, f"two requests are in flight for {key}")
        self._keys.add(key)
        if not cancelled(body):
            older = body["updatedAt"] < self._newest.get(key, "")
            self.require(not older, f"{key} was pushed as it was before an earlier push")
            self._newest[key] = body["updatedAt"]

    def answered(self, place: Place, order: Order | None, outcome: Outcome | None) -> None:
        """It is over; `outcome` None: the client gave up."""
        self._places.discard(place)
        self._probing.discard(place.store_id)
        if order is None:
            return
        key = key_of(json.loads(order.body))
        self._keys.discard(key)
        if outcome is not None:
            self._asked[OrderKey(key)].append(outcome)
            if outcome.kind is OutcomeKind.ACCEPTED:
                self._accepted[OrderKey(key)] = (place, order.fingerprint)


def key_of(body: Any) -> str:
    """The order's key in the OMS, which the small mapping makes the customer's id."""
    return str(body["customer"]["id"])


def cancelled(body: Any) -> bool:
    return body.get("cancelledAt") is not None
