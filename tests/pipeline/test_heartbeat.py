"""Heartbeats: who is expected to beat, and for how long he didn't."""

from __future__ import annotations

import pytest

from connector.pipeline.heartbeat import Heartbeat, Stalls


def seconds(stalls: Stalls, *heartbeats: Heartbeat, passed: float = 1.0) -> dict[str, float]:
    return {stall.name: stall.beyond for stall in stalls.look(heartbeats, passed)}


def test_a_part_that_rests_never_stalls() -> None:
    stalls, heartbeat = Stalls(), Heartbeat("settler", "writing")
    for _ in range(100):
        assert seconds(stalls, heartbeat) == {}


def test_a_part_that_works_and_does_not_beat_stalls_until_it_beats() -> None:
    stalls, heartbeat = Stalls(), Heartbeat("settler", "writing")
    heartbeat.beat()
    assert [seconds(stalls, heartbeat) for _ in range(3)] == [{}, {"settler": 1.0}, {"settler": 2.0}]
    heartbeat.beat()
    assert [seconds(stalls, heartbeat) for _ in range(2)] == [{}, {"settler": 1.0}]
    heartbeat.rest()
    assert seconds(stalls, heartbeat) == {}


def test_a_part_that_goes_on_waiting_again_and_again_does_not_stall() -> None:
    stalls, heartbeat = Stalls(), Heartbeat("settler", "writing")
    for _ in range(10):
        with heartbeat.resting():
            assert seconds(stalls, heartbeat) == {}
        assert seconds(stalls, heartbeat) == {}


def test_a_part_whose_work_fails_does_not_look_at_work() -> None:
    heartbeat = Heartbeat("intake", "writing")

    def work() -> None:
        with heartbeat.working():
            assert not heartbeat.rests
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert heartbeat.rests


def test_what_may_take_long_by_a_limit_of_its_own_has_that_on_top() -> None:
    stalls, heartbeat = Stalls(), Heartbeat("sweeper", "walking")
    heartbeat.allowance = 30.0
    heartbeat.beat()
    assert [seconds(stalls, heartbeat, passed=20.0) for _ in range(3)] == [{}, {}, {"sweeper": 10.0}]


def test_the_worst_comes_first_and_is_named_in_a_sentence() -> None:
    stalls, older, newer = Stalls(), Heartbeat("settler", "writing"), Heartbeat("guard", "judging")
    older.beat()
    stalls.look([older, newer], 1.0)
    newer.beat()
    stalls.look([older, newer], 30.0)
    found = stalls.look([newer, older], 30.0)
    assert [stall.name for stall in found] == ["settler", "guard"]
    store = Heartbeat("store", "writing", root=True)
    store.beat()
    stalls.look([newer, older, store], 1.0)
    assert [stall.name for stall in stalls.look([newer, older, store], 1.0)] == ["store", "settler", "guard"]
    assert str(found[0]) == "the settler (writing) has not got on for 60 s, though it has work"
