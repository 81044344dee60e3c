"""Whether a query fails because of one order's data: only if others can be read in the same way at the same time.

A run-time error of the mapping may come from a row that every order's query computes (a CTE that is read twice, a
subquery for all orders). So before an order is set aside, another one is read as a control. When no other can be read
either, the mapping fails, no order is set aside, and the first of the controls that can be read again ends that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import suppress
from itertools import islice
from typing import Protocol

import structlog

from connector.model.errors import LimitExceeded, MappingFails, OrderUnreadable, SourceUnavailable
from connector.model.orders import Diagnosis, OrderKey
from connector.model.rows import Assembly
from connector.pipeline.context import Context
from connector.pipeline.read.visibility import HiddenCommits

log = structlog.get_logger("connector.pipeline")

KNOWN = 3
"""Orders that were read well lately: so many are tried."""
ENOUGH = 5
"""When so many others fail too, it is the mapping, even if no part of it is found that fails by itself."""
SEARCHED_AGAIN = 60.0
"""Seconds until what fails is looked for again while the mapping fails, then twice as long each time, ..."""
LONGEST = 3600.0
"""... up to so many; ..."""
SHARE = 20.0
"""... and never sooner than after so many times as long as the last search took."""
ADVICE = "mend that row, or let the mapping bear it; no order is blamed, and all go on by themselves once that is done"


class Read(Protocol):
    """One query for some orders."""

    async def __call__(
        self, keys: Sequence[OrderKey], largest: int | None, *, brief: bool = False
    ) -> tuple[Assembly, HiddenCommits]: ...


class ControlReads:
    """`read`: one query. `recovered`: called with the SQLSTATE once a failure of the mapping is over."""

    def __init__(self, context: Context, read: Read, recovered: Callable[[str], None]) -> None:
        self._assembler = context.assembler
        self._timer = context.clock.timer
        self._read = read
        self._recovered = recovered
        self._good: deque[OrderKey] = deque(maxlen=KNOWN)
        self._turn = 0
        self._searched = ""
        self._searched_at = self._rest = 0.0
        self._found: Diagnosis | None = None
        self.failing: MappingFails | None = None

    def succeeded(self, assembly: Assembly) -> None:
        """These orders were read, just now."""
        # One of each read, so that they have little in common.
        some = 1 if len(self._good) == KNOWN else KNOWN
        self._good.extend(key for key in islice(assembly.rows, some) if key not in self._good)
        if assembly.rows and self.failing is not None:
            ended, self.failing, self._rest = self.failing, None, 0.0
            log.info("mapping_works_again", sqlstate=ended.sqlstate)
            self._recovered(ended.sqlstate)

    async def blame(self, error: OrderUnreadable, keys: Sequence[OrderKey], largest: int | None) -> HiddenCommits:
        """Returns, with what the control's snapshot doesn't show, when the blame is among the keys; else raises
        MappingFails."""
        shown, failed = HiddenCommits(), 0
        async for key in self._others(keys):
            try:
                assembly, hidden = await self._read([] if key is None else [key], largest)
            except LimitExceeded:
                continue
            except OrderUnreadable:
                if key is None:
                    raise self._fails(error, await self._search(error.sqlstate)) from None
                failed += 1
                continue
            if key in assembly.rows or key in assembly.oversized:
                return hidden
            shown = hidden  # an order that isn't there proves little
        if failed:
            found = await self._search(error.sqlstate)
            if found is not None or failed >= ENOUGH:
                raise self._fails(error, found)
        return shown

    async def probe(self, keys: Sequence[OrderKey], largest: int | None) -> None:
        """Before anything is read while the mapping fails: one order, by turns one that could be read before and one of
        the asked. Raises MappingFails unless it can be read."""
        failing = self.failing
        if failing is None or not keys:
            return
        self._turn += 1
        known = [*self._good] if self._turn % 2 else []
        among = known or keys
        at = self._turn // 2 if self._good else self._turn
        key = among[at % len(among)]
        try:
            assembly, _ = await self._read([key], largest)
        except LimitExceeded:
            raise failing from None
        except OrderUnreadable as error:
            if self._timer() >= self._searched_at + self._rest:
                failing = self._fails(error, await self._search(error.sqlstate))
            raise failing from None
        if key not in assembly.rows and key not in assembly.oversized:
            raise failing

    async def within_limits(self, keys: Collection[OrderKey], error: LimitExceeded) -> None:
        """Whether others are read within the server's limits. Raises SourceUnavailable when not: then it is the
        database that is slow, and not the orders."""
        others = [key for key in self._good if key not in keys][-1:]
        if not others and len(keys) == 1:
            others = [key for key in await self._assembler.sample(KNOWN) if key not in keys][:2]
        for key in others:
            try:
                await self._read([key], None)
            except LimitExceeded:
                continue
            except OrderUnreadable:
                pass
            return
        if others:
            raise SourceUnavailable(f"the database can't read any order within its limits: {error}", error.hint)

    async def brief(self, keys: Collection[OrderKey]) -> bool:
        """Whether another order can be read in little time."""
        others = [key for key in self._good if key not in keys][-1:]
        try:
            for key in others:
                await self._read([key], None, brief=True)
        except (LimitExceeded, OrderUnreadable):
            return False
        return bool(others)

    async def _others(self, keys: Sequence[OrderKey]) -> AsyncIterator[OrderKey | None]:
        """Controls, those first that tell most. None: no order at all."""
        tried = set[OrderKey]() if len(keys) > 1 else {*keys}
        known = [key for key in self._good if key not in tried][::-1]
        some = keys[:: max(1, len(keys) // ENOUGH)][:ENOUGH] if len(keys) > 1 else ()
        for key in (*known, None, *some):
            yield key
        tried |= {*known, *some}
        with suppress(LimitExceeded, OrderUnreadable):
            for key in await self._assembler.sample(2 * ENOUGH):
                if key not in tried:
                    yield key

    def _fails(self, error: OrderUnreadable, found: Diagnosis | None) -> MappingFails:
        """What to say; from now on the mapping fails."""
        what = f"the mapping fails for every order that was tried: {error.cause}"
        if found is not None:
            what += f" in {found.part}"
            what += f", for the data of order {found.order}" if found.order is not None else ", for some row"
        before, self.failing = self.failing, MappingFails(what, error.sqlstate, None if found is None else found.order)
        if before is None or str(before) != what:
            log.error("mapping_fails", problem=what, next=ADVICE)
        return self.failing

    async def _search(self, sqlstate: str) -> Diagnosis | None:
        """What fails. Looked for at intervals."""
        began = self._timer()
        if sqlstate == self._searched and began < self._searched_at + self._rest:
            return self._found
        rest = min(LONGEST, 2 * self._rest) if self.failing is not None else 0.0
        try:
            self._found = await self._assembler.diagnose(sqlstate)
        except (LimitExceeded, OrderUnreadable):
            self._found = None  # that search's trouble, and no order's
        self._searched, self._searched_at = sqlstate, self._timer()
        least = SEARCHED_AGAIN if self.failing is not None else 0.0
        self._rest = max(rest, least, SHARE * (self._searched_at - began))
        return self._found
