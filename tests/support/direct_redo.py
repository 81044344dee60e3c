"""The sandbox as the pipeline's `Redo`, without sockets: whole pipelines run in virtual time.

As with a server, a request whose client gave up goes on and may land late. As with the real client, answers become
outcomes by `connector.redo.answers`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from connector.model.orders import Order, Outcome, Place
from connector.redo.answers import Answer, deleted, pushed, unanswered
from connector.redo.redaction import Redactor
from connector.sandbox.app import Sandbox
from connector.sandbox.replies import Reply, Silence
from connector.sandbox.state import State


@dataclass(slots=True)
class Patience:
    """`lost`: the client waits no more."""

    lost: bool = False

    def gone(self) -> bool:
        return self.lost


class DirectRedo:
    """Satisfies `Redo` of `pipeline.ports` over a state. A state with the usual clock gets the running loop's.

    `timeout` (s) bounds the wait for each part of an answer, and half of the whole. `secrets`: what the client sends,
    by store; by default what the state's stores have when a request is made. `sandbox`: over the same state, when it
    isn't the usual one. `reachable = False`: no connection.
    """

    def __init__(
        self,
        state: State,
        timeout: float = 30.0,
        secrets: Mapping[str, str] | None = None,
        sandbox: Sandbox | None = None,
    ) -> None:
        self.state = state
        self.reachable = True
        self._sandbox = sandbox or Sandbox(state)
        self._timeout = timeout
        self._secrets = secrets
        self._working: set[asyncio.Task[Reply | None]] = set()

    @property
    def secrets(self) -> Mapping[str, str]:
        if self._secrets is not None:
            return self._secrets
        return {store.store_id: store.api_secret for store in self.state.all_stores()}

    def serves(self, store_id: str) -> bool:
        return store_id in self.secrets

    async def push(self, order: Order) -> Outcome:
        store_id = order.store_id or self.state.store_id
        got = await self._request(store_id, "POST", ["custom", "orders"], order.body)
        if isinstance(got, Outcome):
            return got
        return pushed(_answer(got), order.order_id, Redactor(order.body, tuple(self.secrets.values())))

    async def delete(self, place: Place) -> Outcome:
        got = await self._request(place.store_id or self.state.store_id, "DELETE", ["orders", place.order_id], b"")
        return got if isinstance(got, Outcome) else deleted(_answer(got))

    async def landed(self) -> None:
        """Until no request is at work at the sandbox any more, whether or not a client waits."""
        while self._working:
            await asyncio.wait(self._working)

    async def close(self) -> None:
        """The sandbox ends: whoever hangs lets go, and what is late lands at once."""
        self.state.closed.set()
        await self.landed()

    async def _request(self, store_id: str, method: str, path: list[str], body: bytes) -> Reply | Outcome:
        """A whole answer, or the outcome of not getting one."""
        if not self.serves(store_id):
            return unanswered("no_store")
        if not self.reachable:
            return unanswered("connect")
        loop = asyncio.get_running_loop()
        if self.state.clock is time.monotonic:
            self.state.clock = loop.time
        patience = Patience()
        header = f"Bearer {self.secrets[store_id]}".encode()
        work = loop.create_task(self._work(method, ["stores", store_id, *path], header, body, patience))
        self._working.add(work)
        work.add_done_callback(self._working.discard)
        try:
            async with asyncio.timeout(2 * self._timeout):
                return await self._received(work)
        except TimeoutError:
            return unanswered("timeout")
        finally:
            patience.lost = not work.done()

    async def _work(self, method: str, path: list[str], header: bytes, body: bytes, patience: Patience) -> Reply | None:
        """None: the connection was closed."""
        try:
            return await self._sandbox.answer(method, path, header, body, patience.gone)
        except Silence:
            return None

    async def _received(self, work: asyncio.Task[Reply | None]) -> Reply | Outcome:
        """Raises TimeoutError when a part is too long in coming."""
        async with asyncio.timeout(self._timeout):
            reply = await asyncio.shield(work)
        if reply is None or reply.half:
            return unanswered("cut")
        parts = len(reply.parts())
        for _ in range(parts if reply.drip else 0):
            async with asyncio.timeout(self._timeout):
                await self.state.pause(reply.drip / parts)
        return reply


def _answer(reply: Reply) -> Answer:
    headers = {"retry-after": reply.retry_after} if reply.retry_after is not None else {}
    return Answer(reply.status, headers, reply.body)
