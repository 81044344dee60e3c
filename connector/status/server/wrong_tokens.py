"""How fast tokens may be guessed: a few wrong ones from each address, then one now and then, and not too many from all.

A right token isn't counted, and an address that gave no wrong one lately is always heard: whoever guesses keeps nobody
else out. Knows no HTTP, and no token.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

AT_ONCE: Final = 5
"""Wrong tokens that an address may give in a row ..."""
EVERY: Final = 10.0
"""... and the seconds until it may give one more."""
ALL_AT_ONCE: Final = 20
"""Wrong tokens in a row, from all addresses together ..."""
ALL_EVERY: Final = 1.0
"""... and the seconds until there may be one more from an address that gave one lately."""
_REMEMBERED: Final = 10_000
"""Addresses; the one that was heard of longest ago is forgotten for one more."""
_NETWORK: Final = 64
"""Bits of an IPv6 address that its owner doesn't choose at will."""


class WrongTokens:
    """`clock` (s) is monotonic. A level is how many were wrong, less those that time has made up for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._all = (0.0, clock())

    def wait(self, address: str) -> float:
        """Seconds until a token from there is looked at again; 0: now."""
        own = self._level(self._levels.get(owner_of(address)), EVERY)
        if own > AT_ONCE - 1:
            return (own - (AT_ONCE - 1)) * EVERY
        return ALL_EVERY if own and self.too_many else 0.0

    def count(self, address: str) -> None:
        """One more from there."""
        owner, now = owner_of(address), self._clock()
        self._levels[owner] = (self._level(self._levels.pop(owner, None), EVERY) + 1, now)
        if len(self._levels) > _REMEMBERED:
            self._levels.popitem(last=False)
        self._all = (min(self._level(self._all, ALL_EVERY) + 1, 2.0 * ALL_AT_ONCE), now)

    @property
    def too_many(self) -> bool:
        """From all addresses together."""
        return self._level(self._all, ALL_EVERY) > ALL_AT_ONCE

    def _level(self, counted: tuple[float, float] | None, every: float) -> float:
        level, at = counted or (0.0, 0.0)
        return max(0.0, level - (self._clock() - at) / every)


def owner_of(address: str) -> str:
    """A proxy may say anything of where a request came from: what is no address counts as one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "no address"
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((int(found), _NETWORK), strict=False))
    return str(found)
