"""What every checkpoint store promises about groups of dead letters, warnings and the history of sweeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connector.checkpoints.opening import in_file, in_memory
from connector.checkpoints.tables import notes
from connector.checkpoints.tables.dead_letters import letter_group
from connector.checkpoints.tables.notes import SWEEPS_KEPT
from connector.model.orders import OrderKey, Suspicion
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.ports.records import Checkpoint, DeadLetter, LetterGroup, Settlement, Sweep, SweepKind, Warned
from connector.pipeline.ports.store import CheckpointStore

SHRUNK, REUSED = "refunds_shrunk", "line_item_id_reused"


def entry(key: str) -> Entry:
    return Entry(OrderKey(key), 1, 1, 1.0, Lane.LIVE, 0, False)


def refused(key: str, reason: str, cause: str, seen: float = 1.0, store_id: str = "") -> Settlement:
    letter = DeadLetter(OrderKey(key), reason, "words", (), None, seen, seen, 2, cause=cause, store_id=store_id)
    return Settlement(entry(key), dead_letter=letter)


async def test_dead_letters_of_one_reason_and_cause_are_a_group_the_largest_first(memory: CheckpointStore) -> None:
    await memory.settle([refused(key, "invalid", "tags: too long", float(ord(key))) for key in "cab"])
    await memory.settle([refused("e", "rejected", "tags: too long")])
    big, small = await memory.letter_groups()
    name = letter_group("invalid", "tags: too long")
    assert big == LetterGroup(name, "invalid", "tags: too long", 3, 6, 97.0, 99.0, ("a", "b", "c"))  # type: ignore[arg-type]
    assert (small.reason, small.orders) == ("rejected", 1)
    assert len(name) == 8


async def test_a_letter_knows_its_store_and_a_group_those_of_its_letters(memory: CheckpointStore) -> None:
    await memory.settle(
        [
            refused(key, "invalid", "one", store_id=store)
            for key, store in zip("abcd", ("us", "", "eu", "us"), strict=True)
        ]
    )
    (group,) = await memory.letter_groups()
    assert group.stores == ("eu", "us")
    assert [letter.store_id for letter in await memory.dead_letters(None, 9)] == ["us", "", "eu", "us"]
    await memory.settle([refused("c", "invalid", "one", store_id="us")])
    (group,) = await memory.letter_groups()
    assert group.stores == ("us",)


async def test_a_group_shows_some_of_its_keys_and_pages_through_all(memory: CheckpointStore) -> None:
    await memory.settle([refused(key, "invalid", "one") for key in "abcdefgh"])
    await memory.settle([refused("d", "invalid", "other")])
    (group, other) = await memory.letter_groups()
    assert group.samples == ("a", "b", "c", "e", "f")
    assert await memory.letter_keys(group.group, OrderKey("b"), 3) == ["c", "e", "f"]
    assert await memory.letter_keys(other.group, None, 9) == ["d"]
    assert await memory.letter_keys(None, OrderKey("b"), 3) == ["c", "d", "e"]
    assert await memory.letter_keys("nothing", None, 9) == []


class Clock:
    now = 10.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["sqlite", "memory"])
def timed(request: pytest.FixtureRequest, checkpoint_file: Path) -> tuple[CheckpointStore, Clock]:
    """A store that goes by a clock of the test's."""
    clock = Clock()
    if request.param == "memory":
        return in_memory(clock=clock), clock
    return in_file(checkpoint_file, clock=clock), clock


async def test_a_warning_is_remembered_with_how_often_it_arose(timed: tuple[CheckpointStore, Clock]) -> None:
    memory, clock = timed
    await memory.settle([Settlement(entry("a"), warnings=(Suspicion(SHRUNK, "one"),))])
    clock.now = 20.0
    both = (Suspicion(REUSED, "two"), Suspicion(SHRUNK, "three"))
    await memory.settle([Settlement(entry("b"), warnings=both)])
    clock.now = 30.0
    await memory.settle([Settlement(entry("a"), warnings=(Suspicion(SHRUNK, "four"),))])
    assert await memory.warned(1) == [Warned(OrderKey("a"), SHRUNK, "four", 10.0, 30.0, 2)]
    assert [row.key for row in await memory.warned(9)] == ["a", "b", "b"]
    assert (await memory.tally()).warnings == {"refunds_shrunk": 2, "line_item_id_reused": 1}
    await memory.close()


