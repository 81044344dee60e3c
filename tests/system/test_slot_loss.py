"""A slot that is dropped, invalidated, moved or undecodable: no order stays stale, and nothing is resent in vain.

The whole connector on real servers. Each test changes an order where no stream will tell it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
import pytest

from connector.demo import oms
from connector.model.errors import ConfigurationError
from connector.pipeline.intake.progress import Gap
from connector.pipeline.ports.holds import HoldKind
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import MakeCluster, create_database


def tag(rig: Rig, order: int, value: str) -> None:
    rig.execute(f"UPDATE oms.order_header SET tag_list = '{value}' WHERE ord_id = {order}")


def drop_slot(rig: Rig) -> None:
    """As somebody would who doesn't know whose it is."""
    with rig.database.connect() as conn:
        while True:
            conn.execute(
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
                " WHERE slot_name = %s AND active_pid IS NOT NULL",
                (rig.slot,),
            )
            try:
                conn.execute("SELECT pg_drop_replication_slot(%s)", (rig.slot,))
            except psycopg.errors.ObjectInUse:
                continue
            return


def pushes(rig: Rig) -> int:
    return sum(rig.sandbox.state.pushes.values())


def tags(rig: Rig, order: int) -> list[str]:
    found: list[str] = rig.stored()[str(order)]["tags"]
    return found


async def quiet_with(rig: Rig, gap: Gap) -> None:
    """The gap was noticed, and everything was compared since."""
    await eventually(f"the gap is noticed: {gap.value}", lambda: _noticed(rig) is gap)
    await rig.quiet()
    assert (await rig.verdict()).clean


def _noticed(rig: Rig) -> Gap | None:
    rig.check()
    noticed = rig.running.pipeline.progress.noticed
    return None if noticed is None else noticed.gap


async def settled(rig: Rig) -> int:
    """A connector that has filled Redo. Returns how many pushes that took."""
    await rig.start()
    await rig.quiet()
    assert _noticed(rig) is None
    return pushes(rig)


async def test_a_slot_dropped_while_running_is_made_anew_and_only_what_was_missed_is_pushed(rig: Rig) -> None:
    before = await settled(rig)
    with rig.database.connect() as slow:
        # Until this transaction ends no new slot can be made, so that nobody tells what happens meanwhile.
        slow.autocommit = False
        slow.execute("UPDATE oms.order_header SET ord_id = ord_id WHERE ord_id = 1")
        drop_slot(rig)
        tag(rig, 4, "missed")
        await eventually("the stream is given up", lambda: not rig.running.pipeline.ports.source.position().connected)
        slow.rollback()
    await quiet_with(rig, Gap.SLOT_GONE)
    assert tags(rig, 4) == ["missed"]
    assert pushes(rig) == before + 1
    tag(rig, 5, "told")
    await rig.quiet()
    assert tags(rig, 5) == ["told"]


async def test_a_slot_dropped_while_stopped_is_made_anew_at_the_start(rig: Rig) -> None:
    before = await settled(rig)
    await rig.stop()
    drop_slot(rig)
    tag(rig, 4, "missed")
    await rig.start()
    await quiet_with(rig, Gap.SLOT_GONE)
    assert tags(rig, 4) == ["missed"]
    assert pushes(rig) == before + 1


