"""Log lines that say the same again and again: a few a minute are written, the others counted.

Two lines are the same when they have the same level, event and fields. The next one that is written says how many were
not (`repeated`). Critical lines are always written. Knows nothing of what lines say.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, MutableMapping
from typing import Any, Final

import structlog

AT_MOST: Final = 5
WINDOW: Final = 60.0
_KINDS: Final = 1000
"""Kinds of lines that are remembered; the oldest is forgotten for one more."""


class Repeats:
    """`clock` (s) is monotonic. May be asked by several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def admit(self, line: str) -> int | None:
        """None when it was said often enough within the window, else how many went unsaid since it was written."""
        with self._lock:
            now = self._clock()
            began, said = self._seen.get(line, (now, 0))
            unsaid = 0
            if now - began >= WINDOW:
                began, said, unsaid = now, 0, max(0, said - AT_MOST)
                self._seen.pop(line)
            self._seen[line] = (began, said + 1)
            if len(self._seen) > _KINDS:
                del self._seen[next(iter(self._seen))]
            return unsaid if said < AT_MOST else None

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """As a processor of structlog's, before the time stamp is added."""
        if method == "critical":
            return event
        unsaid = self.admit(repr((method, sorted(event.items(), key=lambda item: item[0]))))
        if unsaid is None:
            raise structlog.DropEvent
        if unsaid:
            event["repeated"] = unsaid
        return event

    def filter(self, record: logging.LogRecord) -> bool:
        """As a filter of the standard library's, for what libraries say."""
        unsaid = self.admit(repr((record.name, record.levelno, record.getMessage())))
        return record.levelno >= logging.CRITICAL or unsaid is not None
