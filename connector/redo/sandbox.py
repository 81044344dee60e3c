"""A local Redo: an ASGI app that enforces Redo's contract, keeps the orders, and misbehaves on demand.

Answers in the documented shapes. Its control door, `/_sandbox/...`, needs no token and opens to loopback only:
`orders` (all payloads as NDJSON; `orders/{id}` one), `stats`, `log`, `switches` (GET, POST), `reset` (POST).
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import json
import random
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

import orjson

from connector.redo.sandbox_order import shown
from connector.redo.sandbox_rules import errors_of
from connector.redo.sandbox_state import State

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

LARGEST_BODY: Final = 8 * 1024 * 1024
_JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"
_NDJSON: Final = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    kind: str = _JSON
    retry_after: int | None = None


class Silence(ConnectionError):
    """The connection is to be closed without an answer."""


def create_app(state: State) -> App:
    """The sandbox over a state, which tests may look at and change directly."""
    sandbox = Sandbox(state)

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            reply = await sandbox.reply(scope, receive)
        except Silence:
            state.answers[f"{scope['method']} cut"] += 1
            abort = scope.get("state", {}).get("abort")
            if abort is None:
                raise
            abort()
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        headers = [(b"content-type", reply.kind.encode()), (b"content-length", b"%d" % len(reply.body))]
        if reply.retry_after is not None:
            headers.append((b"retry-after", b"%d" % reply.retry_after))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    return app


class Sandbox:
    """Requests to replies."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._window = (0.0, 0)
        self._random = random.Random()  # noqa: S311  which requests fail need not be unguessable

    async def reply(self, scope: MutableMapping[str, Any], receive: Receive) -> Reply:
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        path = [unquote_to_bytes(part).decode(errors="replace") for part in raw.strip(b"/").split(b"/")]
        method: str = scope["method"]
        if path[0] == "_sandbox":
            return await self._control(method, path[1:], scope, receive)
        body = await _body(receive)
        reply = await self._trouble() or self._gate(path, scope) or await self._api(method, path, body)
        self._state.answers[f"{method} {reply.status}"] += 1
        return reply

    async def _trouble(self) -> Reply | None:
        """What befalls every request, whatever it asks for."""
        switches = self._state.switches
        if switches.latency_ms:
            await asyncio.sleep(switches.latency_ms / 1000)
        if switches.outage:
            return _problem(503, "Service unavailable", switches.retry_after)
        if self._over_rate() or switches.spend("throttle"):
            return _problem(429, "Too many requests", switches.retry_after)
        if switches.error_rate and self._random.random() < switches.error_rate:
            return _error(500, "Failed to process order")
        return None

    def _over_rate(self) -> bool:
        limit = self._state.switches.rate_limit
        if limit is None:
            return False
        now, (began, count) = time.monotonic(), self._window
        self._window = (began, count + 1) if now - began < 1 else (now, 1)
        return self._window[1] > limit

    def _gate(self, path: list[str], scope: MutableMapping[str, Any]) -> Reply | None:
        """Token, then store."""
        wanted = f"Bearer {self._state.api_secret}".encode()
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if self._state.switches.unauthorized or not hmac.compare_digest(given, wanted):
            return _error(401, "Unauthorized")
        if self._state.switches.forbidden:
            return _problem(403, "Token does not have access to this store")
        at = path.index("stores") if "stores" in path else len(path)
        if path[at + 1 : at + 2] != [self._state.store_id]:
            return _problem(404, "Store does not exist")
        del path[: at + 2]
        return None

    async def _api(self, method: str, path: list[str], body: bytes) -> Reply:
        if path == ["custom", "orders"] and method == "POST":
            return await self._push(body)
        if len(path) == 2 and path[0] == "orders" and method in ("GET", "DELETE"):
            name = self._state.find(path[1])
            if name is None:
                return _error(404, "Order not found")
            return self._show(name) if method == "GET" else self._delete(name)
        return _problem(404, "Not found")

    async def _push(self, body: bytes) -> Reply:
        if len(body) > LARGEST_BODY:
            return _problem(413, "Payload too large")
        try:
            order = _parse(body)
        except (ValueError, RecursionError):
            return _error(400, "Request body is not valid JSON")
        order_id = order.get("id") if isinstance(order, dict) else None
        with self._state.pushing(order_id if isinstance(order_id, str) else ""):
            return await self._upsert(order, body)

    async def _upsert(self, order: Any, body: bytes) -> Reply:
        switches = self._state.switches
        if errors := errors_of(order):
            mirrored = {"errors": errors} if isinstance(errors, dict) else {}
            return _reply(400, {"error": "Invalid order data", **mirrored})
        if order["id"] in switches.reject:
            return _reply(400, {"error": "Invalid order data", "errors": {"id": "Rejected by a switch"}})
        if switches.spend("late"):
            await self._pause(switches.late_seconds)
        redo_id = self._state.store(order["id"], body)
        if switches.spend("cut"):
            raise Silence
        if switches.spend("hang"):
            await self._pause(switches.hang_seconds)
            raise Silence
        return _reply(200, {"message": "Order synced successfully", "orderId": order["id"], "redoId": redo_id})

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not beyond the sandbox's end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._state.closed.wait()

    def _show(self, name: str) -> Reply:
        return _reply(200, shown(_parse(self._state.orders[name])))

    def _delete(self, name: str) -> Reply:
        del self._state.orders[name]
        redo_id = self._state.redo_ids[name]
        return _reply(200, {"success": True, "orderId": redo_id, "externalOrderId": name})

    async def _control(self, method: str, path: list[str], scope: MutableMapping[str, Any], receive: Receive) -> Reply:
        if not _loopback(scope):
            return _problem(404, "Not found")
        body = await _body(receive)
        match method, path:
            case "GET", ["orders"]:
                lines = (line.replace(b"\n", b" ") + b"\n" for line in self._state.orders.values())
                return Reply(200, b"".join(lines), _NDJSON)
            case "GET", ["orders", name] if name in self._state.orders:
                return Reply(200, self._state.orders[name])
            case "GET", ["stats"]:
                return _reply(200, self._state.stats())
            case "GET", ["log"]:
                return Reply(200, b"".join(orjson.dumps(asdict(event)) + b"\n" for event in self._state.log), _NDJSON)
            case "POST", ["reset"]:
                self._state.reset()
                return _reply(200, {})
            case (("GET" | "POST"), ["switches"]):
                return self._switch(body if method == "POST" else b"{}")
        return _problem(404, "Not found")

    def _switch(self, body: bytes) -> Reply:
        try:
            values = orjson.loads(body)
        except ValueError:
            values = None
        wrong = self._state.switches.change(values) if isinstance(values, dict) else "a JSON object is wanted"
        return _error(400, wrong) if wrong else _reply(200, self._state.switches.as_dict())


async def _body(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Silence
        part = message.get("body", b"")
        size += len(part)
        if size <= 2 * LARGEST_BODY:
            parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return json.loads(body, parse_constant=_no_number)  # integers beyond 64 bits are JSON too


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _loopback(scope: MutableMapping[str, Any]) -> bool:
    client = scope.get("client")
    try:
        return client is None or ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


def _reply(status: int, body: object) -> Reply:
    return Reply(status, orjson.dumps(body))


def _error(status: int, message: str) -> Reply:
    """`custom-order-error`, `orders-api-error`."""
    return _reply(status, {"error": message})


def _problem(status: int, title: str, retry_after: int | None = None) -> Reply:
    """`error`: RFC 7807."""
    return Reply(status, orjson.dumps({"type": "about:blank", "title": title}), _PROBLEM, retry_after)
