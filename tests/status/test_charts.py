"""The last hour as bars: what is unknown has none, what is little looks little, and words say the rest."""

from __future__ import annotations

from connector.status.last_hour import Minute
from connector.status.page.charts import HEIGHT, MINUTES, STEP, last_hour

LAST = 1_795_490_700.0
"""03:25 UTC."""


def ago(minutes: int, lag: float | None = 0.0, pushed: int = 0, refused: int = 0) -> Minute:
    return Minute(LAST - 60 * minutes, lag, pushed, refused)


def test_before_anything_is_known_there_is_no_chart() -> None:
    assert last_hour(()) is None
    assert last_hour((ago(1, None), ago(0, None))) is None


def test_each_minute_has_its_place_and_the_highest_bar_the_whole_height() -> None:
    hour = last_hour((ago(59, 30.0), ago(1, 90.0), ago(0, 400.0)))
    assert hour is not None
    assert (hour.begins, hour.ends) == ("02:26", "03:25")
    lag = hour.charts[0]
    assert [(bar.x, bar.height, bar.tone, bar.words) for bar in lag.bars] == [
        (0, 3.0, "calm", "02:26: 30 s"),
        ((MINUTES - 2) * STEP, 9.0, "busy", "03:24: 1 min"),
        ((MINUTES - 1) * STEP, HEIGHT, "bad", "03:25: 6 min"),
    ]
    assert (lag.figure, lag.note) == ("at most 6 min", "at 03:25")


def test_the_base_line_is_drawn_only_where_something_is_known() -> None:
    hour = last_hour((ago(10), ago(9), ago(8, None), ago(1), ago(0)))
    assert hour is not None
    lag, pushed, _ = hour.charts
    assert lag.known == ((49 * STEP, 2 * STEP), (58 * STEP, 2 * STEP))
    assert pushed.known == ((49 * STEP, 3 * STEP), (58 * STEP, 2 * STEP))


def test_next_to_nothing_looks_like_it_and_nothing_is_said_to_be_none() -> None:
    hour = last_hour((ago(1, 1.0, pushed=1), ago(0, 0.2)))
    assert hour is not None
    lag, pushed, refused = hour.charts
    assert [bar.height for bar in (*lag.bars, *pushed.bars)] == [4.0, 8.0]
    assert (pushed.figure, pushed.note) == ("at most 1", "1 in this hour")
    assert (refused.figure, refused.note, refused.bars) == ("none", "", ())


def test_a_lag_that_was_never_a_second_is_called_so() -> None:
    hour = last_hour((ago(1), ago(0, 0.4)))
    assert hour is not None
    assert (hour.charts[0].figure, hour.charts[0].bars) == ("under 1 s", ())


def test_a_lag_of_which_nothing_is_known_is_called_unknown() -> None:
    hour = last_hour((ago(0, None, 3),))
    assert hour is not None
    assert (hour.charts[0].figure, hour.charts[0].bars) == ("unknown", ())
