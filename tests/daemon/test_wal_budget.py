"""How much WAL the slot keeps, how long that can go on, and what is said in time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from connector.daemon.health.wal_watch import EVERY, WalWatch
from connector.daemon.health.watchdog import Watchdog
from connector.model.changes import Lsn, parse_lsn
from connector.source.objects.slot import SlotReport
from connector.source.objects.wal_forecast import BUDGET, SERVER_LIMIT, Forecast, Outlook
from tests.support.fixtures.connector import Rig, eventually

GB = 1024**3
REPORT = SlotReport("logical", "pgoutput", "shop", 17, "reserved", None, Lsn(10 * GB), 0, Lsn(10 * GB), "shop")


def report(retained: float, safe: int | None = None, unconfirmed: float | None = None) -> SlotReport:
    """By default everything that is kept is kept because it wasn't confirmed."""
    behind = retained if unconfirmed is None else unconfirmed
    confirmed = Lsn(10 * GB - int(behind))
    return replace(REPORT, retained=int(retained), safe=safe, confirmed_flush_lsn=confirmed)


def last(forecast: Forecast, retained: Iterable[float], safe: Callable[[float], int] | None = None) -> Outlook:
    """After a report a second."""
    outlook = Outlook()
    for now, kept in enumerate(retained):
        outlook = forecast.look(float(now), report(kept, None if safe is None else safe(kept)))
    return outlook


def test_without_a_limit_there_is_nothing_to_reach() -> None:
    outlook = last(Forecast(None), range(0, 60 * GB, GB))
    assert (outlook.limit, outlook.seconds) == (None, None)
    assert outlook.rate == pytest.approx(GB)


def test_steady_growth_reaches_the_budget_when_it_says_so() -> None:
    outlook = last(Forecast(10 * GB), [second * 0.01 * GB for second in range(60)])
    assert (outlook.limit, outlook.whole) == (BUDGET, 10 * GB)
    assert outlook.seconds == pytest.approx((10 - 0.59) / 0.01, rel=0.01)


def test_the_servers_limit_counts_when_it_comes_first() -> None:
    outlook = last(Forecast(90 * GB), [second * 0.01 * GB for second in range(60)], lambda kept: int(5 * GB - kept))
    assert outlook.limit == SERVER_LIMIT
    assert outlook.seconds == pytest.approx((5 - 0.59) / 0.01, rel=0.01)
    both = Forecast(2 * GB).look(0.0, report(1 * GB, safe=4 * GB))
    assert (both.limit, both.left) == (BUDGET, 1 * GB)


def test_a_saw_on_level_ground_does_not_grow_and_one_that_climbs_does() -> None:
    saw = [GB + 0.05 * GB * (second % 17) for second in range(300)]
    level = last(Forecast(10 * GB), saw)
    assert level.rate == pytest.approx(0.0, abs=0.001 * GB)
    climbing = last(Forecast(10 * GB), [tooth + 0.02 * GB * second for second, tooth in enumerate(saw)])
    assert climbing.rate == pytest.approx(0.02 * GB, rel=0.1)


