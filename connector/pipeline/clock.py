"""The two clocks of the pipeline, so that a simulation can bring its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Clock:
    """`wall`: seconds since 1970, for what people and the ledger read; it may be set back. `timer`: what durations are
    measured by; it must never go back, and run as fast as the event loop's."""

    wall: Callable[[], float] = time.time
    timer: Callable[[], float] = time.monotonic


MACHINE: Final = Clock()
"""The machine's own."""
