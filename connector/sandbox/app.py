"""A local Redo as an ASGI app: it enforces Redo's contract, keeps the orders, and fails on demand.

`Sandbox` turns requests into replies of the documented shapes, `create_app` is the HTTP around it. `/_sandbox/...` is
answered by `control`, failures come from `faults`.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from connector.sandbox.control import Control
from connector.sandbox.faults.injection import FaultInjector
from connector.sandbox.read_api import shown
from connector.sandbox.replies import Reply, Silence, error, parse, problem, reply
from connector.sandbox.rules import errors_of
from connector.sandbox.state import State
from connector.sandbox.store import Flight, Store, never_disconnected

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

LARGEST_BODY: Final = 8 * 1024 * 1024


def create_app(state: State) -> App:
    """The sandbox over a state, which tests may look at and change directly."""
    sandbox, control = Sandbox(state), Control(state)

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        path = [unquote_to_bytes(part).decode(errors="replace") for part in raw.strip(b"/").split(b"/")]
        method: str = scope["method"]
        try:
            body = await _body(receive)
            if path[0] == "_sandbox":
                there = control.answer(method, path[1:], body) if _loopback(scope) else problem(404, "Not found")
            else:
                given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
                gone = scope.get("state", {}).get("gone", never_disconnected)
                there = await sandbox.answer(method, path, given, body, gone)
            await _send(state, scope, send, there)
        except Silence as silence:
            await _close(scope, receive, silence)

    return app


async def _send(state: State, scope: MutableMapping[str, Any], send: Send, there: Reply) -> None:
    headers = [(b"content-type", there.kind.encode()), (b"content-length", b"%d" % len(there.body))]
    if there.retry_after is not None:
        headers.append((b"retry-after", there.retry_after.encode()))
    await send({"type": "http.response.start", "status": there.status, "headers": headers})
    if not there.half and not there.drip:
        await send({"type": "http.response.body", "body": there.body})
        return
    gone, parts = scope.get("state", {}).get("gone", never_disconnected), there.parts()
    for part in parts:
        if there.drip:
            await state.pause(there.drip / len(parts))
        if gone():
            return
        await send({"type": "http.response.body", "body": part, "more_body": True})
    if there.half:
        await asyncio.sleep(0)  # let the transport write what an abort would drop
        await asyncio.sleep(0)
        raise Silence(reset=there.reset)
    await send({"type": "http.response.body", "body": b""})


async def _close(scope: MutableMapping[str, Any], receive: Receive, silence: Silence) -> None:
    """Close the connection; raises the silence where the server has no way to do that."""
    abort = scope.get("state", {}).get("abort")
    if abort is None:
        raise silence
    abort(reset=silence.reset)
    while (await receive())["type"] != "http.disconnect":
        pass


class Sandbox:
    """Requests to replies."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._faults = FaultInjector(state)

    async def answer(
        self, method: str, path: list[str], given: bytes, body: bytes, gone: Callable[[], bool] = never_disconnected
    ) -> Reply:
        """`path`: its decoded parts. `given`: the Authorization header. `gone`: whether the client has closed its
        connection; the request is carried out all the same. Raises Silence when the connection is to be closed without
        an answer."""
        self._state.advance()
        if self._state.script.steps:
            self._state.script.count()
        at = path.index("stores") if "stores" in path else len(path)
        store = self._state.store(path[at + 1]) if at + 1 < len(path) else None
        seen = store or self._state
        try:
            there = await self._answer(store, method, path[at + 2 :], given, body, gone)
        except Silence:
            seen.answers[f"{method} cut"] += 1
            raise
        seen.answers[f"{method} {there.counted or there.status}"] += 1
        return there

    async def _answer(
        self, store: Store | None, method: str, path: list[str], given: bytes, body: bytes, gone: Callable[[], bool]
    ) -> Reply:
        seen = store or self._state
        refused, chosen = self._faults.on_arrival(seen), None
        if refused is None:
            chosen = self._faults.next_answer(seen.switches, method)
            refused = chosen if chosen is not None and not seen.switches.answer_applies else self._gate(store, given)
        if refused is not None or store is None:
            await self._faults.latency(seen.switches)
            return refused or problem(404, "Store does not exist")
        there = await self._api(store, method, path, body, gone)
        return chosen or there

    def _gate(self, store: Store | None, given: bytes) -> Reply | None:
        """The refusal of a wrong token, then of a store that doesn't exist or isn't the token's."""
        kind, _, token = given.partition(b" ")
        seen = store or self._state
        switches = seen.switches
        accepted = switches.accept or (seen.api_secret,)
        fits = any(hmac.compare_digest(token, secret.encode()) for secret in accepted)
        known = fits or self._state.knows(token.decode(errors="replace"))
        if switches.unauthorized or kind != b"Bearer" or not known or switches.flipped():
            return error(401, "Unauthorized")
        if store is None:
            return problem(404, "Store does not exist")
        if switches.forbidden or not fits:
            return problem(403, "Token does not have access to this store")
        return None

    async def _api(self, store: Store, method: str, path: list[str], body: bytes, gone: Callable[[], bool]) -> Reply:
        if path == ["custom", "orders"] and method == "POST":
            return await self._push(store, body, gone)
        if len(path) == 2 and path[0] == "orders" and method == "GET":
            return await self._read(store, path[1])
        if len(path) == 2 and path[0] == "orders" and method == "DELETE":
            with store.in_flight_request(store.find(path[1]) or path[1], gone, "delete-") as flight:
                return await self._delete(store, flight)
        await self._faults.latency(store.switches)
        return problem(404, "Not found")

    async def _push(self, store: Store, body: bytes, gone: Callable[[], bool]) -> Reply:
        if len(body) > LARGEST_BODY:
            return problem(413, "Payload too large")
        try:
            order = parse(body)
        except (ValueError, RecursionError):
            return error(400, "Request body is not valid JSON")
        order_id = order.get("id") if isinstance(order, dict) else None
        with store.in_flight_request(order_id if isinstance(order_id, str) else "", gone) as flight:
            kept = await self._faults.before(store.switches, "POST")
            kept = kept or await self._faults.of_order(store.switches, flight.order_id)
            return kept or await self._upsert(store, order, body, flight)

    async def _upsert(self, store: Store, order: Any, body: bytes, flight: Flight) -> Reply:
        switches = store.switches
        if errors := errors_of(order):
            mirrored = {"errors": errors} if isinstance(errors, dict) else {}
            return reply(400, {"error": "Invalid order data", **mirrored})
        if order["id"] in switches.reject:
            return reply(400, {"error": "Invalid order data", "errors": {"id": "Rejected by a switch"}})
        await self._faults.during(switches, "POST")
        redo_id = store.land(flight, body)
        good = reply(200, {"message": "Order synced successfully", "orderId": order["id"], "redoId": redo_id})
        return await self._faults.after(switches, "POST", good)

    async def _read(self, store: Store, asked: str) -> Reply:
        if kept := await self._faults.before(store.switches, "GET"):
            return kept
        await self._faults.during(store.switches, "GET")
        name = store.find(asked)
        if name is None:
            return error(404, "Order not found")
        return await self._faults.after(store.switches, "GET", reply(200, shown(parse(store.orders[name]))))

    async def _delete(self, store: Store, flight: Flight) -> Reply:
        name = flight.order_id
        if kept := await self._faults.before(store.switches, "DELETE"):
            return kept
        if kept := await self._faults.of_order(store.switches, name):
            return kept
        if name not in store.orders:
            return error(404, "Order not found")
        await self._faults.during(store.switches, "DELETE")
        redo_id = store.land(flight, None)
        good = reply(200, {"success": True, "orderId": redo_id, "externalOrderId": name})
        return await self._faults.after(store.switches, "DELETE", good)


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


def _loopback(scope: MutableMapping[str, Any]) -> bool:
    client = scope.get("client")
    try:
        return client is None or ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
