"""How many may be a second, how many at once, and that whoever hangs up delays nobody. Time is told to it."""

from __future__ import annotations

import asyncio

import pytest

from connector.status.server.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def taken(pace: Pace, tries: int = 100) -> int:
    return sum(pace.take() for _ in range(tries))


def test_as_many_at_once_as_a_second_then_one_at_a_time(clock: Clock) -> None:
    pace = Pace(8, clock)
    assert taken(pace) == 8
    clock.now += 1 / 8
    assert taken(pace) == 1
    clock.now += 3 / 8
    assert taken(pace) == 3


def test_a_quiet_hour_saves_up_no_more_than_a_second(clock: Clock) -> None:
    pace = Pace(8, clock)
    clock.now += 3600
    assert taken(pace) == 8


async def test_turns_come_in_order_at_the_pace(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    pace, came = Pace(4, clock), []

    async def visit(number: int) -> None:
        assert await pace.turn(lambda: False)
        came.append((number, clock.now - 100.0))

    visits = [visit(number) for number in range(8)]
    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "sleep", clock.sleep)
        await asyncio.gather(*visits)
    assert came == [(0, 0.0), (1, 0.0), (2, 0.0), (3, 0.0), (4, 0.25), (5, 0.5), (6, 0.75), (7, 1.0)]


async def test_whoever_is_gone_takes_no_turn(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace(4, clock)
    assert taken(pace) == 4
    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "sleep", clock.sleep)
        assert await asyncio.gather(*(pace.turn(lambda: True) for _ in range(100))) == [False] * 100
        assert await pace.turn(lambda: False)
    assert clock.now == 100.25
