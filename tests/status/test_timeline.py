"""What is remembered of the last hour: by the minute, and as events; bounded, whatever happens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.pipeline.ports.holds import Hold, HoldKind, HoldState
from connector.pipeline.ports.records import Sweep, SweepKind, Tally
from connector.status.attention import sweep_seconds_left
from connector.status.facts import Counts, Facts, MappingRefused, State
from connector.status.headline import headline
from connector.status.timeline import EVENTS, HOUR, SAME_WITHIN, Timeline

START = 60_000.0
WELL = Facts(now=START, state=State.STREAMING, started_at=START, version="1.2.3", sync_lag_seconds=0.0)


class Watched:
    """A connector of which every second is seen."""

    def __init__(self) -> None:
        self.timeline = Timeline(START)
        self.facts = WELL
        self.look()

    def look(self) -> None:
        self.timeline.look(self.facts)

    def go_on(self, seconds: float, **how: object) -> Facts:
        """For so long it is so."""
        until = self.facts.now + seconds
        self.facts = replace(self.facts, **how)  # type: ignore[arg-type]
        while self.facts.now < until:
            self.facts = replace(self.facts, now=self.facts.now + 1.0)
            self.look()
        return self.known

    @property
    def known(self) -> Facts:
        return self.timeline.add_to(self.facts)

    def told(self) -> list[tuple[str, float, float | None]]:
        return [(event.kind, event.at - START, event.until and event.until - START) for event in self.known.events]


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_minute_has_its_longest_lag_and_what_was_pushed_and_refused_in_it(watched: Watched) -> None:
    watched.go_on(59, counts=Counts(pushed=100), sync_lag_seconds=7.0)
    watched.go_on(30, counts=Counts(pushed=130, rejected=2, invalid=1), sync_lag_seconds=None)
    known = watched.go_on(20, sync_lag_seconds=1.0)
    assert [(one.at - START, one.lag, one.pushed, one.refused) for one in known.minutes] == [
        (0, 7.0, 100, 0),
        (60, 1.0, 30, 3),
    ]


def test_an_hour_is_kept_and_no_more_and_a_gap_stays_one(watched: Watched) -> None:
    watched.go_on(2 * 3600)
    assert len(watched.known.minutes) == HOUR
    assert watched.known.minutes[0].at == watched.known.now - watched.known.now % 60 - 59 * 60
    watched.facts = replace(watched.facts, now=watched.facts.now + 600)  # suspended
    watched.look()
    assert len(watched.known.minutes) == HOUR - 9


def test_a_clock_that_is_set_back_leaves_no_minute_twice(watched: Watched) -> None:
    watched.go_on(600)
    watched.facts = replace(watched.facts, now=START + 120)
    watched.look()
    watched.go_on(60)
    moments = [one.at for one in watched.known.minutes]
    assert moments == sorted(set(moments))


def test_a_lost_database_is_an_event_from_when_to_when_and_the_headline_says_since_when(watched: Watched) -> None:
    watched.go_on(60)
    known = watched.go_on(180, state=State.DISCONNECTED)
    assert known.events[0].open
    assert headline(known) == "Disconnected from the OMS database since 16:41 UTC"
    watched.go_on(10, state=State.STREAMING)
    assert watched.told() == [("disconnected", 61.0, 241.0), ("started", 0.0, None)]


def test_what_ends_and_begins_again_at_once_is_one_event_and_later_on_another(watched: Watched) -> None:
    for _ in range(3):
        watched.go_on(10, state=State.DISCONNECTED)
        watched.go_on(SAME_WITHIN / 2, state=State.STREAMING)
    assert [kind for kind, _, _ in watched.told()] == ["disconnected", "started"]
    watched.go_on(2 * SAME_WITHIN, state=State.STREAMING)
    watched.go_on(10, state=State.DISCONNECTED)
    assert [kind for kind, _, _ in watched.told()] == ["disconnected", "disconnected", "started"]


def test_catching_up_for_a_moment_is_no_event(watched: Watched) -> None:
    watched.go_on(20, state=State.CATCHING_UP)
    watched.go_on(5, state=State.STREAMING)
    assert [kind for kind, _, _ in watched.told()] == ["started"]
    watched.go_on(90, state=State.CATCHING_UP)
    assert watched.told()[0] == ("catching_up", 26.0, None)


def test_a_pause_a_hold_and_a_refused_mapping_begin_when_they_did_and_end(watched: Watched) -> None:
    hold = Hold(3, HoldKind.CHANGES, "mapping changed", HoldState.HELD, START + 5, 25)
    refused = MappingRefused("mapping.sql:12:7", "there is no table oms.prodct", "", 1, START + 7)
    paused = {"state": State.PAUSED, "paused_reason": "by_hand", "paused_since": START + 9}
    watched.go_on(10, holds=(replace(hold, orders=11),), mapping_refused=refused, **paused)
    known = watched.go_on(20, holds=(hold,))
    assert {event.text for event in known.events if event.open} == {
        "Hold 3: 25 orders that would change at Redo",
        "The mapping is refused: mapping.sql:12:7",
        "Paused by hand",
    }
    watched.go_on(5, holds=(), mapping_refused=None, state=State.STREAMING, paused_reason=None)
    ends = {kind: (at, until) for kind, at, until in watched.told()}
    assert ends["held"] == (5.0, 31.0)
    assert ends["mapping_refused"] == (7.0, 31.0)
    assert ends["paused"] == (9.0, 31.0)


def test_a_hold_that_is_still_gathered_is_no_event(watched: Watched) -> None:
    watched.go_on(30, holds=(Hold(3, HoldKind.CHANGES, "mapping changed", HoldState.GATHERING, START + 5, 25),))
    assert [kind for kind, _, _ in watched.told()] == ["started"]


def test_another_mapping_a_gap_and_a_finished_comparison_are_events_of_a_moment(watched: Watched) -> None:
    watched.go_on(5, mapping_fingerprint="a")
    old = Sweep(SweepKind.RECONCILE, "asked", 3, 3, START - 90, finished_at=START - 60)
    watched.go_on(5, mapping_fingerprint="b", last_reconcile=old)
    done = Sweep(SweepKind.RECONCILE, "asked", 4, 4, START + 1, finished_at=START + 15, changed=2, held=1)
    watched.go_on(5, last_reconcile=done, stream_gap="slot_gone", stream_gap_at=START + 14)
    watched.go_on(5, last_reconcile=replace(done, pushed=2))
    assert watched.told() == [
        ("compared", 15.0, None),
        ("stream_gap", 14.0, None),
        ("mapping_taken_up", 6.0, None),
        ("started", 0.0, None),
    ]
    assert watched.known.events[0].text == "Every order compared: 2 differed, 1 held"


def test_what_goes_on_is_told_first_and_outlives_a_new_generation(watched: Watched) -> None:
    hold = Hold(3, HoldKind.CHANGES, "mapping changed", HoldState.HELD, START + 5, 25)
    watched.go_on(30, holds=(hold,))
    watched.go_on(60, state=State.DISCONNECTED)
    watched.go_on(2, state=State.STREAMING)
    watched.go_on(3, state=State.STOPPING)
    known = watched.go_on(3, state=State.STARTING, holds=())
    assert [(event.kind, event.open) for event in known.events] == [
        ("held", True),
        ("disconnected", False),
        ("started", False),
    ]


def test_however_much_happens_a_bounded_number_of_events_is_kept_and_what_goes_on_is_never_forgotten(
    watched: Watched,
) -> None:
    hold = Hold(3, HoldKind.CHANGES, "mapping changed", HoldState.HELD, START + 5, 25)
    for number in range(3 * EVENTS):
        pause = {"state": State.PAUSED, "paused_reason": f"http_{500 + number}", "paused_since": None}
        watched.go_on(2, holds=(hold,), **pause)
    assert [event.kind for event in watched.known.events if event.open] == ["paused", "held"]
    assert len(watched.known.events) == EVENTS + 2


def test_a_sweep_has_its_pace_of_the_last_minute_and_the_time_that_is_left(watched: Watched) -> None:
    sweep = Sweep(SweepKind.BACKFILL, "first start", 1, 1, START)
    watched.facts = replace(watched.facts, sweep=sweep)
    for second in range(120):
        watched.go_on(1, sweep=replace(sweep, scanned=50 * second), sweep_remaining=6_000 - 50 * second)
    known = watched.known
    assert known.sweep_per_second == pytest.approx(50.0)
    assert sweep_seconds_left(known) == pytest.approx(1.0)
    watched.go_on(1, sweep=replace(sweep, finished_at=START + 120))
    assert watched.known.sweep_per_second is None


def test_a_fill_has_its_pace_from_its_first_second_and_counts_what_waits_as_not_brought(watched: Watched) -> None:
    sweep = Sweep(SweepKind.BACKFILL, "first start", 1, 1, watched.facts.now, scanned=1_000)
    watched.go_on(2, sweep=sweep, sweep_remaining=2_000, tally=Tally(800, 0, START, 200, 0, {}))
    assert watched.known.sweep_done == 200
    assert watched.known.sweep_per_second == pytest.approx(100.0)
    assert sweep_seconds_left(watched.known) == pytest.approx(28.0)
