"""Whether a missing order was deleted: what is doubted, for how long, and what the stream shows."""

from __future__ import annotations

import pytest

from connector.checkpoints.memory import MemoryCheckpoints
from connector.model.orders import OrderKey
from connector.pipeline.holds.vanished_rows import Evidence
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.revisions import Revisions
from connector.pipeline.sweeps.sweep import Sweeper
from connector.status.metrics import Metrics
from tests.pipeline.test_progress import NoOrders


class Stage:
    def __init__(self, memory: MemoryCheckpoints) -> None:
        self.revisions = Revisions()
        self.sweeper = Sweeper(memory, NoOrders(), self.revisions, Metrics("test"), lambda: None, None)  # type: ignore[arg-type]
        self.evidence = Evidence(memory, self.sweeper, lambda: self.revisions.last)

    def lacking(self, key: str, revision: int | None = None) -> str | None:
        at = self.revisions.next() if revision is None else revision
        return self.evidence.lacking(Entry(OrderKey(key), at, at, 0.0, Lane.LIVE, 0, confirm=False))


@pytest.fixture
def memory() -> MemoryCheckpoints:
    return MemoryCheckpoints()


async def test_nothing_is_doubted_at_first(memory: MemoryCheckpoints) -> None:
    assert Stage(memory).lacking("1") is None


async def test_a_doubt_lasts_until_the_comparison_is_over_and_longer_for_what_came_before(
    memory: MemoryCheckpoints,
) -> None:
    stage = Stage(memory)
    await stage.evidence.anew("a partition was detached")
    sweep = stage.sweeper.current
    assert sweep is not None
    early = stage.revisions.next()
    await stage.evidence.compared(sweep.revision - 1)
    assert stage.lacking("1") == "a partition was detached"
    await stage.evidence.compared(sweep.revision)
    assert stage.lacking("1", early) == "a partition was detached"
    assert stage.lacking("1") is None


async def test_an_order_that_is_only_pushed_again_is_judged_by_the_change_that_came_with_it(
    memory: MemoryCheckpoints,
) -> None:
    stage = Stage(memory)
    await stage.evidence.anew("a partition was detached")
    sweep = stage.sweeper.current
    assert sweep is not None
    await stage.evidence.compared(sweep.revision)
    changed = Entry(OrderKey("1"), 0, stage.revisions.next(), 0.0, Lane.LIVE, 0, confirm=True)
    assert stage.evidence.lacking(changed) is None
    assert stage.lacking("1", 0) == "a partition was detached"


async def test_a_doubt_survives_a_restart(memory: MemoryCheckpoints) -> None:
    await Stage(memory).evidence.doubt("a view was redefined")
    stage = Stage(memory)
    await stage.evidence.load()
    assert stage.evidence.unasked
    assert stage.lacking("1") == "a view was redefined"


async def test_a_delete_that_the_stream_shows_counts_until_the_row_is_written_again(memory: MemoryCheckpoints) -> None:
    stage = Stage(memory)
    await stage.evidence.anew("a partition was detached")
    key = OrderKey("1")
    stage.evidence.shown([key], [])
    assert stage.lacking("1") is None
    stage.evidence.shown([], [key])
    assert stage.lacking("1") is not None
    stage.evidence.shown([key], [])
    stage.evidence.forget_shown()
    assert stage.lacking("1") is not None


async def test_a_new_doubt_needs_a_comparison_of_its_own(memory: MemoryCheckpoints) -> None:
    stage = Stage(memory)
    await stage.evidence.anew("a partition was detached")
    first = stage.sweeper.current
    assert first is not None
    await stage.evidence.doubt("another one was detached", asks=True)
    assert not stage.evidence.unasked, "who said so asks for it"
    await stage.evidence.compared(first.revision)
    assert stage.lacking("1") == "another one was detached"


async def test_a_void_reading_is_doubted_once(memory: MemoryCheckpoints) -> None:
    stage = Stage(memory)
    await stage.evidence.void("row-level security")
    asked = stage.sweeper.current
    await stage.evidence.void("row-level security")
    assert stage.sweeper.current == asked


async def test_an_approval_from_before_a_doubt_is_none_of_a_removal(memory: MemoryCheckpoints) -> None:
    stage = Stage(memory)
    before = Entry(OrderKey("1"), 1, stage.revisions.next(), 0.0, Lane.SWEEP, 0, confirm=False, approved=True)
    assert stage.evidence.approved(before)
    await stage.evidence.anew("a partition was detached")
    at = stage.revisions.next()
    since = Entry(OrderKey("2"), at, at, 0.0, Lane.SWEEP, 0, confirm=False, approved=True)
    assert (stage.evidence.approved(before), stage.evidence.approved(since)) == (False, True)
    stage.evidence.shown([before.key], [])
    assert stage.evidence.approved(before)
