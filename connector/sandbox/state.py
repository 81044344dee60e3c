"""The sandbox's stores, clock and script, which tests read and change directly. No HTTP.

The state is also its main store; most sandboxes have no other.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connector.sandbox.faults.script import Script, steps_of
from connector.sandbox.store import Store

ALL: Final = "*"
"""Stands for every store where one is named."""


@dataclass(slots=True)
class State(Store):
    """The main store, others, and what they share.

    `clock` is monotonic (s); all waits use `sleep`. `wall`: seconds since 1970, for HTTP dates only. `chance` decides
    which requests fail by `error_rate`.
    """

    stores: dict[str, str] = field(default_factory=dict)
    """API secrets of the other stores by id; both may change at any time."""
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    wall: Callable[[], float] = time.time
    chance: random.Random = field(default_factory=random.Random)
    script: Script = field(default_factory=Script)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at shutdown: it ends all waits."""
    _others: dict[str, Store] = field(default_factory=dict)

    def now(self) -> float:
        return self.clock()

    def store(self, store_id: str) -> Store | None:
        """A store by its id, None when there is no such one."""
        if store_id == self.store_id:
            return self
        secret = self.stores.get(store_id)
        if secret is None:
            return None
        other = self._others.get(store_id)
        if other is None:
            other = self._others[store_id] = Store(store_id, secret, clock=self.now)
        other.api_secret = secret
        return other

    def all_stores(self) -> Iterator[Store]:
        """The main one first."""
        yield self
        for store_id in self.stores:
            if (other := self.store(store_id)) is not None and other is not self:
                yield other

    def knows(self, secret: str) -> bool:
        """Whether any store accepts the secret."""
        return any(secret in (store.switches.accept or (store.api_secret,)) for store in self.all_stores())

    def change(self, store_id: str | None, values: Mapping[str, Any]) -> str | None:
        """Set switches of one store, of all (`*`), or of the main one (None); what is wrong, or None."""
        if store_id == ALL:
            return next(filter(None, [store.switches.change(values) for store in self.all_stores()]), None)
        store = self if store_id is None else self.store(store_id)
        return "no such store" if store is None else store.switches.change(values)

    def play(self, steps: Sequence[Mapping[str, Any]]) -> None:
        """Begin a script (its form: `faults.script`) in place of the last one. Raises ValueError for a wrong one."""
        found = steps_of(list(steps), frozenset(store.store_id for store in self.all_stores()))
        if isinstance(found, str):
            raise ValueError(found)
        self.script.begin(found, self.clock())
        self.advance()

    def advance(self) -> None:
        """Carry out the script as far as it is due."""
        if self.script.steps:
            self.script.advance(self.clock(), self.change)

    async def pause(self, seconds: float) -> None:
        """Sleep, at most until the sandbox is closed."""
        if self.closed.is_set():
            return
        waits = {asyncio.ensure_future(self.sleep(seconds)), asyncio.ensure_future(self.closed.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def reset(self) -> None:
        """Forget what all stores hold and saw; switches and script stay."""
        for store in self.all_stores():
            Store.reset(store)
