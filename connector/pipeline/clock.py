"""What time it is: for people, and for whoever waits. A simulation brings its own clocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final


def boot_time() -> float:
    """Seconds that nobody can set, and that count while the machine sleeps, where the system has such a clock.

    https://man7.org/linux/man-pages/man2/clock_gettime.2.html (CLOCK_BOOTTIME)
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Clock:
    """`wall`: seconds since 1970, only for what people read: it may be set forward and back at any time. `timer`: what
    durations are measured by; it must never go back, and run as fast as the event loop's."""

    def __init__(self, wall: Callable[[], float] = time.time, timer: Callable[[], float] = boot_time) -> None:
        self.wall = wall
        self.timer = timer
        self._began = wall() - timer()

    def now(self) -> float:
        """Seconds since 1970 as the wall's clock had it when this one was made, and on from there by the timer: what
        waits in the ledger falls due by it, and ages are counted by it."""
        return self._began + self.timer()

    def by_the_wall(self, moment: float) -> float:
        """When a moment of `now()` was, or will be, by the wall's clock as it is set at present."""
        return moment - self.now() + self.wall()


MACHINE: Final = Clock()
"""The machine's own, from the start of the process on."""
