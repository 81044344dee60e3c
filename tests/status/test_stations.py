"""What stands on the page beside the verdict: known, or said to be unknown."""

from __future__ import annotations

import pytest

from connector.model.changes import Lsn, StreamPosition
from connector.pipeline.ports.records import Tally
from connector.status.facts import Facts, State
from connector.status.page.stations import details, stations, sync_lag

STREAM = StreamPosition(Lsn(1), Lsn(1), Lsn(1), 5.0, True)
CUT = StreamPosition(Lsn(1), Lsn(1), Lsn(1), 5.0, False)


def facts(state: State = State.STREAMING, position: StreamPosition | None = STREAM, **more: object) -> Facts:
    return Facts(now=1_000.0, state=state, started_at=900.0, version="1.2.3", position=position, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (facts(), ("unknown", "")),
        (facts(sync_lag_seconds=0.0), ("0 s", "Redo has all that was committed")),
        (
            facts(sync_lag_seconds=0.0, held_orders=1),
            ("0 s", "Redo has all that was committed, apart from what is held or refused"),
        ),
        (
            facts(sync_lag_seconds=0.0, tally=Tally(0, 0, None, 9, 0, {"invalid": 1})),
            ("0 s", "Redo has all that was committed, apart from what is held or refused"),
        ),
        (facts(sync_lag_seconds=59.0), ("59 s", "Redo may lack what was committed since then")),
        # The verdict says it from here on.
        (facts(sync_lag_seconds=900.0), ("15 min", "")),
    ],
)
def test_the_lag_is_told_with_what_it_means_and_never_claims_what_redo_lacks(
    known: Facts, told: tuple[str, str]
) -> None:
    assert sync_lag(known) == told


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
    oms, ledger, _, _, checkpoints = stations(facts(State.STARTING, None))
    assert (oms.number, oms.note) == ("unknown", "not connected yet")
    assert (ledger.number, checkpoints.number) == ("unknown", "unknown")
    assert stations(facts(State.DISCONNECTED, CUT))[0].note == "disconnected"
