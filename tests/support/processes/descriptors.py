"""A process without a file descriptor left."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_more_descriptors(pid: int = 0) -> Iterator[None]:
    """What is open stays open, and nothing can be opened. 0: this process. The number of a new descriptor must be below
    RLIMIT_NOFILE (https://man7.org/linux/man-pages/man2/getrlimit.2.html)."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
