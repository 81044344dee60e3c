"""How many orders are read at once, and when an order that is too slow is tried again."""

from __future__ import annotations

import pytest

from connector.model.errors import LimitExceeded
from connector.model.orders import OrderKey
from connector.pipeline.examine.slow_orders import LONGEST, SlowOrders
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.read.batch import BATCH, TRIED_ANYWAY, BatchSize, divided


def entry(key: int, revision: int = 1) -> Entry:
    return Entry(OrderKey(str(key)), 1, revision, 0.0, Lane.LIVE, 0, False)


TOO_SLOW = LimitExceeded("too slow", "takes longer than source.statement_timeout (2 s)", "raise it")


def test_a_batch_that_took_too_long_is_followed_by_smaller_ones_that_grow_slowly_again() -> None:
    batch = BatchSize()
    batch.exceeded(BATCH, 2.0)
    assert batch.size == BATCH // 4
    batch.passed(batch.size - 1, 0.1)
    assert batch.size == BATCH // 4, "it was not full"
    batch.passed(batch.size, 1.5)
    assert batch.size == BATCH // 4, "a larger one might take too long"
    sizes = []
    while batch.size < BATCH:
        batch.passed(batch.size, 0.1)
        sizes.append(batch.size)
    assert len(sizes) == 7


def test_a_batch_never_shrinks_to_nothing_and_a_larger_one_is_tried_now_and_then() -> None:
    batch = BatchSize()
    for _ in range(20):
        batch.exceeded(batch.size, 2.0)
    assert batch.size == 1
    for _ in range(TRIED_ANYWAY):
        batch.passed(1, 1.9)
    assert batch.size == 2


def test_pages_that_exceed_a_limit_shrink_too() -> None:
    pages = BatchSize(1000)

    def read(most: int) -> int:
        with pages.page() as size:
            if size > most:
                raise TOO_SLOW
        return size

    with pytest.raises(LimitExceeded):
        read(300)
    assert read(300) == 250


def test_most_queries_have_little_time_until_that_is_too_little_for_any() -> None:
    batch = BatchSize()
    assert batch.brief
    batch.needs_time(3.0)
    for _ in range(30):
        batch.passed(BATCH, 2.0)
        assert not batch.brief
    for _ in range(20):
        batch.passed(BATCH, 1.0)
    assert batch.brief


def test_what_took_too_long_is_divided_into_eight() -> None:
    assert [len(part) for part in divided([entry(number) for number in range(200)])] == [25] * 8
    assert [len(part) for part in divided([entry(number) for number in range(3)])] == [1, 1, 1]


def test_a_slow_order_is_tried_ever_more_rarely_at_most_once_an_hour() -> None:
    slow, now, rests = SlowOrders(), 1000.0, []
    for _ in range(8):
        slow.tried(entry(1), 30.0, now)
        rests.append(slow.due(entry(1)) - now)
        now = slow.due(entry(1))
    assert rests[:4] == [300.0, 600.0, 1200.0, 2400.0]
    assert rests[4:] == [LONGEST] * 4


def test_a_slow_order_that_changes_is_tried_at_once_but_not_at_each_of_many_changes() -> None:
    slow, now = SlowOrders(), 1000.0
    slow.tried(entry(1), 30.0, now)
    assert slow.due(entry(1, 2)) <= now
    rests = []
    for revision in range(2, 8):
        slow.tried(entry(1, revision), 30.0, now)
        rests.append(slow.due(entry(1, revision + 1)) - now)
        now = slow.due(entry(1, revision + 1))
    assert rests == [90.0, 180.0, 270.0, 300.0, 300.0, 300.0]


def test_many_slow_orders_leave_the_database_time() -> None:
    slow = SlowOrders()
    slow.load(OrderKey(str(number)) for number in range(100))
    assert slow.due(entry(1)) == 0.0, "those of the last run are tried"
    slow.tried(entry(1), 30.0, 1000.0)
    assert slow.due(entry(2)) == 1090.0


def test_an_order_that_is_set_aside_is_named_and_does_not_count_as_waiting() -> None:
    settled = SlowOrders().set_aside(entry(7), TOO_SLOW, 2.0, 1000.0)
    letter, again = settled.settlement.dead_letter, settled.settlement.again
    assert letter is not None
    assert again is not None
    assert (letter.key, letter.reason) == ("7", "slow")
    assert letter.message.startswith("reading this order takes longer than source.statement_timeout (2 s): raise it")
    assert letter.cause == "reading the order takes longer than source.statement_timeout (2 s)"
    assert (again.due, again.since, again.attempts) == (1020.0, 1020.0, 0)
