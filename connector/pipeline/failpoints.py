"""Named places at which a test may kill the process, to prove that a restart loses nothing.

In production nothing is armed and `reach` is one comparison. Only a test arms a point, in the process it starts.
"""

from __future__ import annotations

import os
import signal
from typing import Final

POINTS: Final = (
    "intake.before_ledger",
    "intake.after_ledger",
    "intake.after_acknowledge",
    "dispatch.after_take",
    "deliver.before_push",
    "deliver.after_push",
    "settle.before",
    "settle.after",
    "sweep.after_page",
    "endpoints.before_rebind",
    "endpoints.within_rebind",
    "endpoints.after_rebind",
    "endpoints.after_approve",
    "lookup.after_resolve",
)
OF_KEYS: Final = ("former.after_note", "former.after_sweep", "former.after_retire", "former.after_claim")
"""Reached only where the order key has changed."""

_armed: dict[str, int] = {}


def arm(point: str, passes: int = 0) -> None:
    """Die with SIGKILL at the named point, after letting it pass `passes` times.

    Raises ValueError for an unknown name.
    """
    if point not in POINTS + OF_KEYS:
        raise ValueError(f"unknown failpoint {point!r}")
    _armed[point] = passes


def reach(point: str) -> None:
    """Say that a named place was reached."""
    if not _armed or point not in _armed:
        return
    if _armed[point] > 0:
        _armed[point] -= 1
        return
    os.kill(os.getpid(), signal.SIGKILL)