async def test_a_warning_goes_once_the_order_is_accepted_without_it_and_one_of_an_event_stays(
    timed: tuple[CheckpointStore, Clock],
) -> None:
    memory, clock = timed
    both = (Suspicion("empty_sku", "x"), Suspicion("negative_amount", "x"), Suspicion(SHRUNK, "x"))
    await memory.settle([Settlement(entry(key), warnings=both) for key in "ab"])
    clock.now = 20.0
    await memory.settle([Settlement(entry("a"), warnings=(Suspicion("empty_sku", "y"),)), Settlement(entry("b"))])
    found = {(row.key, row.kind): (row.first_seen, row.last_seen, row.times) for row in await memory.warned(9)}
    assert found == {
        ("a", "empty_sku"): (10.0, 20.0, 2),
        ("a", SHRUNK): (10.0, 10.0, 1),
        **{("b", kind): (10.0, 10.0, 1) for kind in ("empty_sku", "negative_amount", SHRUNK)},
    }
    clock.now = 30.0
    await memory.settle([Settlement(entry("a"), warnings=()), Settlement(entry("b"), warnings=())])
    assert (await memory.tally()).warnings == {SHRUNK: 2}
    await memory.close()


async def test_the_oldest_warnings_of_a_rule_go_and_none_of_another(
    timed: tuple[CheckpointStore, Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes, "WARNINGS_KEPT", 3)
    monkeypatch.setattr(notes, "WARNINGS_STEP", 2)
    memory, clock = timed
    await memory.settle([Settlement(entry("z"), warnings=(Suspicion(SHRUNK, "x"),))])
    for key in "fedcba":
        clock.now += 1
        await memory.settle([Settlement(entry(key), warnings=(Suspicion("empty_sku", "x"),))])
    clock.now += 1
    await memory.settle([Settlement(entry("a"), warnings=(Suspicion("empty_sku", "x"),))])
    rows = [(row.key, row.kind) for row in await memory.warned(9)]
    assert rows == [("a", "empty_sku"), ("b", "empty_sku"), ("c", "empty_sku"), ("z", SHRUNK)]
    await memory.close()


async def test_an_order_that_redo_has_no_longer_is_not_warned_of(timed: tuple[CheckpointStore, Clock]) -> None:
    memory, clock = timed
    sku = (Suspicion("empty_sku", "x"),)
    there = Settlement(entry("old"), Checkpoint(OrderKey("old"), "7", b"f", 1.0), warnings=sku)
    await memory.settle([there, Settlement(entry("deleted"), warnings=sku)])
    clock.now = 20.0
    displacing = Settlement(
        entry("new"), Checkpoint(OrderKey("new"), "7", b"f", 1.0), warnings=(), displaces=(OrderKey("old"),)
    )
    await memory.settle([displacing, Settlement(entry("deleted"), forget=True)])
    assert await memory.warned(9) == []
    await memory.close()


async def test_finished_sweeps_are_listed_the_latest_first_and_once_each(memory: CheckpointStore) -> None:
    one = Sweep(SweepKind.BACKFILL, "first start", 1, 1, 1.0)
    await memory.save_sweep(one)
    assert await memory.sweeps(9) == []
    one = replace(one, finished_at=5.0, missed=3)
    two = Sweep(SweepKind.RECONCILE, "asked", 2, 2, 6.0, finished_at=9.0, changed=1, extra=2, held=3)
    await memory.save_sweep(one)
    await memory.save_sweep(replace(one, wanted_revision=2))
    await memory.arrive([], [], two)
    assert await memory.sweeps(9) == [two, replace(one, wanted_revision=2)]
    assert await memory.sweeps(1) == [two]


async def test_the_history_of_sweeps_is_bounded(memory: CheckpointStore) -> None:
    for number in range(1, SWEEPS_KEPT + 3):
        moment = float(number)
        await memory.save_sweep(Sweep(SweepKind.RECONCILE, "asked", number, number, moment, finished_at=moment))
    found = [sweep.revision for sweep in await memory.sweeps(10_000)]
    assert found == list(range(SWEEPS_KEPT + 2, 2, -1))
