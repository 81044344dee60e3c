"""Two clocks: one that people set, and one that goes on."""

from __future__ import annotations

import time

from connector.pipeline.clock import Clock, boot_time


def test_what_waits_goes_by_a_clock_that_nobody_sets_and_people_by_the_one_that_is_set() -> None:
    wall, timer = [1_000.0], [7.0]
    clock = Clock(lambda: wall[0], lambda: timer[0])
    assert (clock.now(), clock.wall()) == (1_000.0, 1_000.0)
    timer[0] += 60
    wall[0] += 60 - 86_400
    assert (clock.now(), clock.wall()) == (1_060.0, 1_060.0 - 86_400)
    assert clock.by_the_wall(1_090.0) == wall[0] + 30
    assert clock.by_the_wall(1_000.0) == wall[0] - 60


def test_the_machines_timer_runs_as_the_event_loops_does() -> None:
    began = boot_time(), time.monotonic()
    time.sleep(0.01)
    passed = boot_time() - began[0], time.monotonic() - began[1]
    assert passed[0] >= 0.01
    assert abs(passed[0] - passed[1]) < 0.5
