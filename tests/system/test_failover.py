"""A primary that dies, a standby that takes over, a standby to read or to stream from: the whole connector."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import psycopg
import pytest
from structlog.testing import capture_logs

from connector.daemon.source.source_objects import CAUSE
from connector.demo import oms
from connector.model.changes import TableName
from connector.model.errors import ConfigurationError
from connector.pipeline.intake.progress import Gap
from connector.pipeline.ports.holds import HoldKind
from connector.source.checks.preflight import preflight
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import Database, MakeCluster, create_database
from tests.support.fixtures.served_connector import look_often, serving
from tests.support.postgres.cluster import Cluster
from tests.support.postgres.standby import cut_off, promote, receiving, replayed, standby_of


@dataclass(slots=True, repr=False)
class Pair:
    """A rig whose OMS has a standby. `rig.database` is the primary's."""

    rig: Rig
    primary: Cluster
    standby: Cluster

    def dsn_of_both(self) -> str:
        ports = f"{self.primary.port},{self.standby.port}"
        return (
            f"host=127.0.0.1,127.0.0.1 port={ports} user=postgres dbname={self.rig.database.name}"
            " target_session_attrs=read-write"
        )

    def follow_both(self) -> None:
        self.rig.overrides["source"] = {"dsn": self.dsn_of_both()}

    async def fail_over(self) -> None:
        """The primary dies; what it hadn't sent to the standby never happened."""
        self.primary.kill()
        promote(self.standby)
        self.rig.database = Database(self.standby, self.rig.database.name)

    def on_standby(self, query: str) -> object:
        with psycopg.connect(self.standby.dsn(self.rig.database.name), autocommit=True) as conn:
            row = conn.execute(query.encode()).fetchone()
        return None if row is None else row[0]


@pytest.fixture
def standby(make_cluster: MakeCluster) -> Iterator[tuple[Cluster, Cluster, Database]]:
    primary = make_cluster()
    database = create_database(primary)
    with database.connect() as conn:
        oms.create(conn)
        oms.seed(conn, 20, 3)
    made = standby_of(primary)
    yield primary, made, database
    made.destroy()


@pytest.fixture
async def pair(standby: tuple[Cluster, Cluster, Database], rig: Rig) -> AsyncIterator[Pair]:
    primary, other, database = standby
    own = Rig(database, rig.sandbox, rig.folder, rig.mapping)
    yield Pair(own, primary, other)
    await own.stop()


def tag(rig: Rig, order: int, value: str) -> None:
    rig.execute(f"UPDATE oms.order_header SET tag_list = '{value}' WHERE ord_id = {order}")


def tags(rig: Rig, order: int) -> list[str]:
    found: list[str] = rig.stored()[str(order)]["tags"]
    return found


def gap(rig: Rig) -> Gap | None:
    rig.check()
    noticed = rig.running.pipeline.progress.noticed
    return None if noticed is None else noticed.gap


async def test_a_promoted_standby_is_followed_and_what_never_happened_there_is_taken_back_at_redo(pair: Pair) -> None:
    rig = pair.rig
    pair.follow_both()
    await rig.start()
    await rig.quiet()
    await eventually("the standby has everything", lambda: replayed(pair.primary, pair.standby))
    cut_off(pair.standby)
    await eventually("it receives nothing any more", lambda: not receiving(pair.standby))
    tag(rig, 4, "lost with the primary")
    await rig.quiet()
    assert tags(rig, 4) == ["lost with the primary"]
    pushed = sum(rig.sandbox.state.pushes.values())
    await pair.fail_over()
    tag(rig, 5, "after the failover")
    await eventually("the other timeline is noticed", lambda: gap(rig) is Gap.TIMELINE)
    await rig.quiet()
    assert tags(rig, 5) == ["after the failover"]
    assert tags(rig, 4) != ["lost with the primary"]
    assert (await rig.verdict()).clean
    assert sum(rig.sandbox.state.pushes.values()) == pushed + 2
    tag(rig, 6, "told by the new slot")
    await rig.quiet()
    assert tags(rig, 6) == ["told by the new slot"]


async def test_orders_that_the_promoted_standby_never_had_are_held_instead_of_removed(pair: Pair) -> None:
    rig = pair.rig
    pair.follow_both()
    rig.overrides["mapping"] = {"missing": "delete"}
    await rig.start()
    await rig.quiet()
    await eventually("the standby has everything", lambda: replayed(pair.primary, pair.standby))
    cut_off(pair.standby)
    await eventually("it receives nothing any more", lambda: not receiving(pair.standby))
    rig.copy_order(4, 4711)
    await rig.quiet()
    assert "4711" in rig.stored()
    await pair.fail_over()
    await eventually("the other timeline is noticed", lambda: gap(rig) is Gap.TIMELINE)
    await rig.quiet()
    [hold] = await rig.running.pipeline.ports.store.holds()
    assert (hold.kind, hold.orders) == (HoldKind.VANISHED, 1)
    assert "no delete was seen" in hold.cause
    assert "4711" in rig.stored()
    tag(rig, 5, "after the failover")
    await rig.quiet()
    assert tags(rig, 5) == ["after the failover"]
    assert "4711" in rig.stored()


