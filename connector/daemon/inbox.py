"""Carries out what commands left in the inbox, on the running pipeline. Between the rooms, like `app`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

import structlog

from connector.checkpoints.address import Address
from connector.checkpoints.opening import open_requests
from connector.checkpoints.requests import Inbox as Requests
from connector.checkpoints.requests import Request
from connector.model.errors import CheckpointsUnwritable, ConnectorError
from connector.model.orders import OrderKey
from connector.pipeline.control import Control
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.records import Sweep, SweepKind
from connector.status.ports import Asked

log = structlog.get_logger("connector.daemon.inbox")

EVERY: Final = 0.3
"""Seconds between two looks into the inbox."""


class Inbox:
    """`address`: of the checkpoints; a store in memory has no inbox. Nothing is taken from it before `prepared`."""

    def __init__(self, address: Address, control: Control, prepared: asyncio.Event) -> None:
        self._requests = None if address.in_memory else open_requests(address)
        self._control = control
        self._prepared = prepared
        self._tasks: set[asyncio.Task[None]] = set()
        self.heartbeat = Heartbeat("inbox", "looking for what commands asked")

    async def start(self, stack: AsyncExitStack) -> None:
        """Look in the background until the stack closes. What a former run had begun is carried out again."""
        if self._requests is None:
            return
        await asyncio.to_thread(self._requests.recover)
        self._tasks.add(asyncio.create_task(self._watch(self._requests), name="inbox"))
        stack.push_async_callback(self._end)

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._requests is not None:
            self._requests.close()

    async def _watch(self, requests: Requests) -> None:
        with self.heartbeat.resting():
            await self._prepared.wait()
        while True:
            self.heartbeat.beat()
            try:
                while await asyncio.to_thread(requests.waiting):
                    request = await asyncio.to_thread(requests.next)
                    if request is None:
                        break
                    task = asyncio.create_task(self._carry_out(requests, request))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
            except ConnectorError as error:
                log.warning("inbox_unusable", problem=str(error))
                with self.heartbeat.resting():
                    await asyncio.sleep(10 * EVERY)
            with self.heartbeat.resting():
                await asyncio.sleep(EVERY)

    async def _carry_out(self, requests: Requests, request: Request) -> None:
        log.info("request", number=request.number, verb=request.verb)
        try:
            message = await self._do(requests, request)
        except ConnectorError as error:
            await self._finish(requests, request, ok=False, message=str(error))
        else:
            ok = message is not None
            await self._finish(requests, request, ok=ok, message=message or "this version knows no such request")

    async def _finish(self, requests: Requests, request: Request, *, ok: bool, message: str) -> None:
        log.info("request_finished", number=request.number, verb=request.verb, ok=ok, result=message)
        try:
            await asyncio.to_thread(requests.finish, request.number, ok, message)
        except CheckpointsUnwritable as error:
            log.warning("inbox_unusable", problem=str(error))

    async def _do(self, requests: Requests, request: Request) -> str | None:
        """What came of it; None for a verb that isn't known."""
        arguments = request.arguments
        match request.verb:
            case "redrive" | "resend":
                return f"{_orders(await self._resend(requests, request))} on the way to Redo"
            case "set-aside":
                return await self._set_aside(arguments)
            case "approve":
                return await self._approve(arguments)
            case "pause":
                begun = await self._control.pause()
                return "delivery to Redo is paused" if begun else "delivery to Redo was paused already"
            case "resume":
                ended = await self._control.resume()
                return "delivery to Redo goes on" if ended else "delivery to Redo was not paused"
            case "reconcile":
                return await self._sweep(requests, request, SweepKind.RECONCILE)
            case "backfill":
                return await self._sweep(requests, request, SweepKind.BACKFILL)
        return None

    async def _resend(self, requests: Requests, request: Request) -> int:
        arguments = request.arguments
        if "keys" in arguments:
            return await self._control.resend([OrderKey(key) for key in arguments["keys"]])
        group = arguments.get("group")
        total = await self._control.letters(group)

        async def told(so_far: int) -> None:
            await asyncio.to_thread(requests.progress, request.number, so_far, max(so_far, total))

        return await self._control.redrive(group, told)

    async def _set_aside(self, arguments: Mapping[str, Any]) -> str:
        if self._control.paused:
            raise ConnectorError("delivery is paused by hand: `redo-connector resume`, then ask again")
        if "keys" in arguments:
            aside = await self._control.set_aside([OrderKey(key) for key in arguments["keys"]])
        else:
            aside = await self._control.set_aside_group(arguments["group"])
        return f"{_orders(aside)} set aside until a change or a redrive" if aside else "none of them fails any more"

    async def _approve(self, arguments: Mapping[str, Any]) -> str:
        released = await self._control.approve(arguments["hold"], arguments.get("limit"))
        if released is None:
            return f"hold {arguments['hold']} is gone: nothing waits there any more"
        return f"{_orders(released)} on the way to Redo"

    async def _sweep(self, requests: Requests, request: Request, kind: SweepKind) -> str:
        if self._control.paused:
            raise ConnectorError("delivery is paused by hand: `redo-connector resume`, then ask again")
        resend = bool(request.arguments.get("resend"))
        revision = await self._control.sweep(kind, resend=resend)
        while (done := self._control.finished(revision)) is None:
            await asyncio.sleep(EVERY)
            walked, total = self._control.progress()
            await asyncio.to_thread(requests.progress, request.number, walked, total)
        return f"{done.scanned:,} orders looked at and pushed again, equal or not" if resend else _found(done)


class Desk:
    """Where the status page leaves what a person asks for: the same inbox as the commands'."""

    def __init__(self, address: Address) -> None:
        """Raises ConfigurationError for a store in memory."""
        self._requests = open_requests(address)

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> int:
        return await asyncio.to_thread(self._requests.ask, verb, arguments, time.time())

    async def get(self, number: int) -> Asked | None:
        found = await asyncio.to_thread(self._requests.get, number)
        return None if found is None else Asked(found.number, found.verb, found.state.value, found.message)

    def close(self) -> None:
        self._requests.close()


def _orders(number: int) -> str:
    return "1 order is" if number == 1 else f"{number:,} orders are"


def _found(sweep: Sweep) -> str:
    found = f"{sweep.missed:,} missed, {sweep.changed:,} changed, {sweep.extra:,} extra"
    held = f"; {sweep.held:,} wait for approval" if sweep.held else ""
    return f"{sweep.scanned:,} orders compared: {found}{held}"
