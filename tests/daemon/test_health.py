"""Ready means that it gets on. What keeps changes from Redo makes `/readyz` red, with a reason and the next step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from psycopg.conninfo import make_conninfo
from structlog.testing import capture_logs

from connector.daemon import build
from connector.daemon.health import health
from connector.daemon.health.health import BehindFor, Bounds, Finding, Health, UnchangedFor
from connector.daemon.health.watchdog import Watchdog
from connector.pipeline import backoff
from connector.pipeline.backoff import Backoff
from connector.pipeline.intake import stream_follower
from connector.pipeline.ports.records import SweepKind
from connector.pipeline.read import read_pause
from connector.postgres.connections import KeptConnection
from connector.source.objects.slot import SlotWatch
from connector.source.stream.postgres_source import PostgresSource
from connector.source.stream.session import StreamSettings
from connector.status.facts import Facts, State
from connector.status.verdict import ready
from tests.support.fault_proxy import FaultProxy, Way
from tests.support.fixtures.connector import Rig, eventually

QUICK = {"source": {"silence_timeout": 0.5, "statement_timeout": 0.5}, "redo": {"timeout": 0.3}}


@pytest.fixture(autouse=True)
def _tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    soon = Backoff(base=0.05, cap=0.2, floor=0.02)
    monkeypatch.setattr(stream_follower, "RECONNECT", soon)
    monkeypatch.setattr(backoff, "RECONNECT", soon)
    monkeypatch.setattr(read_pause, "READ_BACKOFF", soon)


@asynccontextmanager
async def before_the_source(rig: Rig) -> AsyncIterator[FaultProxy]:
    """The connector, and only it, reaches the database through the proxy."""
    async with FaultProxy("127.0.0.1", rig.database.cluster.port) as proxy:
        dsn = make_conninfo(rig.dsn, host=proxy.host, port=proxy.port)
        rig.overrides = {section: dict(values) for section, values in QUICK.items()}
        rig.overrides["source"]["dsn"] = dsn
        rig.watchdog = Watchdog(60.0, None)
        await rig.start()
        await rig.quiet()
        yield proxy
        await rig.stop()


@asynccontextmanager
async def slot_watch(rig: Rig) -> AsyncIterator[SlotWatch]:
    """Straight to the database."""
    looks = KeptConnection(rig.dsn)
    try:
        yield SlotWatch(looks, rig.slot)
    finally:
        await looks.close()


async def red(rig: Rig, *states: State) -> Facts:
    def refused() -> Facts | None:
        facts = rig.facts()
        return facts if not ready(facts)[0] and facts.state in states else None

    facts: Facts = await eventually(f"not ready: {states}", refused)
    assert facts.reason
    assert facts.next_step
    return facts


async def green(rig: Rig) -> None:
    await eventually("it is ready again", lambda: ready(rig.facts())[0])
    await rig.quiet()
    assert (await rig.verdict()).clean


@pytest.mark.parametrize("ways", [(Way.TO_SERVER, Way.TO_CLIENT), (Way.TO_CLIENT,)], ids=["both ways", "to client"])
async def test_a_source_that_drops_our_packets_is_noticed_and_what_was_written_meanwhile_arrives(
    rig: Rig, ways: tuple[Way, ...]
) -> None:
    async with before_the_source(rig) as proxy:
        proxy.black_hole(*ways)
        rig.execute("UPDATE oms.order_header SET tag_list = 'in the hole'")
        await red(rig, State.DISCONNECTED)
        await proxy.heal()
        await green(rig)


async def test_a_source_that_resets_refuses_and_cuts_in_the_middle_of_a_message_is_survived(rig: Rig) -> None:
    async with before_the_source(rig) as proxy:
        faults: list[Callable[[], None]] = [proxy.reset, proxy.hang_up, lambda: proxy.cut_after(700, Way.TO_CLIENT)]
        for number, fault in enumerate(faults):
            fault()
            rig.execute("UPDATE oms.order_header SET tag_list = %s", f"v{number}")
            await green(rig)
        await proxy.refuse()
        proxy.reset()
        rig.execute("UPDATE oms.order_header SET tag_list = 'refused'")
        await red(rig, State.DISCONNECTED)
        await proxy.heal()
        await green(rig)


async def test_a_redo_that_drops_our_packets_is_noticed_within_its_timeout_and_gets_all_later(
    rig: Rig,
) -> None:
    rig.overrides = {section: dict(values) for section, values in QUICK.items()}
    address = urlsplit(rig.sandbox.base_url)
    assert address.hostname
    assert address.port
    async with FaultProxy(address.hostname, address.port) as proxy:
        rig.overrides["redo"]["base_url"] = f"http://{proxy.host}:{proxy.port}{address.path}"
        rig.watchdog = Watchdog(60.0, None)
        await rig.start()
        await rig.quiet()
        proxy.black_hole()
        rig.execute("UPDATE oms.order_header SET tag_list = 'in the hole'")
        await red(rig, State.PAUSED)
        await proxy.heal()
        await green(rig)
        await rig.stop()


async def test_a_server_that_does_not_hear_us_is_told_apart_and_the_stream_is_opened_anew(rig: Rig) -> None:
    """Only the stream's words are dropped, and it is busy: neither silence nor the look at the slot shows it."""
    async with before_the_source(rig) as proxy, slot_watch(rig) as slot:
        rig.overrides["source"]["silence_timeout"] = 60.0
        await rig.stop()
        await rig.start()
        await rig.quiet()
        pipeline = rig.running.pipeline
        health, number = Health(pipeline, Bounds(0.5, 60.0)), 0

        async def look() -> bool:
            nonlocal number
            number += 1
            rig.execute("UPDATE oms.order_header SET tag_list = %s WHERE ord_id = 3", f"v{number}")
            return health.look(await slot.report(), number)

        for _ in range(20):
            assert not await look()
        proxy.black_hole(Way.TO_SERVER)
        await eventually("it is noticed", look)
        finding = health.judge(0.0, await rig.tally(), None)
        assert finding.state is State.STALLED
        assert "taken no note" in finding.reason
        stream = pipeline.ports.source
        assert isinstance(stream, PostgresSource)
        stream.reconnect("the server takes no note of what it is told")
        await proxy.heal()
        await eventually("it is over", lambda: health.judge(0.0, rig.facts().tally, None).state is not State.STALLED)
        await rig.quiet()


