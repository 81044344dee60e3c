"""Bytes of a checkpoint file that flipped while nobody used it: told with what to do, never a traceback."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import apsw
import pytest

from connector.checkpoints.address import Address
from connector.checkpoints.opening import in_file, open_readonly
from connector.checkpoints.sqlite import integrity
from connector.checkpoints.sqlite.file import open_memory, open_reader
from connector.model.errors import CheckpointsUnwritable, ConfigurationError
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Arrival, Lane
from tests.cli.prepared_checkpoints import keep, letter

KEYS = [OrderKey(str(number)) for number in range(1_000)]
FLIPPED = 12


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with orders that wait, were refused and are held."""
    folder = tmp_path_factory.mktemp("whole")
    keep(folder, [letter(str(number), "tags: too many") for number in range(200)])
    keep(folder, held=[{str(number): ["tags"] for number in range(300, 400)}])
    return (folder / "connector.db").read_bytes()


def flipped(whole: bytes, seed: int) -> bytes:
    """Some bytes are others: of one place in every second file, of anywhere in the rest."""
    chance, content = random.Random(seed), bytearray(whole)  # noqa: S311
    start = chance.randrange(len(content) - 200)
    for _ in range(FLIPPED):
        at = start + chance.randrange(200) if seed % 2 else chance.randrange(len(content))
        content[at] ^= chance.randrange(1, 256)
    return bytes(content)


def checked(path: Path) -> str:
    try:
        open_reader(path, check=True).close()
    except (CheckpointsUnwritable, ConfigurationError):
        return "refused"
    return "fine"


async def used(path: Path) -> str:
    """Start on it, and read all that there is."""
    try:
        store = in_file(path)
    except (CheckpointsUnwritable, ConfigurationError):
        return "refused"
    try:
        for look in (store.tally, store.sweep, store.letter_groups, store.endpoints, store.holds, store.recover):
            await look()
        await store.dead_letters(None, 1_000)
        await store.summarise(1, 20)
        await store.known(KEYS)
        await store.arrive([Arrival(10_000, 1.0, Lane.LIVE, frozenset(KEYS[880:]))], [])
    except CheckpointsUnwritable:
        return "refused"
    finally:
        await store.close()
    return "fine"


async def test_flipped_bytes_are_told_by_check_and_never_crash_a_start(whole: bytes, tmp_path: Path) -> None:
    found: Counter[tuple[str, str]] = Counter()
    for seed in range(120):
        path = tmp_path / f"{seed}.db"
        path.write_bytes(flipped(whole, seed))
        found[checked(path), await used(path)] += 1
    assert found["fine", "refused"] == 0  # what `check` finds ready can be started on
    assert found["refused", "refused"] > 20
    assert found["fine", "fine"] > 10


async def test_a_table_that_is_missing_is_named(checkpoint_file: Path) -> None:
    await in_file(checkpoint_file).close()
    connection = apsw.Connection(str(checkpoint_file))
    connection.execute("DROP TABLE dead_letter")
    connection.close()
    for opened in (lambda: open_reader(checkpoint_file, check=True), lambda: in_file(checkpoint_file)):
        with pytest.raises(CheckpointsUnwritable, match=r"its schema lacks .*dead_letter"):
            opened()


async def test_text_that_is_none_is_told_where_it_is_read(checkpoint_file: Path) -> None:
    store = in_file(checkpoint_file)
    await store.note("mapping", "1")
    await store.close()
    connection = apsw.Connection(str(checkpoint_file))
    connection.execute("UPDATE note SET value = CAST(x'ff' AS text)")
    connection.close()
    reader = open_readonly(Address(f"sqlite:///{checkpoint_file}"))
    with pytest.raises(CheckpointsUnwritable, match="no UTF-8, or no JSON"):
        await reader.noted("mapping")
    await reader.close()


def test_a_look_through_a_file_ends_in_time(checkpoint_file: Path) -> None:
    connection = apsw.Connection(str(checkpoint_file))
    connection.execute(
        "CREATE TABLE much AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50000) "
        "SELECT i, randomblob(100) AS b FROM n"
    )
    with pytest.raises(CheckpointsUnwritable):
        integrity.refuse_damaged(connection, checkpoint_file, open_memory(), integrity.Extent(60.0, whole=False))
    integrity.refuse_damaged(connection, checkpoint_file, open_memory(), integrity.Extent(0.0, whole=True))
    assert connection.execute("SELECT count(*) FROM much").get == 50_000  # nothing interrupts it any more
    connection.close()
