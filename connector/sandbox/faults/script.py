"""A script: switches that change at given times or after given numbers of requests. No waiting here.

Steps are carried out in order, each when it is due and the one before it is done. The sandbox looks for due steps
whenever a request comes in, which is early enough: nothing can be observed between requests.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connector.sandbox.faults.switches import Switches


@dataclass(frozen=True, slots=True)
class Step:
    """`at`: seconds after the script began; `after_requests`: requests that came since. One of them is None."""

    at: float | None
    after_requests: int | None
    switches: Mapping[str, Any]
    store: str | None = None

    def as_dict(self) -> dict[str, Any]:
        when = {"at": self.at} if self.at is not None else {"after_requests": self.after_requests}
        return when | {"set": dict(self.switches)} | ({"store": self.store} if self.store is not None else {})


class Script:
    """The steps that are not carried out yet."""

    def __init__(self) -> None:
        self.steps: deque[Step] = deque()
        self._began = 0.0
        self._requests = 0

    def begin(self, steps: list[Step], now: float) -> None:
        """Start a script, in place of the last one. `now` (s): the sandbox's clock."""
        self.steps = deque(steps)
        self._began, self._requests = now, 0

    def clear(self) -> None:
        self.steps.clear()

    def advance(self, now: float, change: Callable[[str | None, Mapping[str, Any]], object]) -> None:
        """Carry out the steps that are due: `change` is called with store and switches."""
        while self.steps:
            step = self.steps[0]
            due = now - self._began >= step.at if step.at is not None else self._requests >= (step.after_requests or 0)
            if not due:
                return
            self.steps.popleft()
            change(step.store, step.switches)

    def count(self) -> None:
        """One more request."""
        self._requests += 1

    def as_dict(self, now: float) -> dict[str, Any]:
        return {
            "seconds": now - self._began if self.steps else None,
            "requests": self._requests,
            "steps": [step.as_dict() for step in self.steps],
        }


def steps_of(values: list[Any], stores: frozenset[str]) -> list[Step] | str:
    """A script from its JSON, or what is wrong with it: `{"at": s, "set": {switches}}` or `{"after_requests": n, ...}`,
    with a `store` where it isn't for the main one. `stores`: those that a step may name, besides `*` for all."""
    found = []
    for number, value in enumerate(values):
        step = _step(value, stores)
        if isinstance(step, str):
            return f"step {number}: {step}"
        found.append(step)
    return found


def _step(value: Any, stores: frozenset[str]) -> Step | str:
    if not isinstance(value, dict) or not {"set"} <= set(value) <= {"set", "at", "after_requests", "store"}:
        return "an object with set, one of at and after_requests, and maybe store is wanted"
    switches, store = value["set"], value.get("store")
    if ("at" in value) == ("after_requests" in value):
        return "one of at and after_requests is wanted"
    if not _counts(value.get("at", 0), (int, float)) or not _counts(value.get("after_requests", 0), (int,)):
        return "at is a number of seconds, after_requests a number of requests"
    if "store" in value and store != "*" and store not in stores:
        return "no such store"
    if not isinstance(switches, dict):
        return "set is an object of switches"
    return Switches().wrong(switches) or Step(value.get("at"), value.get("after_requests"), switches, store)


def _counts(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool) and float(value) >= 0  # type: ignore[arg-type]