async def test_wal_that_grows_while_nothing_is_decoded_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.overrides = {section: dict(values) for section, values in QUICK.items()}
    monkeypatch.setattr(build, "StreamSettings", partial(StreamSettings, buffer=100, max_images=20))
    await rig.start()
    await rig.quiet()
    pipeline = rig.running.pipeline
    memory, go_on = pipeline.ports.store, asyncio.Event()
    arrive = memory.arrive

    async def waits(*args: Any) -> Any:
        await go_on.wait()
        return await arrive(*args)

    monkeypatch.setattr(memory, "arrive", waits)
    health = Health(pipeline, Bounds(0.5, 60.0))
    # More than the buffer holds, so that reading stops too.
    for number in range(10):
        rig.execute("UPDATE oms.order_header SET tag_list = %s", f"v{number}")

    async with slot_watch(rig) as slot:

        async def finding() -> Finding:
            health.look(await slot.report(), 0)
            return health.judge(0.0, await rig.tally(), None)

        async def told() -> bool:
            rig.execute("SELECT pg_logical_emit_message(false, 'test', 'more')")
            return "none of it was read" in (await finding()).reason

        await eventually("it is told", told)
        assert "walsender" in (await finding()).next
        go_on.set()
        await rig.quiet()
        assert (await finding()).state is State.STREAMING


async def test_a_start_is_told_as_such_and_no_connection_is_missed_that_there_never_was(rig: Rig) -> None:
    rig.watchdog = Watchdog(60.0, None)
    with capture_logs() as logs:
        await rig.start()
        await eventually("it is said to run", lambda: states(logs)[-1:] == [State.STREAMING])
    assert State.DISCONNECTED not in states(logs)
    await rig.stop()


async def test_after_an_outage_of_the_source_nothing_is_called_stalled(rig: Rig) -> None:
    """What changed meanwhile is old as it comes, and nothing was dealt with for as long."""
    async with before_the_source(rig) as proxy:
        await rig.stop()
        rig.overrides["health"] = {"stalled_after": 5.0}
        rig.overrides["redo"]["timeout"] = 20.0
        await rig.start()
        await rig.quiet()
        with capture_logs() as logs:
            await proxy.refuse()
            proxy.reset()
            rig.execute("UPDATE oms.order_header SET tag_list = 'meanwhile'")
            rig.switch(latency_ms=2_000)
            await eventually("it is away for long", lambda: (rig.facts().sync_lag_seconds or 0.0) > 6.0)
            await proxy.heal()
            await green(rig)
            await eventually("it is said to run", lambda: states(logs)[-1:] == [State.STREAMING])
        assert State.DISCONNECTED in states(logs)
        assert State.STALLED not in states(logs)


