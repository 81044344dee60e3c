"""What affects many orders lets single changes overtake it, and still gets on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import pytest

from connector.model.orders import OrderKey
from connector.model.rows import Assembly
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.dispatch.capacity import Capacity
from connector.pipeline.holds.manual_pause import ManualPause
from connector.pipeline.ports.entries import HANDFUL, Entry, Lane
from connector.pipeline.ports.records import Taken
from connector.pipeline.sweeps import lookups
from connector.projection import Assembler
from tests.support.fixtures.connector import Rig, eventually
from tests.support.ledger import entries_taken
from tests.support.pipeline_context import context_for_test, queue_for_test

MANY = 15
OF_MANY = {
    "a customer of many orders": "UPDATE oms.customer SET last_nm = last_nm || '!' WHERE cust_id = 1",
    "one statement": f"UPDATE oms.order_header SET tag_list = 'bulk' WHERE ord_id <= {MANY}",
}


@pytest.fixture
async def slow(rig: Rig) -> Rig:
    """Everything is in step, orders 1 to 15 are customer 1's, and Redo takes one request at a time, 50 ms each."""
    rig.execute(f"UPDATE oms.order_header SET cust_id = CASE WHEN ord_id <= {MANY} THEN 1 ELSE 2 END")
    await rig.start()
    await rig.quiet()
    await rig.stop()
    rig.switch(latency_ms=50)
    rig.overrides = {"redo": {"max_concurrency": 1}}
    await rig.start()
    await rig.quiet()
    return rig


@pytest.mark.parametrize("statement", OF_MANY.values(), ids=OF_MANY)
async def test_a_single_change_overtakes_a_change_of_many_orders(slow: Rig, statement: str) -> None:
    pushes = slow.sandbox.state.pushes.total()
    slow.execute(statement)
    await eventually("it is on its way", lambda: slow.sandbox.state.pushes.total() > pushes)
    slow.execute("UPDATE oms.order_header SET tag_list = 'single' WHERE ord_id = 39")
    await eventually("the single change arrived", lambda: slow.stored()["39"]["tags"] == ["single"])
    assert slow.sandbox.state.pushes.total() - pushes < MANY
    await slow.quiet()
    assert (await slow.verdict()).clean


async def test_an_order_that_waits_with_many_and_changes_by_itself_goes_first(slow: Rig) -> None:
    pushes = slow.sandbox.state.pushes.total()
    slow.execute("UPDATE oms.customer SET last_nm = last_nm || '!' WHERE cust_id = 2")
    await eventually("it is on its way", lambda: slow.sandbox.state.pushes.total() > pushes)
    slow.execute("UPDATE oms.order_header SET tag_list = 'single' WHERE ord_id = 39")
    await eventually("the single change arrived", lambda: slow.stored()["39"]["tags"] == ["single"])
    assert slow.sandbox.state.pushes.total() - pushes < MANY
    await slow.quiet()
    assert (await slow.verdict()).clean


async def test_a_handful_of_orders_are_live_changes_and_more_wait_as_a_fan_out(rig: Rig) -> None:
    rig.execute(f"UPDATE oms.order_header SET cust_id = CASE WHEN ord_id <= {HANDFUL} THEN 1 ELSE 2 END")
    await rig.start()
    await rig.quiet()
    await rig.running.pipeline.control.pause()
    rig.execute("UPDATE oms.customer SET last_nm = last_nm || '!' WHERE cust_id = 1")
    await eventually("the orders are found", lambda: waiting(rig, Lane.LIVE, HANDFUL))
    rig.execute(f"UPDATE oms.order_header SET tag_list = 'few' WHERE ord_id BETWEEN 11 AND {10 + HANDFUL}")
    await eventually("these, too, are live", lambda: waiting(rig, Lane.LIVE, 2 * HANDFUL))
    rig.execute(f"UPDATE oms.order_header SET tag_list = 'many' WHERE ord_id BETWEEN 31 AND {31 + HANDFUL}")
    await eventually("one more is too many", lambda: waiting(rig, Lane.FANOUT, HANDFUL + 1))
    rig.execute("UPDATE oms.customer SET last_nm = last_nm || '!' WHERE cust_id = 2")
    rest = 40 - 2 * HANDFUL
    await eventually("those that were live stay so", lambda: waiting(rig, Lane.FANOUT, rest))
    assert await waiting(rig, Lane.LIVE, 2 * HANDFUL)