async def test_from_17_on_a_slot_that_the_standby_has_too_goes_on_after_a_failover(pair: Pair) -> None:
    rig, physical = pair.rig, "standby"
    if pair.primary.version < 17:
        pytest.skip("slots are synchronised from Postgres 17 on")
    rig.execute("SELECT pg_create_physical_replication_slot(%s, true)", physical)
    settings = {"primary_slot_name": physical, "sync_replication_slots": "on"}
    with psycopg.connect(pair.standby.dsn(), autocommit=True) as conn:
        for name, value in settings.items():
            conn.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
        conn.execute("SELECT pg_reload_conf()")
    pair.follow_both()
    await rig.start()
    await rig.quiet()
    synced = f"SELECT synced AND NOT temporary FROM pg_replication_slots WHERE slot_name = '{rig.slot}'"

    def is_synced() -> bool:
        # The standby takes the slot over once the primary's has moved on and its own WAL reaches there.
        tag(rig, 3, "more WAL")
        rig.execute("SELECT pg_log_standby_snapshot()")
        return pair.on_standby(synced) is True

    await eventually("the standby has the slot", is_synced)
    tag(rig, 4, "before")
    await rig.quiet()
    await eventually("the standby has everything", lambda: replayed(pair.primary, pair.standby))
    await rig.stop()
    pushes_before = rig.sandbox.state.pushes["4"]
    tag(rig, 5, "not yet read")
    await eventually("the standby has that too", lambda: replayed(pair.primary, pair.standby))
    await pair.fail_over()
    await rig.start()
    await eventually("the other timeline is noticed", lambda: gap(rig) is Gap.TIMELINE)
    await rig.quiet()
    assert rig.sandbox.state.pushes["4"] == pushes_before
    assert rig.running.pipeline.options.slot_made is None
    assert tags(rig, 5) == ["not yet read"]
    assert (await rig.verdict()).clean


async def test_invariant_4_an_order_read_from_a_replica_is_settled_only_once_the_replica_shows_its_change(
    pair: Pair,
) -> None:
    rig = pair.rig
    rig.overrides["source"] = {"dsn": rig.dsn, "read_dsn": pair.standby.dsn(rig.database.name)}
    await rig.start()
    await rig.quiet()
    pair.on_standby("SELECT pg_wal_replay_pause()")
    paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'" if pair.primary.version >= 14 else "SELECT true"
    await eventually("the replica stands still", lambda: pair.on_standby(paused))
    before = rig.sandbox.state.pushes["4"]
    tag(rig, 4, "not there yet")
    await eventually("it waits", lambda: _waits(rig))
    await rig.read_up_to(rig.wal_end())
    assert (rig.sandbox.state.pushes["4"], await _waits(rig)) == (before, True)
    pair.on_standby("SELECT pg_wal_replay_resume()")
    await rig.quiet()
    assert tags(rig, 4) == ["not there yet"]
    assert (await rig.verdict()).clean


async def test_ddl_is_followed_by_a_comparison_only_once_the_replica_shows_it(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_often(monkeypatch)
    rig = pair.rig
    rig.overrides["source"] = {"dsn": rig.dsn, "read_dsn": pair.standby.dsn(rig.database.name)}
    async with serving(rig) as served:
        pair.on_standby("SELECT pg_wal_replay_pause()")
        paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'" if pair.primary.version >= 14 else "SELECT true"
        await eventually("the replica stands still", lambda: pair.on_standby(paused))
        with capture_logs() as logs:
            rig.execute("ALTER TABLE oms.product ALTER prod_nm TYPE varchar(120) USING upper(prod_nm)")
            await eventually("it is noticed", lambda: any(each["event"] == "source_objects_changed" for each in logs))
            end = rig.wal_end()
            await eventually("the slot passes it", lambda: served.flushed(end))
        facts = await served.facts()
        assert (facts["sweep"] or {}).get("cause") != CAUSE
        pair.on_standby("SELECT pg_wal_replay_resume()")
        await served.quiet()


async def _waits(rig: Rig) -> bool:
    return (await rig.tally()).affected > 0


async def test_from_16_on_a_standby_can_be_streamed_and_promoted(pair: Pair) -> None:
    rig = pair.rig
    if pair.primary.version < 16:
        pytest.skip("logical decoding on a standby needs Postgres 16")
    dsn = pair.standby.dsn(rig.database.name)
    header = [TableName("oms", "order_header")]
    [told] = (await preflight(dsn, "redo_connector", "redo_connector", header, manage=True)).problems
    assert told.hint.startswith("run on the primary: CREATE PUBLICATION")
    rig.overrides["source"] = {"dsn": dsn}
    with pytest.raises(ConfigurationError, match="run on the primary: CREATE PUBLICATION") as caught:
        await rig.start()
    await rig.abandon()
    [problem] = caught.value.problems
    for statement in problem.hint.removeprefix("run on the primary: ").split("; "):
        rig.execute(statement.rstrip(";"))
    await eventually("the standby has the publication", lambda: replayed(pair.primary, pair.standby))
    starting = asyncio.ensure_future(rig.start())

    def started() -> bool:
        # A slot on a standby begins once the primary has told which transactions run.
        rig.execute("SELECT pg_log_standby_snapshot()")
        return starting.done()

    await eventually("the connector has started", started)
    await starting
    await eventually("it has filled Redo", lambda: len(rig.stored()) == 20)
    tag(rig, 4, "told by the standby")
    await eventually("it arrived", lambda: tags(rig, 4) == ["told by the standby"])
    await eventually("the standby has everything", lambda: replayed(pair.primary, pair.standby))
    await pair.fail_over()
    tag(rig, 5, "told by the promoted one")
    await eventually("it arrived, too", lambda: tags(rig, 5) == ["told by the promoted one"])
    await rig.quiet()
    assert (await rig.verdict()).clean


async def test_a_replica_of_another_server_is_refused(rig: Rig, make_cluster: MakeCluster) -> None:
    stranger = create_database(make_cluster())
    with stranger.connect() as conn:
        oms.create(conn)
    rig.overrides["source"] = {"read_dsn": stranger.dsn}
    with pytest.raises(ConfigurationError, match="is another server than"):
        await rig.start()
    await rig.abandon()
