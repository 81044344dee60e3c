"""Reverse indexes that the mapping no longer has leave the file bit by bit, and nothing finds them meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import apsw
import pytest

from connector.checkpoints.opening import in_file
from connector.checkpoints.tables import reverse_index
from connector.model.orders import OrderKey

MANY = {OrderKey(f"{n}"): {"old": frozenset({f"{n}", f"{n + 1}"}), "kept": frozenset({"7"})} for n in range(100)}


def left(file: Path) -> tuple[int, int]:
    """How many members there are, and how many indexes."""
    other = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    query = "SELECT (SELECT count(*) FROM member), (SELECT count(*) FROM member_index)"
    [(members, indexes)] = other.execute(query)
    other.close()
    assert isinstance(members, int)
    assert isinstance(indexes, int)
    return members, indexes


async def test_other_calls_get_in_between(checkpoint_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reverse_index, "STEP", 10)
    store = in_file(checkpoint_file)
    await store.enroll(MANY)
    forgetting = asyncio.create_task(store.forget_indexes(frozenset({"kept"})))
    await asyncio.sleep(0)  # lets it submit its first step
    assert await store.enrolled("old", ["7"], None, 9) == []
    assert not forgetting.done()
    await forgetting
    assert left(checkpoint_file) == (100, 1)
    assert len(await store.enrolled("kept", ["7"], None, 1000)) == 100
    await store.close()


async def test_what_was_not_finished_is_finished_by_the_next_call(
    checkpoint_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reverse_index, "STEP", 10)
    store = in_file(checkpoint_file)
    await store.enroll(MANY)
    forgetting = asyncio.create_task(store.forget_indexes(frozenset({"kept"})))
    await asyncio.sleep(0)
    await store.tally()
    forgetting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await forgetting
    await store.close()
    members, indexes = left(checkpoint_file)
    assert 100 < members <= 300
    assert indexes == 2

    store = in_file(checkpoint_file)
    await store.enroll({OrderKey("1"): {"old": frozenset({"1"})}})
    assert await store.enrolled("old", ["1", "2"], None, 9) == ["1"]
    await store.forget_indexes(frozenset({"old", "kept"}))
    assert left(checkpoint_file) == (101, 2)
    await store.close()


async def test_enrolling_what_is_there_writes_nothing(checkpoint_file: Path) -> None:
    store = in_file(checkpoint_file)
    await store.enroll(MANY)
    wal = checkpoint_file.with_name(checkpoint_file.name + "-wal")
    before = wal.stat().st_mtime_ns, wal.stat().st_size
    await store.enroll(MANY)
    await store.forget_indexes(frozenset({"old", "kept"}))
    assert (wal.stat().st_mtime_ns, wal.stat().st_size) == before
    await store.close()
