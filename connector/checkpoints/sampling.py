"""The SQL of some checkpoints at random, for a look at Redo from outside."""

from __future__ import annotations

from typing import Final

import apsw

from connector.model.orders import OrderKey

_RANDOM: Final = "SELECT key FROM checkpoint WHERE missing = 0 ORDER BY random() LIMIT ?"


def random_keys(connection: apsw.Connection, size: int) -> list[OrderKey]:
    """Keys of at most `size` checkpoints that aren't marked missing; each has the same chance. Reads all checkpoints:
    about a third of a second for a million."""
    return [OrderKey(key) for (key,) in connection.execute(_RANDOM, (size,))]
