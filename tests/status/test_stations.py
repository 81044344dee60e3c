"""What stands on the page beside the verdict: known, or said to be unknown."""

from __future__ import annotations

import pytest

from connector.model.changes import Lsn, StreamPosition
from connector.pipeline.ports.records import Tally
from connector.status.facts import Facts, State
from connector.status.headline import lag
from connector.status.page.stations import details, stations

STREAM = StreamPosition(Lsn(1), Lsn(1), Lsn(1), 5.0, True)
CUT = StreamPosition(Lsn(1), Lsn(1), Lsn(1), 5.0, False)


def facts(state: State = State.STREAMING, position: StreamPosition | None = STREAM, **more: object) -> Facts:
    return Facts(now=1_000.0, state=state, started_at=900.0, version="1.2.3", position=position, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "besides", "told"),
    [
        (None, "", ("unknown", "what Redo has isn't known yet", "busy")),
        (0.0, "", ("0 s", "Redo has all that was committed", "good")),
        (0.4, "kept back", ("0 s", "Redo has all but what is held or refused", "good")),
        (59.0, "", ("59 s", "Redo may lack what was committed since then", "good")),
        (60.0, "", ("1 min", "Redo may lack what was committed since then", "busy")),
        (900.0, "kept back", ("15 min", "Redo may lack what was committed since then", "bad")),
        (900.0, "filling", ("15 min", "Redo may lack any order until it is filled", "bad")),
    ],
)
def test_the_lag_is_told_with_what_it_means_and_never_claims_what_redo_lacks(
    seconds: float | None, besides: str, told: tuple[str, str, str]
) -> None:
    assert lag(seconds, kept_back=besides == "kept back", filling=besides == "filling") == told


@pytest.mark.parametrize(
    ("known", "age"),
    [
        (facts(tally=Tally(1, 0, 940.0, 9, 0, {})), "unknown"),
        (facts(counted=True, tally=Tally(1, 0, 940.0, 9, 0, {})), "1 min"),
        (facts(counted=True), "none"),
        (facts(State.DISCONNECTED, CUT, counted=True), "none known"),
    ],
)
def test_the_oldest_waiting_change_is_none_only_where_that_is_known(known: Facts, age: str) -> None:
    assert next(value for name, value, _ in details(known) if name == "Oldest waiting change") == age


def test_what_is_not_counted_is_unknown_and_a_start_is_not_called_disconnected() -> None:
    oms, ledger, _, _, checkpoints = stations(facts(State.STARTING, CUT, tally=Tally(0, 4, None, 9, 3, {})))
    assert (oms.number, oms.note) == ("unknown", "not connected yet")
    assert (ledger.number, checkpoints.number) == ("unknown", "unknown")
    assert (ledger.note, checkpoints.note) == ("", "")
    assert stations(facts(State.DISCONNECTED, CUT))[0].note == "disconnected"


@pytest.mark.parametrize("state", [State.STARTING, State.STANDBY])
def test_without_a_stream_there_is_no_road_and_nothing_behind_it(state: State) -> None:
    assert stations(facts(state, None)) == []
    assert list(details(facts(state, None))) == []
