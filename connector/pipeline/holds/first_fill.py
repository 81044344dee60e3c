"""A first fill of which nearly all is refused stops: the mapping is wrong then, or a setting, and not the orders.

Only while Redo has accepted nearly nothing of what is remembered. The rest of the sweep's orders goes into a hold
without having been read, until a person approves it, or the mapping or a setting that decides on orders has changed:
then all are looked at again. What the stream brings flows on. It must not know how an order is read or pushed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import blake2b
from typing import Final

from connector.model.orders import OrderKey
from connector.pipeline.context import Context
from connector.pipeline.deliveries import MAPPING, Settled
from connector.pipeline.holds.limits import nearly_all
from connector.pipeline.holds.open_holds import OpenHolds
from connector.pipeline.ports.entries import Arrival, Entry, Lane
from connector.pipeline.ports.holds import Held, Hold, HoldKind
from connector.pipeline.ports.records import Settlement
from connector.pipeline.sweeps.state import Sweeps

NOTE: Final = "first_fill"
"""Whether it was last held or approved, and the signature of what decided on orders then: a JSON list."""
HELD, APPROVED = "held", "approved"
FEW: Final = 300
"""Orders after which a first fill is judged."""
TAKEN: Final = FEW // 10
"""Once so many orders are fit, it isn't the mapping."""
ANSWERS: Final = 10
"""Answers of Redo's from which those are guessed that are still to come."""
CHANGED: Final = "the mapping, or a setting that decides on orders, changed after a first fill was held"
ADVICE: Final = (
    "mend the mapping (`redo-connector check`), every order is looked at again then; or let it go on "
    "(`redo-connector approve`)"
)
_REFUSED: Final = frozenset({"rejected", "invalid", "duplicate", MAPPING})
"""Reasons of dead letters that blame an order's data."""
_AT_ONCE: Final = 2_000


