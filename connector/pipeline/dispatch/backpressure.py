"""When orders of sweeps and wide lookups may be added to the ledger: not before the dispatcher has room for them, so
that they never delay live changes, and never pile up."""

from __future__ import annotations

import asyncio


class Backpressure:
    """`wake` makes the dispatcher look whether there is room."""

    def __init__(self, wake: asyncio.Event) -> None:
        self._wake = wake
        self._room = asyncio.Event()
        self._drained = asyncio.Event()

    def has_room(self, *, drained: bool) -> None:
        """Nothing more is due, and more would fit; `drained`: nothing of a sweep is in work either."""
        self._room.set()
        if drained:
            self._drained.set()

    async def until_room(self) -> None:
        await self._until(self._room)

    async def until_drained(self) -> None:
        await self._until(self._drained)

    async def _until(self, event: asyncio.Event) -> None:
        event.clear()
        self._wake.set()
        await event.wait()
