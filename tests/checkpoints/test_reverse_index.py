"""What every checkpoint store promises about its reverse index: which orders a child row is part of."""

from __future__ import annotations

from connector.model.orders import Members, OrderKey
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.ports.records import Settlement
from connector.pipeline.ports.store import CheckpointStore

ITEM, PAYMENT = "oms.item", "oms.payment"


def parts(**rows: str) -> Members:
    """`item="12"`: the rows 1 and 2 of oms.item."""
    return {f"oms.{name}": frozenset(letters) for name, letters in rows.items()}


async def enroll(memory: CheckpointStore, **orders: Members) -> None:
    await memory.enroll({OrderKey(key): members for key, members in orders.items()})


async def settle(memory: CheckpointStore, key: str, members: Members | None) -> None:
    await memory.settle([Settlement(Entry(OrderKey(key), 1, 1, 1.0, Lane.LIVE, 0, False), members=members)])


async def orders(
    memory: CheckpointStore, *rows: str, index: str = ITEM, after: str | None = None, limit: int = 9
) -> list[str]:
    return [*await memory.enrolled(index, rows, None if after is None else OrderKey(after), limit)]


async def test_a_row_names_every_order_that_it_was_enrolled_for(memory: CheckpointStore) -> None:
    await enroll(memory, b=parts(item="12"), a=parts(item="23", payment="1"))
    assert await orders(memory, "2") == ["a", "b"]
    assert await orders(memory, "1") == ["b"]
    assert await orders(memory, "1", index=PAYMENT) == ["a"]
    assert await orders(memory, "9") == []
    assert await orders(memory, "1", index="oms.nothing") == []


async def test_enrolling_removes_nothing(memory: CheckpointStore) -> None:
    await enroll(memory, a=parts(item="12"))
    await enroll(memory, a=parts(item="3"))
    await enroll(memory, a=parts())
    for row in "123":
        assert await orders(memory, row) == ["a"]


async def test_an_order_of_several_rows_is_named_once(memory: CheckpointStore) -> None:
    await enroll(memory, a=parts(item="123"), b=parts(item="3"))
    assert await orders(memory, "1", "2", "3") == ["a", "b"]


async def test_enrolled_orders_are_paged_in_the_order_of_checkpoint_keys(memory: CheckpointStore) -> None:
    keys = ["é", "b", "10", "9", "😀", "\uffff", '["7","1"]']
    await memory.enroll({OrderKey(key): parts(item="1" if place % 2 else "2") for place, key in enumerate(keys)})
    first = await orders(memory, "1", "2", limit=3)
    rest = await orders(memory, "1", "2", after=first[-1])
    assert first == ["10", "9", '["7","1"]']
    assert rest == ["b", "é", "\uffff", "😀"]


async def test_a_page_is_whole_whatever_the_order_of_the_rows(memory: CheckpointStore) -> None:
    # The smallest keys are in the rows looked at last, and there are many pages of others before them.
    await memory.enroll({OrderKey(f"{n:03}"): {ITEM: frozenset({f"{99 - n}"})} for n in range(100)})
    assert await orders(memory, *map(str, range(100)), limit=3) == ["000", "001", "002"]
    assert await orders(memory, *map(str, range(100)), after="096") == ["097", "098", "099"]


async def test_a_settlement_with_members_leaves_exactly_these(memory: CheckpointStore) -> None:
    await enroll(memory, a=parts(item="12", payment="5"), b=parts(item="1"))
    await settle(memory, "a", parts(item="23"))
    assert [await orders(memory, row) for row in "123"] == [["b"], ["a"], ["a"]]
    assert await orders(memory, "5", index=PAYMENT) == []


async def test_a_settlement_without_members_leaves_them_as_they_are(memory: CheckpointStore) -> None:
    await enroll(memory, a=parts(item="1"))
    await settle(memory, "a", None)
    assert await orders(memory, "1") == ["a"]


async def test_an_order_that_is_gone_takes_its_members_along(memory: CheckpointStore) -> None:
    await enroll(memory, a=parts(item="12"), b=parts(item="2"))
    await settle(memory, "a", {})
    assert await orders(memory, "1", "2") == ["b"]


async def test_indexes_that_the_mapping_no_longer_has_are_forgotten(memory: CheckpointStore) -> None:
    await enroll(memory, a=parts(item="1", payment="1"))
    await memory.forget_indexes(frozenset({PAYMENT, "oms.new"}))
    assert await orders(memory, "1") == []
    assert await orders(memory, "1", index=PAYMENT) == ["a"]


async def test_a_forgotten_index_that_comes_back_begins_empty(memory: CheckpointStore) -> None:
    await enroll(memory, a=parts(item="1"), b=parts(item="1"))
    await memory.forget_indexes(frozenset())
    await enroll(memory, b=parts(item="2"))
    assert await orders(memory, "1", "2") == ["b"]
    assert await orders(memory, "1") == []
    await memory.forget_indexes(frozenset({ITEM}))
    assert await orders(memory, "2") == ["b"]