async def test_a_slot_that_lost_wal_is_made_anew_and_only_what_was_missed_is_pushed(
    make_cluster: MakeCluster, rig: Rig
) -> None:
    own = Rig(create_database(make_cluster({"max_slot_wal_keep_size": "1MB"})), rig.sandbox, rig.folder, rig.mapping)
    with own.database.connect() as conn:
        oms.create(conn)
        oms.seed(conn, 20, 3)
    try:
        before = await settled(own)
        await own.stop()
        tag(own, 4, "missed")
        lost = "SELECT wal_status = 'lost' FROM pg_replication_slots"

        def removed() -> bool:
            with own.database.connect() as conn:
                conn.execute("CREATE TABLE IF NOT EXISTS filler (x text)")
                conn.execute("INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
                conn.execute("SELECT pg_switch_wal()")
                conn.execute("CHECKPOINT")
                return conn.execute(lost).fetchone() == (True,)

        await eventually("the server gives the slot up", removed)
        await own.start()
        await quiet_with(own, Gap.SLOT_LOST)
        assert tags(own, 4) == ["missed"]
        assert pushes(own) == before + 1
    finally:
        await own.stop()


async def test_a_publication_dropped_while_running_is_made_anew_with_the_slot(rig: Rig) -> None:
    before = await settled(rig)
    rig.execute("DROP PUBLICATION redo_connector")
    tag(rig, 4, "missed")
    rig.running.objects._next = 0.0
    await rig.running.objects.look()
    await quiet_with(rig, Gap.SLOT_UNDECODABLE)
    assert tags(rig, 4) == ["missed"]
    assert pushes(rig) == before + 1
    tag(rig, 5, "told")
    await rig.quiet()
    assert tags(rig, 5) == ["told"]


async def test_a_slot_advanced_by_others_is_noticed(rig: Rig) -> None:
    await settled(rig)
    await rig.stop()
    tag(rig, 4, "skipped")
    rig.execute("SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", rig.slot)
    await rig.start()
    await quiet_with(rig, Gap.SLOT_MOVED)
    assert tags(rig, 4) == ["skipped"]


async def test_an_older_copy_of_the_checkpoints_never_hides_what_redo_accepted_since(rig: Rig) -> None:
    """The checkpoint says A, the OMS says A, and Redo holds B, which the lost checkpoints knew."""
    tag(rig, 4, "a")
    await settled(rig)
    await rig.stop()
    file, copy = rig.folder / "connector.db", rig.folder / "older.db"
    shutil.copy(file, copy)
    await rig.start()
    tag(rig, 4, "b")
    await rig.quiet()
    assert tags(rig, 4) == ["b"]
    await rig.stop()
    for each in rig.folder.glob("connector.db*"):
        each.unlink()
    shutil.copy(copy, file)
    tag(rig, 4, "a")
    # The stream need not tell this: the slot is taken past it.
    rig.execute("SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", rig.slot)
    await rig.start()
    await quiet_with(rig, Gap.SLOT_MOVED)
    assert tags(rig, 4) == ["a"]


async def test_a_server_that_went_back_in_time_is_noticed_though_its_slot_looks_right(
    make_cluster: MakeCluster, rig: Rig, tmp_path: Path
) -> None:
    """A copy of the disk, taken earlier, with the same system identifier and timeline."""
    cluster = make_cluster()
    own = Rig(create_database(cluster), rig.sandbox, rig.folder, rig.mapping)
    own.overrides["mapping"] = {"missing": "delete"}
    with own.database.connect() as conn:
        oms.create(conn)
        oms.seed(conn, 20, 3)
    try:
        await settled(own)
        await own.stop()
        cluster.stop()
        shutil.copytree(cluster.data, tmp_path / "copy", copy_function=shutil.copy2)
        cluster.start()
        await own.start()
        tag(own, 4, "never happened")
        own.copy_order(4, 4711)
        await own.quiet()
        assert tags(own, 4) == ["never happened"]
        await own.stop()
        end = own.wal_end()
        cluster.stop()
        for each in cluster.data.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        for each in (tmp_path / "copy").iterdir():
            target = cluster.data / each.name
            shutil.copytree(each, target) if each.is_dir() else shutil.copy2(each, target)
        _same_owner(cluster.data, tmp_path / "copy")
        cluster.start()
        tag(own, 5, "happened")  # shorter than what never happened, so that it ends before that did
        while own.wal_end() <= end:
            own.execute("SELECT pg_logical_emit_message(false, 'filler', repeat('x', 100000))")
        await own.start()
        await eventually("the gap is noticed", lambda: _noticed(own) is Gap.HISTORY)
        await own.quiet()
        [hold] = await own.running.pipeline.ports.store.holds()
        assert (hold.kind, hold.orders, "4711" in own.stored()) == (HoldKind.VANISHED, 1, True)
        assert "never happened" not in tags(own, 4)
    finally:
        await own.stop()


def _same_owner(target: Path, source: Path) -> None:
    """copytree makes files of ours; the server's are its account's."""
    owner = target.stat()
    for each in target.rglob("*"):
        shutil.chown(each, owner.st_uid, owner.st_gid)
    assert any(source.iterdir())


async def test_with_stop_a_lost_slot_ends_the_connector_and_one_start_with_recreate_goes_on(rig: Rig) -> None:
    rig.overrides["source"] = {"on_slot_loss": "stop"}
    await settled(rig)
    drop_slot(rig)
    await eventually("the connector has ended", lambda: rig._task is not None and rig._task.done())
    with pytest.raises(ConfigurationError, match="CONNECTOR_SOURCE__ON_SLOT_LOSS=recreate"):
        await rig.stop()
    tag(rig, 4, "missed")
    with pytest.raises(ConfigurationError, match="there is no such slot"):
        await rig.start()
    await rig.abandon()
    rig.overrides["source"] = {"on_slot_loss": "recreate"}
    await rig.start()
    await quiet_with(rig, Gap.SLOT_GONE)
    assert tags(rig, 4) == ["missed"]


async def test_a_slot_that_a_dba_must_make_is_waited_for_while_delivery_goes_on(rig: Rig) -> None:
    await settled(rig)
    await rig.stop()
    rig.overrides["source"] = {"manage": False}
    await settled(rig)
    tag(rig, 5, "delivered")  # delivery begins a moment after the stream, and never before it
    await rig.quiet()
    before = pushes(rig)
    drop_slot(rig)
    pipeline = rig.running.pipeline
    await eventually("it says what to do", lambda: "let a DBA" in str(pipeline.source_trouble))
    await pipeline.control.resend([next(iter(await pipeline.ports.store.page_checkpoints(None, 1)))])
    await eventually("what is in the ledger is delivered", lambda: pushes(rig) == before + 1)
    tag(rig, 4, "missed")
    rig.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", rig.slot)
    await quiet_with(rig, Gap.SLOT_GONE)
    assert tags(rig, 4) == ["missed"]
    assert pushes(rig) == before + 2
