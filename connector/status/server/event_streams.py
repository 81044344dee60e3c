"""The page as it changes: a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)
with the HTML of each part that has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

import orjson

EVERY: Final = 1.0
BEAT_EVERY: Final = 15
"""Looks without news until a comment shows that the connection lives."""
MOST: Final = 20
"""Streams at once, or half of the connections where these are few."""


class EventStreams:
    """`closing` ends all streams: the server is about to stop. `connections`: how many the server has at a time."""

    def __init__(self, closing: asyncio.Event, connections: int, every: float = EVERY) -> None:
        self._closing = closing
        self._most = min(MOST, connections // 2)
        self._every = every
        self._open = 0

    @property
    def full(self) -> bool:
        return self._open >= self._most

    async def stream(self, look: Callable[[], Awaitable[Mapping[str, str]]]) -> AsyncIterator[bytes]:
        """What `look` finds, whole at first, then what is new in it."""
        sent: dict[str, str] = {}
        quiet = 0
        self._open += 1
        try:
            yield b"retry: 2000\n\n"
            while not self._closing.is_set():
                found = await look()
                news = {name: text for name, text in found.items() if sent.get(name) != text}
                if news:
                    sent, quiet = dict(found), 0
                    yield b"event: parts\ndata: " + orjson.dumps(news) + b"\n\n"
                elif (quiet := quiet + 1) >= BEAT_EVERY:
                    quiet = 0
                    yield b": still here\n\n"
                await self._pause()
        finally:
            self._open -= 1

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), self._every)
        except TimeoutError:
            return
