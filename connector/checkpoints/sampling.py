"""Some checkpoints at random, for a look at Redo from outside. Reads only, beside a running connector too."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import apsw

from connector.checkpoints.file import open_reader
from connector.checkpoints.thread import unwritable
from connector.orders import OrderKey

_RANDOM: Final = "SELECT key FROM checkpoint WHERE missing = 0 ORDER BY random() LIMIT ?"


async def random_keys(path: Path, size: int) -> list[OrderKey]:
    """Keys of at most `size` checkpoints that aren't marked missing; each has the same chance. Reads all checkpoints:
    about a third of a second for a million. Raises ConfigurationError, CheckpointsUnwritable."""
    return await asyncio.to_thread(_read, path, size)


def _read(path: Path, size: int) -> list[OrderKey]:
    connection = open_reader(path)
    try:
        return [OrderKey(key) for (key,) in connection.execute(_RANDOM, (size,))]
    except apsw.Error as error:
        raise unwritable(path, error) from error
    finally:
        connection.close()
