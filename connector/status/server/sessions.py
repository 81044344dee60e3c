"""Who may act: a session after the token was given, and what its forms must carry so that no other site can send them.

In memory: a new start asks for the token again. It must not know HTTP.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

LASTS: Final = 12 * 3600.0
"""Seconds since it was opened."""
MOST: Final = 100
"""Sessions at once; the oldest goes first."""


class Sessions:
    def __init__(self, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = token.encode()
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._opened: OrderedDict[str, float] = OrderedDict()

    def open(self, token: str) -> str | None:
        """A new session's id, None when that isn't the token. Compared in constant time."""
        if not hmac.compare_digest(token.encode(), self._token):
            return None
        session = secrets.token_urlsafe(32)
        self._opened[session] = self._clock()
        if len(self._opened) > MOST:
            self._opened.popitem(last=False)
        return session

    def is_open(self, session: str | None) -> bool:
        opened = self._opened.get(session or "")
        return opened is not None and self._clock() - opened < LASTS

    def close(self, session: str | None) -> None:
        self._opened.pop(session or "", None)

    def seal(self, session: str) -> str:
        """What every form of the session carries."""
        return hmac.new(self._key, session.encode(), hashlib.sha256).hexdigest()

    def sealed(self, session: str | None, seal: str) -> bool:
        """Whether an open session's form carries its seal. Compared in constant time."""
        return self.is_open(session) and hmac.compare_digest(self.seal(session or "").encode(), seal.encode())
