"""The sandbox's control interface, `/_sandbox/...`: without a token, from loopback only.

`orders` (all payloads as NDJSON; `orders/{id}` one), `history/{id}`, `stats`, `log`, `switches` (GET, POST), `reset`
(POST) are the main store's, and under `stores/{store}/` another one's; `stores` shows all stores' stats. `switches`
take a `store` too (`*`: every one). `reset` without a store is for all. `script`: GET, POST, DELETE.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from connector.sandbox.replies import NDJSON, Reply, error, problem, reply
from connector.sandbox.state import State
from connector.sandbox.store import Store


class Control:
    """Looks at a state and changes it."""

    def __init__(self, state: State) -> None:
        self._state = state

    def answer(self, method: str, path: list[str], body: bytes) -> Reply:
        """`path`: what follows `_sandbox`."""
        self._state.advance()
        match method, path:
            case "GET", ["stores"]:
                return reply(200, {store.store_id: store.stats() for store in self._state.all_stores()})
            case _, ["stores", store_id, *rest]:
                store = self._state.store(store_id)
                return problem(404, "No such store") if store is None else self._of_store(store, method, rest, body)
            case "POST", ["reset"]:
                self._state.reset()
                return reply(200, {})
            case _, ["script"]:
                return self._script(method, body)
        return self._of_store(self._state, method, path, body)

    def _of_store(self, store: Store, method: str, path: list[str], body: bytes) -> Reply:
        match method, path:
            case "GET", ["orders"]:
                lines = (line.replace(b"\n", b" ") + b"\n" for line in store.orders.values())
                return Reply(200, b"".join(lines), NDJSON)
            case "GET", ["orders", name] if name in store.orders:
                return Reply(200, store.orders[name])
            case "GET", ["history", name]:
                return reply(200, [landing._asdict() for landing in store.history(name)])
            case "GET", ["stats"]:
                return reply(200, store.stats())
            case "GET", ["log"]:
                return Reply(200, b"".join(orjson.dumps(asdict(event)) + b"\n" for event in store.log), NDJSON)
            case "POST", ["reset"]:
                Store.reset(store)
                return reply(200, {})
            case (("GET" | "POST"), ["switches"]):
                return self._switch(store, body if method == "POST" else b"{}")
        return problem(404, "Not found")

    def _switch(self, store: Store, body: bytes) -> Reply:
        values = _json(body)
        if not isinstance(values, dict):
            return error(400, "a JSON object is wanted")
        named = values.pop("store", store.store_id)
        wrong = self._state.change(named, values) if isinstance(named, str) else "no such store"
        if wrong:
            return error(400, wrong)
        return reply(200, (self._state.store(named) or store).switches.model_dump())

    def _script(self, method: str, body: bytes) -> Reply:
        script, now = self._state.script, self._state.clock()
        if method == "POST":
            steps = _json(body)
            if not isinstance(steps, list):
                return error(400, "a JSON list of steps is wanted")
            try:
                self._state.play(steps)
            except ValueError as wrong:
                return error(400, str(wrong))
        elif method == "DELETE":
            script.clear()
        elif method != "GET":
            return problem(405, "Method not allowed")
        return reply(200, script.as_dict(now))


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return None
