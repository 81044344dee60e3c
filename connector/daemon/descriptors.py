"""File descriptors: the road's are kept free of the status port's visitors
(https://man7.org/linux/man-pages/man2/getrlimit.2.html, RLIMIT_NOFILE)."""

from __future__ import annotations

import contextlib
import resource
from typing import Final

import structlog

log = structlog.get_logger("connector")

ROAD: Final = 96
"""Descriptors beside those of pushes: the event loop and its threads, the source's and the mapping's connections, the
store's files, name resolution, and a second generation of all while a mapping is taken up."""
MOST_VISITORS: Final = 128
_FEWEST_VISITORS: Final = 8
_WANTED: Final = 4096


def for_visitors(pushes: int) -> int:
    """How many connections the status port may have beside `pushes` at a time, once the soft limit is what the hard one
    allows. Warns when the road itself may run short."""
    limit = _raised()
    left = limit - ROAD - pushes
    if left < _FEWEST_VISITORS:
        log.warning(
            "few_descriptors",
            limit=limit,
            wanted=ROAD + pushes + _FEWEST_VISITORS,
            next="raise the limit of open files (ulimit -n, LimitNOFILE in systemd)",
        )
    return max(_FEWEST_VISITORS, min(MOST_VISITORS, left))


def _raised() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft == resource.RLIM_INFINITY:
        return _WANTED
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # systemd's filter may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft
