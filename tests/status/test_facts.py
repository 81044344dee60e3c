"""What the facts mean: ready or not, in words, and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import orjson
import pytest

from connector.model.changes import Lsn, StreamPosition, parse_lsn
from connector.pipeline.ports.records import Endpoint, Sweep, SweepKind, Tally
from connector.status.facts import Facts, MappingRefused, State, duration, size
from connector.status.status_json import as_json
from connector.status.verdict import READY_STATES, fit, ready, verdict

STREAM = StreamPosition(parse_lsn("1/20"), parse_lsn("1/10"), parse_lsn("1/30"), 5.0, True)
CUT = StreamPosition(Lsn(2), Lsn(1), Lsn(3), 5.0, False)


def facts(state: State = State.STREAMING, position: StreamPosition | None = STREAM, **more: object) -> Facts:
    return Facts(now=1_000.0, state=state, started_at=900.0, version="1.2.3", position=position, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", [State.STREAMING, State.CATCHING_UP, State.BACKFILLING])
def test_ready_while_orders_move_or_nothing_waits(state: State) -> None:
    assert ready(facts(state))[0]


@pytest.mark.parametrize("state", sorted(set(State) - READY_STATES))
def test_not_ready_in_any_other_state_and_says_why(state: State) -> None:
    is_ready, reason = ready(facts(state, reason="the disk is full."))
    assert not is_ready
    assert "the disk is full." in reason


def test_not_ready_without_a_stream() -> None:
    for position in (None, CUT):
        is_ready, reason = ready(facts(position=position))
        assert not is_ready
        assert "stream" in reason


def test_not_ready_while_nothing_is_pushed_before_a_person_approves_where_to() -> None:
    there = Endpoint("5f1b9c", "https://api.getredo.com/v2.2", active=True, approved=True, orders=0)
    assert ready(facts(State.HELD, endpoints=(there,)))[0]
    is_ready, reason = ready(facts(State.HELD, endpoints=(replace(there, approved=False),)))
    assert not is_ready
    assert "before somebody approves where to" in reason


def test_not_ready_while_delivery_is_paused() -> None:
    is_ready, reason = ready(facts(State.CATCHING_UP, paused_reason="http_401"))
    assert not is_ready
    assert "http_401" in reason


def test_the_verdict_is_short_when_all_is_well() -> None:
    assert verdict(facts()) == "In step with the source."


def test_the_verdict_tells_what_waits_and_what_was_refused() -> None:
    tally = Tally(1_500, 34, 280.0, 9_000, 0, {"rejected": 1, "invalid": 2})
    assert verdict(facts(State.CATCHING_UP, tally=tally)) == (
        "Catching up with the source. 1,534 changes are waiting, the oldest for 12 min. "
        "3 orders are refused: see the dead letters."
    )


def test_the_verdict_names_the_next_step_and_tells_of_wal_that_is_kept() -> None:
    told = facts(State.STALLED, reason="the disk is full", next_step="free space.", wal_warning="the slot keeps much")
    assert verdict(told) == "Stalled, nothing is lost: the disk is full. The slot keeps much. Next: free space."
    assert ready(told) == (False, "Stalled, nothing is lost: the disk is full. The slot keeps much.")


def test_much_wal_alone_makes_nothing_unready() -> None:
    assert ready(facts(wal_warning="the slot keeps much"))[0]


@pytest.mark.parametrize(
    ("count", "words"), [(700, "700 bytes"), (1536, "1.5 kB"), (10 * 1024**3, "10.0 GB"), (3000 * 1024**4, "3000.0 TB")]
)
def test_sizes_as_postgres_counts(count: int, words: str) -> None:
    assert size(count) == words


def test_every_state_has_a_sentence() -> None:
    assert len({verdict(facts(state)) for state in State}) == len(State)


def test_how_far_the_stream_is_behind_is_not_known_while_it_is_cut() -> None:
    assert facts(position=CUT).replication_lag_bytes is None


def test_the_verdict_speaks_of_a_lag_from_a_minute_on() -> None:
    assert verdict(facts(sync_lag_seconds=59.0)) == "In step with the source."
    cut = facts(State.DISCONNECTED, CUT, sync_lag_seconds=900.0)
    assert "Redo may lack what was committed in the last 15 min." in verdict(cut)


def test_the_verdict_names_the_place_of_a_refused_mapping_once() -> None:
    refused = MappingRefused("mapping.sql:12:7", "there is no table oms.prodct", "see `explain`", 1, 900.0)
    assert verdict(facts(mapping_refused=refused)) == (
        "In step with the source. The mapping as it is now is refused, the one before stays at work: "
        "mapping.sql:12:7: there is no table oms.prodct."
    )
    broken = facts(State.STALLED, reason="mapping.sql:12:7: there is no table oms.prodct", mapping_refused=refused)
    assert verdict(broken) == "Stalled, nothing is lost: mapping.sql:12:7: there is no table oms.prodct."


def test_the_verdict_names_tables_whose_own_statements_fail() -> None:
    told = "The OMS's own UPDATEs and DELETEs of public.audit fail because of a publication."
    assert told in verdict(facts(failing_tables=("public.audit",)))


def test_a_standby_is_fit_only_while_it_could_deliver_if_it_led() -> None:
    waits = facts(State.STANDBY, None, reason="one leads")
    assert fit(waits) == (True, "Standing by: one leads.")
    away = replace(waits, oms_away="connection refused")
    assert fit(away) == (False, "Standing by: one leads. It couldn't deliver if it led: connection refused.")
    refused = MappingRefused("mapping.sql:12:7", "there is no table oms.prodct", "see `explain`", 1, 900.0)
    is_fit, reason = fit(replace(waits, mapping_refused=refused))
    assert not is_fit
    assert "refused, it couldn't deliver if it led: mapping.sql:12:7: there is no table oms.prodct." in reason


def test_wal_to_be_read_is_never_negative_and_unknown_while_the_server_does_not_tell_where_it_is() -> None:
    ahead = StreamPosition(Lsn(30), Lsn(30), Lsn(20), 5.0, True)
    assert facts(position=ahead, replication_lag_seconds=0.0).replication_lag_bytes == 0
    assert facts(position=ahead).replication_lag_bytes is None
    assert facts(tally=Tally(1, 0, 2_000.0, 0, 0, {})).oldest_age == 0


def test_only_a_running_backfill_has_orders_left() -> None:
    running = Sweep(SweepKind.BACKFILL, "first start", 1, 1, 900.0)
    finished = Sweep(SweepKind.BACKFILL, "first start", 1, 1, 900.0, finished_at=950.0)
    reconcile = Sweep(SweepKind.RECONCILE, "daily", 1, 1, 900.0)
    left = [facts(sweep=sweep, sweep_remaining=7).backfill_remaining for sweep in (running, finished, reconcile, None)]
    assert left == [7, 0, 0, 0]
    assert facts(sweep=running).backfill_remaining is None


def test_json_holds_every_fact_in_plain_types() -> None:
    sweep = Sweep(SweepKind.BACKFILL, "first start", 1, 1, 900.0, cursor="17")
    tally = Tally(3, 1, 990.0, 5, 1, {"invalid": 2})
    body = json.loads(orjson.dumps(as_json(facts(counted=True, replication_lag_seconds=0.0, sweep=sweep, tally=tally))))
    assert body["state"] == "streaming"
    assert (body["ready"], body["connected"]) == (True, True)
    assert (body["received_lsn"], body["flush_lsn"], body["server_lsn"]) == ("1/20", "1/10", "1/30")
    assert (body["replication_lag_bytes"], body["oldest_affected_age_seconds"]) == (0x20, 10)
    assert (body["affected"], body["lookups"], body["checkpoints"], body["missing"]) == (3, 1, 5, 1)
    assert body["dead_letters"] == {"invalid": 2}
    assert body["sweep"]["kind"] == "backfill"
    assert body["counts"] == {"pushed": 0, "unchanged": 0, "rejected": 0, "invalid": 0, "missing": 0}


def test_json_has_no_age_of_what_waits_while_that_cannot_be_counted() -> None:
    assert as_json(facts(tally=Tally(3, 1, 990.0, 5, 1, {})))["oldest_affected_age_seconds"] is None


def test_json_without_a_stream_has_no_positions() -> None:
    body = as_json(facts(position=None))
    assert (body["received_lsn"], body["replication_lag_bytes"], body["connected"]) == (None, None, False)


def test_order_keys_stay_out_of_the_json() -> None:
    sweep = Sweep(SweepKind.BACKFILL, "first start", 1, 1, 900.0, cursor="ORDER-17")
    assert b"ORDER-17" not in orjson.dumps(as_json(facts(sweep=sweep)))


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min"), (7_300, "2 h"), (200_000, "2 d")]
)
def test_durations_in_one_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words