class FirstFill:
    """`written` is told of settlements, `sending` of pushes; `keep_back` takes out what isn't to be looked at."""

    def __init__(self, context: Context, holds: OpenHolds, sweeps: Sweeps, urls: Mapping[str, str]) -> None:
        """`urls`: where each store's orders are pushed to."""
        self._store = context.store
        self._clock = context.clock
        self._revisions = context.revisions
        self._tasks = context.tasks
        self._in_work = context.in_work
        self._deciders = (context.assembler, context.contract)
        self._holds = holds
        self._sweeps = sweeps
        self._urls = urls
        self._watching = False
        self._hold: Hold | None = None
        self._early: list[tuple[Entry, Callable[[Settled], None]]] | None = None
        """Kept back while the hold is being opened."""
        self._fit = self._accepted = self._rejected = 0
        self._causes: dict[OrderKey, str] = {}
        """Why orders were refused."""
        self._sent: set[OrderKey] = set()
        """Pushes that Redo hasn't answered yet."""

    async def load(self) -> bool:
        """At start, once holds and sweeps are known. Whether a walk over all orders was begun anew."""
        noted = await self._store.noted(NOTE)
        state, signature = json.loads(noted) if noted else ("", "")
        held = [hold for hold in await self._store.holds() if hold.kind is HoldKind.FIRST_FILL]
        same, off = signature == self._signature(), self._holds.limits.off
        if held and not (same and not off):
            await self._begin_anew(held)
        elif held:
            self._hold = held[-1]
        self._fit = (await self._store.tally()).checkpoints
        approved = same and state == APPROVED
        self._watching = self._hold is None and self._fit < TAKEN and not approved and not off
        return bool(held) and self._hold is None

    async def _begin_anew(self, held: Sequence[Hold]) -> None:
        """The walk is durable before the hold goes: a kill in between repeats it."""
        await self._sweeps.fill_anew(CHANGED)
        for hold in held:
            arrival = Arrival(self._revisions.next(), self._clock.now(), Lane.SWEEP)
            while await self._store.release(hold.number, arrival, _AT_ONCE):
                pass

    def sending(self, entry: Entry) -> None:
        """An order is about to be pushed."""
        if self._watches(entry):
            self._sent.add(entry.key)

    def written(self, settlements: Sequence[Settlement]) -> None:
        """What became of orders. One that is to be sent again counts as being sent still."""
        for one in settlements:
            if not self._watches(one.entry):
                continue
            key, letter, answered = one.entry.key, one.dead_letter, one.entry.key in self._sent
            if letter is not None and letter.reason in _REFUSED:
                self._causes[key] = letter.cause
                self._rejected += letter.reason == "rejected"
            elif one.checkpoint is not None or one.held is not None:
                self._fit += 1
                self._accepted += answered
            elif one.again is not None:
                continue
            self._sent.discard(key)
        self._judge()

    def _watches(self, entry: Entry) -> bool:
        return self._watching and entry.lane is Lane.SWEEP and not entry.approved

    def _judge(self) -> None:
        if not self._watching:
            return
        if self._fit >= TAKEN:
            self._end_watch()
            return
        answers = self._accepted + self._rejected
        guessed = len(self._sent) * self._rejected / answers if answers >= ANSWERS else 0
        looked_at = len(self._causes) + self._fit + len(self._sent)
        if looked_at >= FEW and nearly_all(len(self._causes) + guessed, looked_at):
            cause = self._cause()
            self._end_watch()
            self._early = []
            self._tasks.begin(self._stop(cause))

    def _end_watch(self) -> None:
        self._watching = False
        self._causes, self._sent = {}, set()

    def _cause(self) -> str:
        cause, orders = Counter(self._causes.values()).most_common(1)[0]
        refused = len(self._causes)
        return f"{refused:,} of the first {refused + self._fit:,} orders are refused, {orders:,} because {cause}"

    async def _stop(self, cause: str) -> None:
        await self._note(HELD)
        self._hold = hold = await self._holds.open(HoldKind.FIRST_FILL, cause)
        early, self._early = self._early or (), None
        for entry, settle in early:
            self._put(hold, entry, settle)

    def keep_back(self, entries: Sequence[Entry], settle: Callable[[Settled], None]) -> Sequence[Entry]:
        """Those of the entries that are to be looked at; the others go into the hold."""
        if self._hold is None and self._early is None:
            return entries
        others = []
        for entry in entries:
            if not self._is_new(entry):
                others.append(entry)
            elif self._hold is not None:
                self._put(self._hold, entry, settle)
            elif self._early is not None:
                self._early.append((entry, settle))
        return others

    def _put(self, hold: Hold, entry: Entry, settle: Callable[[Settled], None]) -> None:
        self._holds.joins(hold)
        settle(Settled(Settlement(entry, held=Held(hold.number, ("new",), entry.since)), None))

    def walked(self, left: Collection[int]) -> None:
        """No walk is on, and these holds are left: one that nothing is in any more keeps nothing back."""
        if self._hold is not None and self._hold.number not in left:
            self._hold = None

    def _is_new(self, entry: Entry) -> bool:
        """Only a sweep brought it, nobody has looked at it, and Redo has nothing of it."""
        known = self._in_work.remembered(entry.key)
        of_sweep = entry.lane is Lane.SWEEP and not entry.approved and not entry.attempts
        in_doubt = entry.confirm or entry.late_until is not None
        seen = known.checkpoint is not None or known.leftovers or known.dead_letter is not None
        return of_sweep and not in_doubt and not seen

    async def approve(self) -> None:
        """A person lets it go on, whatever is refused."""
        await self._note(APPROVED)
        self._hold = None

    @property
    def cause(self) -> str:
        """Why it is held, for people; empty where it isn't."""
        return "" if self._hold is None else self._hold.cause

    async def _note(self, state: str) -> None:
        await self._store.note(NOTE, json.dumps([state, self._signature()]))

    def _signature(self) -> str:
        assembler, contract = self._deciders
        parts = (assembler.fingerprint, contract.signature, sorted(self._urls.items()))
        return blake2b(repr(parts).encode(), digest_size=16).hexdigest()
