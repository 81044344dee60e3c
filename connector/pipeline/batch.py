"""How many orders one query reads: fewer once a query ran into a limit of the server's, and slowly more again. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector.pipeline.entries import Entry

BATCH = 200
SHRINK = 4
"""What ran into a limit is followed by batches of so many times fewer."""
GROW = 4
"""A batch that took less than half of what was too long is followed by one larger by this part of it."""
WAYS = 8
"""What was read together and took too long is read apart in so many parts: of three rounds, one order is left."""


class BatchSize:
    """Of one lane."""

    def __init__(self) -> None:
        self.size = BATCH
        self._too_long = 0.0

    def exceeded(self, orders: int, seconds: float) -> None:
        self.size = max(1, min(self.size, orders // SHRINK))
        self._too_long = seconds

    def passed(self, orders: int, seconds: float) -> None:
        if self.size < BATCH and orders >= self.size and 2 * seconds < self._too_long:
            self.size = min(BATCH, self.size + max(1, self.size // GROW))


def divided(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """What took too long together, in parts to be read one by one."""
    step = max(1, -(-len(entries) // WAYS))
    for at in range(0, len(entries), step):
        yield entries[at : at + step]
