"""The right to push is asked for last: no byte of a request leaves without it, however long a connection took."""

from __future__ import annotations

import asyncio

from connector.model.orders import OutcomeKind
from tests.support.redo_orders import until
from tests.support.redo_servers import client_of, serving, small_order

ORDER = small_order("1001")


async def test_without_the_right_nothing_is_sent_and_the_outcome_says_so() -> None:
    async def never() -> bool:
        return False

    async with serving() as seen, client_of(seen.url, permit=never) as client:
        outcome = await client.push(ORDER)
        assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.UNAVAILABLE, None, "connect")
        assert seen.requests == 0


async def test_a_request_that_waits_for_the_right_is_sent_once_it_is_there_and_asked_for_it_after_the_connection() -> (
    None
):
    granted, asked = asyncio.Event(), asyncio.Event()

    async def permit() -> bool:
        asked.set()
        await granted.wait()
        return True

    async with serving() as seen, client_of(seen.url, permit=permit) as client:
        push = asyncio.ensure_future(client.push(ORDER))
        await asked.wait()
        await until(lambda: seen.connections == 1)
        assert seen.requests == 0
        granted.set()
        assert (await push).kind is OutcomeKind.ACCEPTED
        assert seen.requests == 1


async def test_a_request_that_waited_longer_for_the_right_than_an_answer_may_take_has_all_that_time_for_it() -> None:
    granted = asyncio.Event()

    async def permit() -> bool:
        await granted.wait()
        return True

    async with serving() as seen, client_of(seen.url, permit=permit, timeout=0.2) as client:
        push = asyncio.ensure_future(client.push(ORDER))
        asyncio.get_running_loop().call_later(0.6, granted.set)
        assert (await push).kind is OutcomeKind.ACCEPTED
