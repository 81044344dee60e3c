"""The sandbox's answers before they are HTTP, and the shapes that Redo documents for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import orjson

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
NDJSON: Final = "application/x-ndjson"
HTML: Final = "text/html; charset=utf-8"
PARTS: Final = 20
"""In how many parts a dripping answer comes, at most."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`counted`: what the statistics call it, when that isn't the status. `half`: the connection is closed after half
    of the body (by RST when `reset`). `drip`: seconds over which the body is sent."""

    status: int
    body: bytes
    kind: str = JSON
    retry_after: str | None = None
    counted: str = ""
    half: bool = False
    reset: bool = False
    drip: float = 0.0

    def parts(self) -> list[bytes]:
        """The body as it is sent; `drip / len(parts)` seconds pass before each."""
        if self.half:
            return [self.body[: len(self.body) // 2]]
        if not self.drip:
            return [self.body]
        size = max(1, -(-len(self.body) // PARTS))
        return [self.body[at : at + size] for at in range(0, len(self.body), size)] or [b""]


class Silence(ConnectionError):
    """The connection is to be closed without an answer; by RST when `reset`."""

    def __init__(self, *, reset: bool = False) -> None:
        self.reset = reset
        super().__init__()


def reply(status: int, body: object) -> Reply:
    return Reply(status, orjson.dumps(body))


def error(status: int, message: str) -> Reply:
    """`custom-order-error`, `orders-api-error`."""
    return reply(status, {"error": message})


def problem(status: int, title: str, retry_after: str | None = None) -> Reply:
    """`error`: RFC 7807."""
    return Reply(status, orjson.dumps({"type": "about:blank", "title": title}), PROBLEM, retry_after)


def parse(body: bytes) -> Any:
    """Raises ValueError or RecursionError for what is no JSON."""
    try:
        return orjson.loads(body)
    except ValueError:
        return json.loads(body, parse_constant=_no_number)  # integers beyond 64 bits are JSON too


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
