"""Requests of commands and of the status page: left in the inbox, and carried out on the running pipeline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

import structlog

from connector.checkpoints import requests
from connector.checkpoints.address import Address
from connector.checkpoints.opening import open_requests
from connector.checkpoints.requests import Inbox, Request
from connector.daemon import request_arguments as arguments
from connector.daemon.leadership.term import Term
from connector.model.errors import CheckpointsUnwritable, ConnectorError
from connector.pipeline.control import Control
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.holds.manual_pause import Resumed
from connector.pipeline.ports.records import Sweep, SweepKind
from connector.status.ports import RequestStatus

log = structlog.get_logger("connector.inbox")

EVERY: Final = 0.3
"""Seconds between two looks into the inbox."""
_NAMES_NONE: Final = "the request names neither orders nor a group of dead letters: nothing was done; ask again"
_DEFECT: Final = (
    "it failed for a reason that nobody foresaw, a defect of the connector: its log says where; report that"
)


class RequestRunner:
    """`address`: of the checkpoints; a store in memory has no inbox. Nothing is taken from it before `prepared`."""

    def __init__(self, address: Address, control: Control, term: Term, prepared: asyncio.Event) -> None:
        self._inbox = None if address.in_memory else open_requests(address)
        self._control = control
        self._term = term
        self._prepared = prepared
        self._tasks: set[asyncio.Task[None]] = set()
        self.heartbeat = Heartbeat("inbox", "looking for what commands asked")

    async def start(self, stack: AsyncExitStack) -> None:
        """Look in the background until the stack closes. What a former run had begun is carried out again."""
        if self._inbox is None:
            return
        await asyncio.to_thread(self._inbox.recover)
        self._tasks.add(asyncio.create_task(self._watch(self._inbox), name="inbox"))
        stack.push_async_callback(self._end)

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._inbox is not None:
            self._inbox.close()

    async def _watch(self, inbox: Inbox) -> None:
        with self.heartbeat.resting():
            await self._prepared.wait()
        while True:
            self.heartbeat.beat()
            try:
                while await asyncio.to_thread(inbox.waiting):
                    request = await asyncio.to_thread(inbox.next)
                    if request is None:
                        break
                    task = asyncio.create_task(self._carry_out(inbox, request))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
            except ConnectorError as error:
                log.warning("inbox_unusable", problem=str(error))
                with self.heartbeat.resting():
                    await asyncio.sleep(10 * EVERY)
            with self.heartbeat.resting():
                await asyncio.sleep(EVERY)

    async def _carry_out(self, inbox: Inbox, request: Request) -> None:
        log.info("request", number=request.number, verb=request.verb)
        try:
            message = await self._do(inbox, request)
        except ConnectorError as error:
            await self._finish(inbox, request, ok=False, message=str(error))
        except Exception:  # the top of a task: unfinished, the request would be begun again at each start
            log.error("request_failed", number=request.number, verb=request.verb, exc_info=True)
            await self._finish(inbox, request, ok=False, message=_DEFECT)
        else:
            ok = message is not None
            await self._finish(inbox, request, ok=ok, message=message or "this version knows no such request")
            if ok and request.verb == "step-down":
                self._term.leaving.set()

    async def _finish(self, inbox: Inbox, request: Request, *, ok: bool, message: str) -> None:
        if ok:
            log.info("request_finished", number=request.number, verb=request.verb, ok=ok, result=message)
        else:
            log.warning("request_finished", number=request.number, verb=request.verb, ok=ok, result=message)
        try:
            await asyncio.to_thread(inbox.finish, request.number, ok, message)
        except CheckpointsUnwritable as error:
            log.warning("inbox_unusable", problem=str(error))

    async def _do(self, inbox: Inbox, request: Request) -> str | None:
        """What came of it; None for a verb that isn't known. Raises ConnectorError when it can't be carried out."""
        match request.verb:
            case "redrive" | "resend":
                return f"{_orders(await self._resend(inbox, request))} on the way to Redo"
            case "set-aside":
                return await self._set_aside(request)
            case "approve":
                return await self._approve(request)
            case "pause":
                begun = await self._control.pause()
                return "delivery to Redo is paused" if begun else "delivery to Redo was paused already"
            case "resume":
                return _resumed(await self._control.resume())
            case "reconcile":
                return await self._sweep(inbox, request, SweepKind.RECONCILE)
            case "backfill":
                return await self._sweep(inbox, request, SweepKind.BACKFILL)
            case "step-down":
                return await self._term.may_step_down()
            case requests.UNREADABLE:
                raise ConnectorError(request.message)
        return None

    async def _resend(self, inbox: Inbox, request: Request) -> int:
        keys = arguments.keys(request)
        if keys is not None:
            return await self._control.resend(keys)
        group = arguments.group(request)
        if group is None and request.arguments.get("all") is not True:
            raise ConnectorError(_NAMES_NONE)
        total = await self._control.letters(group)

        async def on_progress(so_far: int) -> None:
            await asyncio.to_thread(inbox.progress, request.number, so_far, max(so_far, total))

        return await self._control.redrive(group, on_progress)

    async def _set_aside(self, request: Request) -> str:
        keys, group = arguments.keys(request), arguments.group(request)
        if keys is None and group is None:
            raise ConnectorError(_NAMES_NONE)
        if self._control.paused:
            raise ConnectorError("delivery is paused by hand: `redo-connector resume`, then ask again")
        if keys is not None:
            aside = await self._control.set_aside(keys)
        else:
            aside = await self._control.set_aside_group(str(group))
        return f"{_orders(aside)} set aside until a change or a redrive" if aside else "none of them fails any more"

    async def _approve(self, request: Request) -> str:
        hold, limit = arguments.hold(request), arguments.limit(request)
        released = await self._control.approve(hold, limit)
        if released is None:
            return f"hold {hold} is gone: nothing waits there any more"
        return f"{_orders(released)} on the way to Redo"

    async def _sweep(self, inbox: Inbox, request: Request, kind: SweepKind) -> str:
        if self._control.paused:
            raise ConnectorError("delivery is paused by hand: `redo-connector resume`, then ask again")
        resend = bool(request.arguments.get("resend"))
        revision = await self._control.sweep(kind, resend=resend)
        while (done := self._control.finished(revision)) is None:
            await asyncio.sleep(EVERY)
            walked, total = self._control.progress()
            await asyncio.to_thread(inbox.progress, request.number, walked, total)
        return f"{done.scanned:,} orders looked at and pushed again, equal or not" if resend else _found(done)


class PageRequests:
    """What a person asks for on the status page, left in the same inbox as the commands leave theirs."""

    def __init__(self, address: Address) -> None:
        """Raises ConfigurationError for a store in memory."""
        self._inbox = open_requests(address)

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> int:
        return await asyncio.to_thread(self._inbox.ask, verb, arguments, time.time())

    async def get(self, number: int) -> RequestStatus | None:
        found = await asyncio.to_thread(self._inbox.get, number)
        return None if found is None else RequestStatus(found.number, found.verb, found.state.value, found.message)

    def close(self) -> None:
        self._inbox.close()


def _resumed(ended: Resumed) -> str:
    if ended.pauses:
        why = ", ".join(dict.fromkeys(pause.reason for pause in ended.pauses))
        return f"one order goes to Redo at once, and the others follow if it is taken (it was paused: {why})"
    return "delivery to Redo goes on" if ended.by_hand else "delivery to Redo was not paused"


def _orders(number: int) -> str:
    return "1 order is" if number == 1 else f"{number:,} orders are"


def _found(sweep: Sweep) -> str:
    found = f"{sweep.missed:,} missed, {sweep.changed:,} changed, {sweep.extra:,} extra"
    held = f"; {sweep.held:,} wait for approval" if sweep.held else ""
    return f"{sweep.scanned:,} orders compared: {found}{held}"
