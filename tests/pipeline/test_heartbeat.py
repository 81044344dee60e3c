"""Pulses: who is expected to beat, and for how long he didn't."""

from __future__ import annotations

import pytest

from connector.pipeline.heartbeat import Pulse, Stalls


def seconds(stalls: Stalls, *pulses: Pulse, passed: float = 1.0) -> dict[str, float]:
    return {stall.name: stall.beyond for stall in stalls.look(pulses, passed)}


def test_a_part_that_rests_never_stalls() -> None:
    stalls, pulse = Stalls(), Pulse("settler", "writing")
    for _ in range(100):
        assert seconds(stalls, pulse) == {}


def test_a_part_that_works_and_does_not_beat_stalls_until_it_beats() -> None:
    stalls, pulse = Stalls(), Pulse("settler", "writing")
    pulse.beat()
    assert [seconds(stalls, pulse) for _ in range(3)] == [{}, {"settler": 1.0}, {"settler": 2.0}]
    pulse.beat()
    assert [seconds(stalls, pulse) for _ in range(2)] == [{}, {"settler": 1.0}]
    pulse.rest()
    assert seconds(stalls, pulse) == {}


def test_a_part_that_goes_on_waiting_again_and_again_does_not_stall() -> None:
    stalls, pulse = Stalls(), Pulse("settler", "writing")
    for _ in range(10):
        with pulse.resting():
            assert seconds(stalls, pulse) == {}
        assert seconds(stalls, pulse) == {}


def test_a_part_whose_work_fails_does_not_look_at_work() -> None:
    pulse = Pulse("intake", "writing")

    def work() -> None:
        with pulse.working():
            assert not pulse.rests
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert pulse.rests


def test_what_may_take_long_by_a_limit_of_its_own_has_that_on_top() -> None:
    stalls, pulse = Stalls(), Pulse("sweeper", "walking")
    pulse.allowance = 30.0
    pulse.beat()
    assert [seconds(stalls, pulse, passed=20.0) for _ in range(3)] == [{}, {}, {"sweeper": 10.0}]


def test_the_worst_comes_first_and_is_named_in_a_sentence() -> None:
    stalls, older, newer = Stalls(), Pulse("settler", "writing"), Pulse("guard", "judging")
    older.beat()
    stalls.look([older, newer], 1.0)
    newer.beat()
    stalls.look([older, newer], 30.0)
    found = stalls.look([newer, older], 30.0)
    assert [stall.name for stall in found] == ["settler", "guard"]
    store = Pulse("store", "writing", root=True)
    store.beat()
    stalls.look([newer, older, store], 1.0)
    assert [stall.name for stall in stalls.look([newer, older, store], 1.0)] == ["store", "settler", "guard"]
    assert str(found[0]) == "the settler (writing) has not got on for 60 s, though it has work"
