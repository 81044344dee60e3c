"""Work on a large order, away from the event loop, which must turn meanwhile: streams and requests have time limits.

A thread of its own lets the loop run every few milliseconds, as long as the work is made of many short steps. Python's
cyclic garbage collector isn't one: over the million objects of a large order it takes half a second, again and again,
and finds nothing.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

T = TypeVar("T")

SLICE = 0.002
"""Seconds of work on common orders after which the loop turns."""


LONG: Final = 64 * 1024
"""Bytes of JSON that take about a millisecond; what is longer is read apart from the event loop."""


class Breaks:
    """Of work that is done on the loop, order by order."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    async def take(self) -> None:
        """Let the loop turn, if it is time."""
        if time.monotonic() - self._since > SLICE:
            await asyncio.sleep(0)
            self._since = time.monotonic()


async def off_loop(work: Callable[[], T]) -> T:
    """What `work` returns, from a thread."""
    with uncollected():
        return await asyncio.to_thread(work)


def pausing(size: int) -> Callable[[Any], Any] | None:
    """An `object_hook` for `json.loads` of so many characters: None, or for a long text one that changes nothing. It
    is Python's, so that other threads may run, who wait for all of the text otherwise."""
    return _as_it_is if size > LONG else None


def _as_it_is(found: Any) -> Any:
    return found


def keep_out_of_collections() -> None:
    """What was made so far stays: the garbage collector needn't look at it again. A full collection stops everything
    for about a tenth of a second else, because modules and what was built at the start are most of all objects
    (https://docs.python.org/3/library/gc.html#gc.freeze)."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


class _Collector:
    def __init__(self) -> None:
        self.pauses = 0


_collector = _Collector()


@contextmanager
def uncollected() -> Iterator[None]:
    """While a large order is in memory no cycles are looked for: it has none. To be entered on the loop."""
    _collector.pauses += 1
    gc.disable()
    try:
        yield
    finally:
        _collector.pauses -= 1
        if not _collector.pauses:
            gc.enable()