def test_what_shrinks_or_is_level_reaches_nothing() -> None:
    assert last(Forecast(10 * GB), range(9 * GB, 3 * GB, -GB // 20)).seconds is None
    assert last(Forecast(10 * GB), [GB] * 60).seconds is None


def test_growth_that_has_ended_is_forgotten_after_a_window() -> None:
    grown = [*range(0, 5 * GB, GB // 20), *[5 * GB] * 130]
    assert last(Forecast(10 * GB), grown[:90]).seconds is not None
    assert last(Forecast(10 * GB), grown).seconds is None


def test_nothing_is_said_about_growth_before_there_is_some_history() -> None:
    assert last(Forecast(10 * GB), range(0, 5 * GB, GB)).rate is None


def test_beyond_the_limit_no_time_is_left_whatever_grows() -> None:
    outlook = Forecast(GB).look(0.0, report(3 * GB))
    assert (outlook.left, outlook.seconds) == (-2 * GB, 0.0)


def test_a_slot_that_is_lost_or_not_seen_has_no_outlook() -> None:
    forecast = Forecast(10 * GB)
    last(forecast, range(0, 3 * GB, GB // 20))
    assert forecast.look(61.0, None) == Outlook()
    assert forecast.look(62.0, replace(REPORT, retained=None, wal_status="lost")) == Outlook()
    assert forecast.look(63.0, report(3 * GB)).seconds is not None, "what was seen before still counts"


def test_a_warning_says_how_much_is_left_until_when_and_comes_at_most_every_ten_minutes() -> None:
    watch = WalWatch(10 * GB)
    with capture_logs() as logs:
        for second in range(700):
            watch.look(float(second), report(min(6, second * 0.01) * GB))
    times = [line for line in logs if line["event"] == "wal_budget"]
    assert len(times) == 2, "the first and, ten minutes later, one more"
    assert EVERY == 600
    assert times[0]["log_level"] == "warning"
    assert times[0]["problem"].startswith("the slot keeps 102.4 MB of WAL on the source's disk, 9.9 GB are left until")
    assert times[0]["problem"].endswith("source.wal_budget, which is reached in 16 min at the present pace")
    assert "it isn't read" in times[0]["next"]


def test_little_left_is_worth_a_warning_even_when_it_does_not_grow() -> None:
    watch = WalWatch(10 * GB)
    watch.look(0.0, report(7.9 * GB))
    assert watch.warning == ""
    watch.look(1.0, report(8.1 * GB))
    assert watch.warning == "the slot keeps 8.1 GB of WAL on the source's disk, 1.9 GB are left until source.wal_budget"
    watch.look(2.0, report(12 * GB))
    assert (
        watch.warning == "the slot keeps 12.0 GB of WAL on the source's disk, 2.0 GB more than source.wal_budget allows"
    )
    watch.look(3.0, report(1 * GB))
    assert (watch.warning, watch.advice) == ("", "")


def test_wal_that_a_transaction_of_the_oms_keeps_is_told_apart() -> None:
    watch = WalWatch(10 * GB)
    watch.look(0.0, report(9 * GB, unconfirmed=0.1 * GB))
    assert "the long or prepared transaction of the OMS that keeps the WAL" in watch.advice
    watch.look(1.0, report(9 * GB, unconfirmed=8.9 * GB))
    assert "it isn't read" in watch.advice


MUCH = "SELECT pg_logical_emit_message(false, 'test', repeat('x', 100000)) FROM generate_series(1, 40)"
"""4 MB of WAL that concern nobody."""


def positions(rig: Rig) -> tuple[int, int]:
    """Where the server would begin to read, and what it was told."""
    with rig.database.connect() as conn:
        query = "SELECT restart_lsn::text, confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s"
        row = conn.execute(query, (rig.slot,)).fetchone()
    assert row is not None
    return parse_lsn(row[0]), parse_lsn(row[1])


async def test_the_slot_moves_on_past_much_wal_while_redo_is_down(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    rig.switch(outage=True, retry_after=0)
    for number in range(5):
        rig.execute("UPDATE oms.order_header SET tag_list = %s", f"v{number}")
        rig.execute(MUCH)
    end = rig.wal_end()

    def moved() -> bool:
        rig.check()
        rig.execute("CHECKPOINT")  # the server may only then begin to read further on
        return min(positions(rig)) >= end

    await eventually("both positions have passed all that was written", moved)
    tally = await rig.tally()
    assert tally.affected == 40, "the orders wait in the ledger"
    rig.switch(outage=False)
    await rig.quiet()
    assert (await rig.verdict()).clean


async def test_wal_that_comes_near_the_budget_is_told_with_who_keeps_it_and_is_over_when_it_goes(rig: Rig) -> None:
    rig.overrides = {"source": {"wal_budget": "6MB"}}
    rig.watchdog = Watchdog(60.0, None)
    await rig.start()
    await rig.quiet()
    with rig.database.connect() as conn, conn.transaction():
        conn.execute("UPDATE oms.order_header SET tag_list = 'not committed' WHERE ord_id = 1")
        for _ in range(2):
            rig.execute(MUCH)
        await rig.read_up_to(rig.wal_end() - 1_000)
        await eventually("it is told", lambda: "more than source.wal_budget allows" in rig.facts().wal_warning)
        who = "the long or prepared transaction of the OMS that keeps the WAL"
        await eventually("who keeps it, once all was confirmed", lambda: who in rig.facts().next_step)
        facts = rig.facts()
        assert (facts.slot_limit, facts.slot_seconds_to_limit) == (BUDGET, 0.0)
        value = rig.running.metrics.registry.get_sample_value
        await eventually("so is the gauge", lambda: value("redo_connector_slot_seconds_to_limit") == 0.0)
        assert value("redo_connector_wal_budget_bytes") == 6 * 1024**2

    def over() -> bool:
        rig.execute("CHECKPOINT")
        return rig.facts().wal_warning == ""

    await eventually("nothing is left to be told", over)