async def test_reading_that_breaks_is_away_at_first_whatever_the_stream_does_and_stalls_only_when_that_lasts(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "RECONNECT", Backoff(base=0.05, cap=2.0, floor=0.02))
    async with FaultProxy("127.0.0.1", rig.database.cluster.port) as proxy:
        rig.overrides = {"source": {"read_dsn": make_conninfo(rig.dsn, host=proxy.host, port=proxy.port)}}
        rig.watchdog = Watchdog(60.0, None)
        await rig.start()
        await rig.quiet()
        await eventually("it is connected for longer", lambda: rig.facts().now - rig.facts().started_at > 5.0)
        await proxy.refuse()
        proxy.reset()
        rig.execute("UPDATE oms.order_header SET tag_list = 'unread' WHERE ord_id = 5")
        away = await red(rig, State.DISCONNECTED)
        assert away.reason == "the stream is connected, orders are read again within 2 s"
        lasting = await red(rig, State.STALLED)
        assert lasting.reason.startswith("no connection to read orders: ")
        await proxy.heal()
        await green(rig)
        await rig.stop()


def states(logs: list[Any]) -> list[State]:
    return [State(line["state"]) for line in logs if line["event"] == "state"]


async def test_changes_that_age_although_delivery_is_up_are_told(rig: Rig) -> None:
    """A Redo that takes long for each answer closes no gate."""
    rig.overrides = {"health": {"stalled_after": 1.0}}
    rig.watchdog = Watchdog(60.0, None)
    await rig.start()
    await rig.quiet()
    rig.switch(latency_ms=8_000)
    rig.execute("UPDATE oms.order_header SET tag_list = 'x' WHERE ord_id = 3")
    facts = await red(rig, State.STALLED)
    assert facts.reason.startswith("changes wait for ")
    assert "redo_connector_http_retries_total" in facts.next_step
    rig.switch(latency_ms=0)
    await green(rig)


async def test_a_gap_is_not_called_healthy_before_every_order_was_compared(rig: Rig) -> None:
    rig.watchdog = Watchdog(60.0, None)
    await rig.start()
    await rig.quiet()
    assert rig.facts().state is State.STREAMING
    await rig.stop()
    with rig.database.connect() as conn:
        conn.execute("SELECT pg_drop_replication_slot(%s)", (rig.slot,))
    rig.execute("UPDATE oms.order_header SET tag_list = 'missed' WHERE ord_id = 4")
    rig.switch(latency_ms=2_000)
    await rig.start()
    sweeper, said = rig.running.pipeline.sweeps, []

    def compared() -> bool:
        facts = rig.facts()
        said.append(facts)
        return facts.state is State.STREAMING

    await eventually("it is called healthy", compared)
    assert (sweeper.active, rig.stored()["4"]["tags"]) == (False, ["missed"])
    told = [facts for facts in said if facts.state is State.CATCHING_UP]
    assert all(ready(facts)[0] for facts in told)
    assert all(facts.reason.startswith("every order is compared with what Redo accepted (") for facts in told)
    assert "gap in the stream: slot_gone" in told[-1].reason
    await rig.stop()


async def test_a_comparison_that_a_person_or_the_clock_asked_for_says_nothing_about_health(rig: Rig) -> None:
    rig.watchdog = Watchdog(60.0, None)
    await rig.start()
    await rig.quiet()
    sweeper = rig.running.pipeline.sweeps
    await rig.running.pipeline.control.sweep(SweepKind.RECONCILE)
    assert sweeper.active
    assert rig.facts().state is State.STREAMING
    await rig.stop()


def test_a_value_moves_or_has_been_the_same_for_so_long() -> None:
    moving = UnchangedFor()
    assert [moving.look(now, value) for now, value in [(5.0, 1), (7.0, 1), (8.0, 2), (9.5, 2)]] == [0, 2, 0, 1.5]


def test_a_place_counts_as_late_only_once_it_was_there_and_until_it_is_reached() -> None:
    reached = BehindFor()
    looks = [(0.0, 10, 10), (1.0, 20, 10), (4.0, 30, 19), (6.0, 40, 20), (8.0, 50, 30), (9.0, 50, 40), (20.0, 50, 50)]
    # At 6 s the place of 1 s is reached; the next one is what was there at 6 s.
    assert [reached.look(*one) for one in looks] == [0, 0, 3, 0, 2, 0, 0]
    reached.look(21.0, 60, 50)
    reached.forget()
    assert reached.look(50.0, 60, 50) == 0
