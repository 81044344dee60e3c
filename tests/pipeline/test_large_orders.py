"""Orders of uncommon size: how many are read together, and when the next ones are."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from connector.contract.order_builder import RedoContract
from connector.model.orders import OrderKey
from connector.pipeline.deliveries import Action, Delivery, Remembered
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.read.large_orders import TOGETHER, UNDER_WAY, WAITING, LargeOrders
from tests.support.redo_orders import document

CONTRACT = RedoContract()
MB = 2**20


def entry(key: int) -> Entry:
    return Entry(OrderKey(str(key)), 1, 1, 0.0, Lane.LIVE, 0, False)


def delivery(size: int) -> Delivery:
    order = replace(CONTRACT.order(document(), 0.0), body=b" " * size)
    return Delivery(entry(1), Action.PUSH, order.place, order, Remembered())


def test_so_many_are_read_together_as_fit_and_a_larger_one_alone() -> None:
    sizes = [3 * MB, 4 * MB, 2 * MB, TOGETHER + 1, MB]
    groups = list(LargeOrders().groups([(entry(number), size) for number, size in enumerate(sizes)]))
    assert [[int(each.key) for each in group] for group in groups] == [[0, 1], [2], [3], [4]]


async def test_no_more_are_read_while_enough_are_on_their_way() -> None:
    large = LargeOrders()
    heavy, small = delivery(UNDER_WAY - 10), delivery(10)
    large.started(heavy)
    await asyncio.wait_for(large.until_room(), 1.0)
    large.started(small)
    waiting = asyncio.create_task(large.until_room())
    await asyncio.sleep(0)
    assert not waiting.done()
    large.finished(small)
    await asyncio.wait_for(waiting, 1.0)


def test_those_in_work_keep_nobody_waiting_up_to_a_bound() -> None:
    large = LargeOrders()
    list(large.groups([(entry(number), 1) for number in range(WAITING)]))
    assert (large.exempt, OrderKey("5") in large) == (WAITING, True)
    list(large.groups([(entry(WAITING), 1)]))
    assert (large.exempt, OrderKey("5") in large) == (WAITING, False)
    large.remove(OrderKey("7"))
    assert (large.exempt, OrderKey("5") in large, OrderKey("7") in large) == (WAITING, True, False)
