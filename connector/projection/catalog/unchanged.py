"""Whether what a reading stood on is as it was when the mapping was analysed.

To be asked on the reading's own session in a later snapshot: DDL that the reading had to wait for shows there, also
when the reading's own snapshot is from before. What was altered without a difference to any row (a GRANT, a TRUNCATE, a
new partition) makes it be read again; anything else makes it void, until the mapping was analysed anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from connector.model.errors import ReadingVoid
from connector.projection.catalog.dependencies import Ask, Basis, State, difference, other_history


async def _nobody_asks(_: str) -> None:
    return None


class Unchanged:
    """`stamp` and `state`: what the latest look saw. Between two looks with the same stamp nothing was altered."""

    def __init__(self, basis: Basis) -> None:
        self._dependencies = basis.dependencies
        self._timeline = basis.state["timeline"]
        self._unfiltered = basis.unfiltered
        self.state: State = basis.state
        self.stamp = basis.stamp
        self.doubt: Callable[[str], Awaitable[None]] = _nobody_asks
        """Told, before anything is read again, why rows may never have been."""

    async def since(self, stamp: str, ask: Ask) -> bool:
        """Whether a reading that was begun when the stamp was seen counts; if not, one that is begun now may. Raises
        ReadingVoid."""
        seen, timeline = await self._dependencies.stamp(ask)
        before, self._timeline = self._timeline, timeline or self._timeline
        if (history := other_history(before, timeline)) is not None:
            await self.doubt(history)
            return False
        if seen == stamp:
            return True
        seen, state = await self._dependencies.read(ask)
        altered = difference(self.state, state)
        if altered is not None:
            raise ReadingVoid(altered)
        self._dependencies = replace(self._dependencies, guarded=state["guarded"])
        self.stamp, self.state = seen, state
        return False

    def differs(self, basis: Basis) -> bool:
        """A mapping that was analysed with this basis must be taken up in place of the present one."""
        return self._unfiltered != basis.unfiltered or difference(self.state, basis.state) is not None
