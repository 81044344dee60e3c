"""Whether a missing order was deleted: what is doubted, for how long, and what the stream shows."""

from __future__ import annotations

import pytest

from connector.checkpoints.opening import in_memory
from connector.checkpoints.store import Checkpoints
from connector.model.orders import OrderKey
from connector.pipeline.holds.vanished_rows import VanishedRows
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.sweeps.state import Sweeps
from tests.support.pipeline_context import context_for_test


class Stage:
    def __init__(self, memory: Checkpoints) -> None:
        context = context_for_test(memory)
        self.revisions = context.revisions
        self.sweeps = Sweeps(context)
        self.vanished_rows = VanishedRows(context, self.sweeps)

    def why_doubtful(self, key: str, revision: int | None = None) -> str | None:
        at = self.revisions.next() if revision is None else revision
        return self.vanished_rows.why_doubtful(Entry(OrderKey(key), at, at, 0.0, Lane.LIVE, 0, confirm=False))


@pytest.fixture
def memory() -> Checkpoints:
    return in_memory()


async def test_nothing_is_doubted_at_first(memory: Checkpoints) -> None:
    assert Stage(memory).why_doubtful("1") is None


async def test_a_doubt_lasts_until_the_comparison_is_over_and_longer_for_what_came_before(
    memory: Checkpoints,
) -> None:
    stage = Stage(memory)
    await stage.vanished_rows.doubt_and_compare("a partition was detached")
    sweep = stage.sweeps.current
    assert sweep is not None
    early = stage.revisions.next()
    await stage.vanished_rows.compared(sweep.revision - 1)
    assert stage.why_doubtful("1") == "a partition was detached"
    await stage.vanished_rows.compared(sweep.revision)
    assert stage.why_doubtful("1", early) == "a partition was detached"
    assert stage.why_doubtful("1") is None


async def test_an_order_that_is_only_pushed_again_is_judged_by_the_change_that_came_with_it(
    memory: Checkpoints,
) -> None:
    stage = Stage(memory)
    await stage.vanished_rows.doubt_and_compare("a partition was detached")
    sweep = stage.sweeps.current
    assert sweep is not None
    await stage.vanished_rows.compared(sweep.revision)
    changed = Entry(OrderKey("1"), 0, stage.revisions.next(), 0.0, Lane.LIVE, 0, confirm=True)
    assert stage.vanished_rows.why_doubtful(changed) is None
    assert stage.why_doubtful("1", 0) == "a partition was detached"


async def test_a_doubt_survives_a_restart(memory: Checkpoints) -> None:
    await Stage(memory).vanished_rows.doubt("a view was redefined")
    stage = Stage(memory)
    await stage.vanished_rows.load()
    assert stage.vanished_rows.comparison_needed
    assert stage.why_doubtful("1") == "a view was redefined"


async def test_a_delete_that_the_stream_shows_counts_until_the_row_is_written_again(memory: Checkpoints) -> None:
    stage = Stage(memory)
    await stage.vanished_rows.doubt_and_compare("a partition was detached")
    key = OrderKey("1")
    stage.vanished_rows.record_rows([key], [])
    assert stage.why_doubtful("1") is None
    stage.vanished_rows.record_rows([], [key])
    assert stage.why_doubtful("1") is not None
    stage.vanished_rows.record_rows([key], [])
    stage.vanished_rows.forget_deletes()
    assert stage.why_doubtful("1") is not None


async def test_a_new_doubt_needs_a_comparison_of_its_own(memory: Checkpoints) -> None:
    stage = Stage(memory)
    await stage.vanished_rows.doubt_and_compare("a partition was detached")
    first = stage.sweeps.current
    assert first is not None
    await stage.vanished_rows.doubt("another one was detached", asks=True)
    assert not stage.vanished_rows.comparison_needed, "who said so asks for it"
    await stage.vanished_rows.compared(first.revision)
    assert stage.why_doubtful("1") == "another one was detached"


async def test_a_void_reading_is_doubted_once(memory: Checkpoints) -> None:
    stage = Stage(memory)
    await stage.vanished_rows.reading_was_void("row-level security")
    asked = stage.sweeps.current
    await stage.vanished_rows.reading_was_void("row-level security")
    assert stage.sweeps.current == asked


async def test_an_approval_from_before_a_doubt_is_none_of_a_removal(memory: Checkpoints) -> None:
    stage = Stage(memory)
    before = Entry(OrderKey("1"), 1, stage.revisions.next(), 0.0, Lane.SWEEP, 0, confirm=False, approved=True)
    assert stage.vanished_rows.approval_covers(before)
    await stage.vanished_rows.doubt_and_compare("a partition was detached")
    at = stage.revisions.next()
    since = Entry(OrderKey("2"), at, at, 0.0, Lane.SWEEP, 0, confirm=False, approved=True)
    assert (stage.vanished_rows.approval_covers(before), stage.vanished_rows.approval_covers(since)) == (False, True)
    stage.vanished_rows.record_rows([before.key], [])
    assert stage.vanished_rows.approval_covers(before)