def test_a_fan_out_has_less_room_while_a_live_change_is_in_work() -> None:
    context, admissions = context_for_test(), StoreAdmissions(4, None)
    capacity = Capacity(context, admissions, ManualPause(context, queue_for_test(context), admissions))
    many = [Entry(OrderKey(f"fan {n}"), 1, 1, 0.0, Lane.FANOUT, 0, False) for n in range(8)]
    context.in_work.take(Taken(many))
    room = capacity.room()
    assert room is not None
    assert (room.limit, Lane.FANOUT in room.lanes) == (8, True)
    context.in_work.take(Taken([Entry(OrderKey("live"), 1, 1, 0.0, Lane.LIVE, 0, False)]))
    room = capacity.room()
    assert room is not None
    assert room.lanes == (Lane.LIVE,)
    context.in_work.remove([many[0].key, many[1].key, many[2].key, many[3].key])
    room = capacity.room()
    assert room is not None
    assert Lane.FANOUT in room.lanes, "it gets on meanwhile"


async def test_changes_that_come_while_a_query_runs_are_read_by_the_next_one_together(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.start()
    await rig.quiet()
    may_end, queries, assemble = asyncio.Event(), [], Assembler.assemble

    async def assemble_once_it_may(
        self: Assembler, keys: Sequence[OrderKey], largest: int | None = None, *, brief: bool = False
    ) -> Assembly:
        queries.append(len(keys))
        await may_end.wait()
        return await assemble(self, keys, largest, brief=brief)

    monkeypatch.setattr(Assembler, "assemble", assemble_once_it_may)
    for order in range(1, 10):
        rig.execute("UPDATE oms.order_header SET tag_list = 'one by one' WHERE ord_id = %s", order)
        await eventually("it is taken", partial(rig.running.pipeline.in_work.__contains__, str(order)))
    may_end.set()
    await rig.quiet()
    assert queries == [1, 8]
    assert (await rig.verdict()).clean


async def test_walks_and_what_they_found_are_read_in_turns_so_that_live_changes_find_a_connection_free(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "PAGE", 2)
    await rig.start()
    await rig.quiet()
    reads = Concurrent()
    monkeypatch.setattr(Assembler, "resolve", reads.counted(Assembler.resolve, lambda _, __, after, ___: after))
    monkeypatch.setattr(Assembler, "assemble", reads.counted(Assembler.assemble, lambda _, keys, *__, **___: keys))
    rig.execute("UPDATE oms.customer SET last_nm = last_nm || '!'")
    rig.execute("UPDATE oms.carrier SET carrier_nm = carrier_nm || '!'")
    await rig.quiet()
    assert reads.all > 20
    assert reads.most == 1
    assert (await rig.verdict()).clean


class Concurrent:
    """How many calls there were, and how many at once."""

    def __init__(self) -> None:
        self.all = self.now = self.most = 0

    def counted(self, call: Callable[..., Awaitable[object]], which: Callable[..., object]) -> Callable[..., object]:
        """The call, counted when `which` of its arguments is true."""

        async def counting(*arguments: object, **named: object) -> object:
            if not which(*arguments, **named):
                return await call(*arguments, **named)
            self.all, self.now = self.all + 1, self.now + 1
            self.most = max(self.most, self.now)
            try:
                return await call(*arguments, **named)
            finally:
                self.now -= 1

        return counting


async def waiting(rig: Rig, lane: Lane, orders: int) -> bool:
    """Whether so many wait in the lane; nothing is taken meanwhile."""
    return len(await entries_taken(rig.running.pipeline.ports.store, 99, time.time(), frozenset(), [lane])) == orders
