"""Faults that the switches inject into requests: on arrival, and before, during and after applying them.

Each method counts down the switches that it uses. Whether a request is applied is up to the caller.
"""

from __future__ import annotations

import math
from dataclasses import replace
from http import HTTPStatus
from typing import Final

import orjson

from connector.sandbox.faults.rate_limits import retry_after
from connector.sandbox.faults.switches import Switches
from connector.sandbox.replies import HTML, Reply, Silence, error, problem
from connector.sandbox.state import State
from connector.sandbox.store import Store

PAUSE_FROM: Final = 1000.0
"""Milliseconds of latency from which closing the sandbox ends the wait."""

_BLOCKED: Final = b"<!doctype html><title>Blocked</title><p>This request was blocked by a security rule."
_PAGE: Final = b"<!doctype html><title>Sign in</title><p>Please sign in to this network to go on."


class FaultInjector:
    """The faults of one state's stores. A method that returns a reply replaces the request's own answer by it."""

    def __init__(self, state: State) -> None:
        self._state = state

    def on_arrival(self, store: Store) -> Reply | None:
        """Outages, rate limits and random errors, for any request."""
        switches = store.switches
        if switches.outage:
            return problem(503, "Service unavailable", self._after(switches, switches.retry_after))
        wait = store.limiter.refuse(switches, self._state.clock())
        if wait is None and switches.spend("throttle"):
            wait = math.inf
        if wait is not None:
            seconds = wait if math.isfinite(wait) else switches.retry_after
            return problem(429, "Too many requests", self._after(switches, seconds))
        if switches.error_rate and self._state.chance.random() < switches.error_rate:
            return error(500, "Failed to process order")
        return None

    def next_answer(self, switches: Switches, method: str) -> Reply | None:
        """The next status of the switch `answer`."""
        if not switches.answer or method not in switches.methods:
            return None
        status = switches.answer.pop(0)
        if status < 300:
            return Reply(status, b"")
        after = self._after(switches, switches.retry_after) if status in (429, 503) else None
        known = {each.value: each.phrase for each in HTTPStatus}
        return problem(status, known.get(status, "Unknown"), after)

    async def latency(self, switches: Switches) -> None:
        if not switches.latency_ms:
            return
        wait = self._state.pause if switches.latency_ms >= PAUSE_FROM else self._state.sleep
        await wait(switches.latency_ms / 1000)

    async def before(self, switches: Switches, method: str) -> Reply | None:
        """Faults that keep a request from being applied. Raises Silence."""
        await self.latency(switches)
        if method not in switches.methods:
            return None
        if switches.spend("cut_before"):
            raise Silence(reset=switches.reset)
        if switches.spend("swallow"):
            await self._state.pause(switches.hang_seconds)
            raise Silence(reset=switches.reset)
        return Reply(200, _PAGE, HTML, counted="html") if switches.spend("html") else None

    async def of_order(self, switches: Switches, order_id: str) -> Reply | None:
        """The fault of an order in the switch `fail`. Raises Silence."""
        if order_id not in switches.fail:
            return None
        if switches.fail_how == "hang":
            await self._state.pause(switches.hang_seconds)
        if switches.fail_how in ("hang", "cut"):
            raise Silence(reset=switches.reset)
        status = int(switches.fail_how)
        if status == 403:
            return Reply(403, _BLOCKED, HTML)
        return problem(status, "Failed", self._after(switches, switches.retry_after) if status == 503 else None)

    async def during(self, switches: Switches, method: str) -> None:
        """The wait of the switch `late`."""
        if switches.late and method in switches.methods and switches.spend("late"):
            await self._state.pause(switches.late_seconds)

    async def after(self, switches: Switches, method: str, good: Reply) -> Reply:
        """The answer to a request that was applied. Raises Silence."""
        if method not in switches.methods:
            return good
        if switches.spend("cut"):
            raise Silence(reset=switches.reset)
        if switches.spend("hang"):
            await self._state.pause(switches.hang_seconds)
            raise Silence(reset=switches.reset)
        if switches.spend("cut_mid"):
            return replace(good, half=True, reset=switches.reset, counted="cut")
        if switches.spend("wrong_body"):
            body = _renamed(good.body) if switches.wrong_body_kind == "other_id" else b""
            return replace(good, body=body, counted="wrong_body")
        return replace(good, drip=switches.drip_seconds) if switches.spend("drip") else good

    def _after(self, switches: Switches, seconds: float) -> str | None:
        return retry_after(switches.retry_after_form, seconds, self._state.wall())


def _renamed(body: bytes) -> bytes:
    answer = orjson.loads(body)
    ids = {name: f"not-{answer[name]}" for name in ("orderId", "externalOrderId") if name in answer}
    return orjson.dumps(answer | ids)
