"""The rate limits that servers use, for any clock, and the `Retry-After` of a refusal. No waiting here."""

from __future__ import annotations

import math
from collections import deque
from email.utils import formatdate
from typing import Final

from connector.sandbox.faults.switches import Switches

FULL: Final = 1e-9
"""Tolerance for rounding, in tokens and seconds."""


class Limiter:
    """The rate limit of one store, from its switches. Refused requests don't count against it."""

    def __init__(self) -> None:
        self._rules: tuple[object, ...] = ()
        self._window = (0, 0)
        self._taken: deque[float] = deque()
        self._tokens = 0.0
        self._filled = 0.0

    def refuse(self, switches: Switches, now: float) -> float | None:
        """None: let it pass, and it counts. Else seconds (more than 0) until one would pass; infinite for a limit of
        0. `now` (s) never goes back."""
        limit = switches.rate_limit
        if limit is None:
            return None
        if limit <= 0:
            return math.inf
        seconds = switches.rate_limit_seconds or 1.0
        if limit < 1:
            limit, seconds = 1.0, seconds / limit
        rules = (switches.rate_limit_kind, limit, seconds, switches.burst)
        if rules != self._rules:
            self._rules = rules
            self._window, self._filled = (0, 0), now
            self._taken.clear()
            self._tokens = float(switches.burst or limit)
        if switches.rate_limit_kind == "bucket":
            return self._bucket(limit / seconds, float(switches.burst or limit), now)
        if switches.rate_limit_kind == "sliding":
            return self._sliding(int(limit), seconds, now)
        return self._fixed(int(limit), seconds, now)

    def _fixed(self, limit: int, seconds: float, now: float) -> float | None:
        number = math.floor(now / seconds)
        count = self._window[1] if self._window[0] == number else 0
        if count >= limit:
            return max((number + 1) * seconds - now, FULL)
        self._window = (number, count + 1)
        return None

    def _sliding(self, limit: int, seconds: float, now: float) -> float | None:
        while self._taken and self._taken[0] + seconds <= now:
            self._taken.popleft()
        if len(self._taken) >= limit:
            return self._taken[0] + seconds - now
        self._taken.append(now)
        return None

    def _bucket(self, rate: float, size: float, now: float) -> float | None:
        self._tokens = min(size, self._tokens + (now - self._filled) * rate)
        self._filled = now
        if self._tokens < 1 - FULL:
            return (1 - self._tokens) / rate
        self._tokens = max(0.0, self._tokens - 1)
        return None


def retry_after(form: str, seconds: float, wall: float) -> str | None:
    """The header's value: whole seconds rounded up, an HTTP date (of whole seconds too), or None. `wall`: now, seconds
    since 1970."""
    if form == "none":
        return None
    if form == "date":
        return formatdate(math.ceil(wall + seconds), usegmt=True)
    return str(max(math.ceil(seconds - FULL), int(seconds > 0)))
