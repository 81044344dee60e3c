"""Lines that say the same: how many are written, and that none goes uncounted."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest
import structlog

from connector.logs.repeats import AT_MOST, WINDOW, Repeats
from tests.support.fixtures.cli import ROOT


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def written(repeats: Repeats, method: str = "warning", **event: Any) -> dict[str, Any] | None:
    try:
        return dict(repeats(None, method, {**event}))
    except structlog.DropEvent:
        return None


def test_a_few_a_minute_are_written_and_the_next_one_says_how_many_were_not() -> None:
    clock = Clock()
    repeats = Repeats(clock)
    said = [written(repeats, event="stream_lost", problem="gone") for _ in range(AT_MOST + 7)]
    assert said == [{"event": "stream_lost", "problem": "gone"}] * AT_MOST + [None] * 7
    clock.now += WINDOW
    assert written(repeats, event="stream_lost", problem="gone") == {
        "event": "stream_lost",
        "problem": "gone",
        "repeated": 7,
    }
    assert written(repeats, event="stream_lost", problem="gone") == {"event": "stream_lost", "problem": "gone"}


def test_lines_that_differ_in_level_event_or_a_field_are_not_the_same() -> None:
    repeats = Repeats(Clock())
    for _ in range(AT_MOST):
        written(repeats, event="order_refused", order="1")
    assert written(repeats, event="order_refused", order="1") is None
    assert written(repeats, event="order_refused", order="2") is not None
    assert written(repeats, event="state", order="1") is not None
    assert written(repeats, "error", event="order_refused", order="1") is not None


def test_the_last_words_of_a_process_are_always_written() -> None:
    repeats = Repeats(Clock())
    assert all(written(repeats, "critical", event="stalled_exit") for _ in range(AT_MOST + 5))


def test_what_is_remembered_of_lines_has_a_bound() -> None:
    repeats = Repeats(Clock())
    for number in range(3000):
        assert written(repeats, event="order_refused", order=number) is not None
    assert len(repeats._seen) <= 1000


@pytest.mark.parametrize(("level", "passing"), [(logging.WARNING, AT_MOST), (logging.CRITICAL, AT_MOST + 4)])
def test_libraries_are_bounded_in_the_same_way(level: int, passing: int) -> None:
    repeats = Repeats(Clock())
    records = [logging.LogRecord("theirs", level, "f.py", 1, "again %s", ("x",), None) for _ in range(AT_MOST + 4)]
    assert [repeats.filter(record) for record in records].count(True) == passing


def test_a_process_writes_so_many_lines_of_one_kind_ours_and_theirs() -> None:
    program = """
import logging, structlog
from connector.logs import setup
setup.configure("json", "info")
for _ in range(20):
    structlog.get_logger().warning("stream_lost", problem="gone")
    logging.getLogger("theirs").warning("again")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert {name: events.count(name) for name in set(events)} == {"stream_lost": AT_MOST, "again": AT_MOST}
