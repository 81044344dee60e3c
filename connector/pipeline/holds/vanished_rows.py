"""Whether an order that the mapping no longer gives was deleted, or its rows have only vanished.

Once the tables, policies, views or the server behind the mapping are otherwise than they were, what is missing may be
hidden, detached or never have been. From then on, until every order was compared in the new state, a missing order
counts as deleted only if the stream has shown the DELETE of its own row. It must not know how orders are read, nor how
one is removed.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Final

import structlog

from connector.model.orders import OrderKey
from connector.pipeline.context import Context
from connector.pipeline.ports.entries import Entry
from connector.pipeline.ports.records import SweepKind
from connector.pipeline.sweeps.state import Sweeps

log = structlog.get_logger("connector.evidence")

DOUBT_NOTE: Final = "rows_may_have_vanished"
KEPT: Final = 100_000
"""Of the latest deletes, so many are known; of one that isn't, the order waits for approval."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why rows may have vanished. `sweep`: the revision of the comparison that ends it, None while none was asked for.
    `through`: it is over, and what came into the ledger up to this revision is doubtful still."""

    cause: str
    sweep: int | None = None
    through: int | None = None
    begun: int = 0
    """The ledger's last revision as it began."""


class VanishedRows:
    """`doubt` before anything is read in the new state."""

    def __init__(self, context: Context, sweeps: Sweeps) -> None:
        self._store = context.store
        self._revisions = context.revisions
        self._sweeps = sweeps
        self._doubt: Doubt | None = None
        self._others_ask = False
        self._deleted: OrderedDict[OrderKey, None] = OrderedDict()

    async def load(self) -> None:
        noted = await self._store.noted(DOUBT_NOTE)
        self._doubt = None if noted is None else Doubt(**json.loads(noted))

    @property
    def cause(self) -> str:
        return "" if self._doubt is None else self._doubt.cause

    @property
    def comparison_needed(self) -> bool:
        """A comparison is needed, and nobody else is about to ask for it."""
        doubt = self._doubt
        return doubt is not None and doubt.sweep is None and not self._others_ask

    async def doubt(self, cause: str, *, asks: bool = False) -> None:
        """From now on, durably, what is missing may have vanished. `asks`: who calls asks for the comparison, and says
        so to `ends_with`."""
        over = self._doubt is None or self._doubt.through is not None or self._doubt.sweep is not None
        self._others_ask = asks and (over or self._others_ask)
        if not asks:  # who asks tells it, too
            log.warning("rows_may_have_vanished", cause=cause, next="every order is compared; what is missing is held")
        await self._write(Doubt(cause, begun=self._revisions.last))

    async def checkpoints_return(self) -> None:
        """Checkpoints are about to come back that took no part in what was found meanwhile, or what was held is about
        to be judged anew."""
        if await self._store.noted(DOUBT_NOTE) is not None:
            await self.doubt("another address or store of Redo counts now, and rows may have vanished before")

    async def ends_with(self, revision: int) -> None:
        """The comparison of this revision, or a later one, looks at every order in the new state."""
        if self._doubt is not None and self._doubt.through is None:
            self._others_ask = False
            await self._write(replace(self._doubt, sweep=revision))

    async def doubt_and_compare(self, cause: str) -> None:
        """What is missing may have vanished, and every order must be compared."""
        await self.doubt(cause)
        if self._doubt is not None and self._doubt.sweep is None:
            await self.ends_with(await self._sweeps.ask(self._doubt.cause, SweepKind.RECONCILE))

    async def reading_was_void(self, cause: str) -> None:
        """A reading was void. Until it is known what has become of the orders, none counts as deleted."""
        if self._doubt is None or self._doubt.through is not None:
            await self.doubt_and_compare(cause)

    async def compared(self, revision: int) -> None:
        """The comparison of this revision has looked at every order."""
        doubt = self._doubt
        if doubt is not None and doubt.through is None and doubt.sweep is not None and revision >= doubt.sweep:
            await self._write(replace(doubt, through=self._revisions.last))

    def record_rows(self, deleted: Iterable[OrderKey], written: Iterable[OrderKey]) -> None:
        """The stream shows that the orders' own rows were deleted; or were inserted or updated."""
        for key in deleted:
            self._deleted[key] = None
            self._deleted.move_to_end(key)
        for key in written:
            self._deleted.pop(key, None)
        while len(self._deleted) > KEPT:
            self._deleted.popitem(last=False)

    def forget_deletes(self) -> None:
        """What the stream showed may never have happened on the server that is read now."""
        self._deleted.clear()

    def deleted(self, key: OrderKey) -> bool:
        """The stream has shown it, and nothing written since."""
        return key in self._deleted

    def why_doubtful(self, entry: Entry) -> str | None:
        """Why it isn't known that the order was deleted; None when its absence counts."""
        doubt = self._doubt
        if doubt is None or entry.key in self._deleted:
            return None
        # Nothing affected an order with revision 0: it was put there to be pushed again.
        first = entry.first_revision or entry.revision
        return doubt.cause if doubt.through is None or first <= doubt.through else None

    def approval_covers(self, entry: Entry) -> bool:
        """Whether an approval of the entry is one of its removal too: none from before the rows may have vanished is,
        since it was of something else."""
        return self._doubt is None or entry.key in self._deleted or entry.first_revision > self._doubt.begun

    async def _write(self, doubt: Doubt) -> None:
        text = json.dumps(asdict(doubt), separators=(",", ":"))
        self._doubt = doubt
        await self._store.note(DOUBT_NOTE, text)
