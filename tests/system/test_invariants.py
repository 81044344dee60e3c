"""The ten invariants, each against the whole connector with a real Postgres and a real HTTP server for Redo."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from connector.demo import oms
from connector.demo.shop.traffic import Traffic
from connector.model.orders import OrderKey, OutcomeKind
from connector.pipeline.backoff import Backoff
from connector.pipeline.deliver.circuit_breaker import Pause
from connector.pipeline.deliver.policy import POLICY
from connector.pipeline.ports.entries import Arrival, Lane
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import MakeCluster, create_database
from tests.support.ledger import entries_taken

NO_PAUSE = Pause(OutcomeKind.ACCEPTED, "", "", 0.0, 0.0, 0)


async def play(rig: Rig, steps: int, seed: int = 11) -> None:
    async with await psycopg.AsyncConnection.connect(rig.dsn, autocommit=True) as conn:
        traffic = Traffic(conn, seed)
        for _ in range(steps):
            await traffic.step()
        await traffic.mend()


async def test_invariant_1_nothing_is_lost_under_traffic(rig: Rig) -> None:
    await rig.start()
    await play(rig, 300)
    await rig.quiet()
    verdict = await rig.verdict()
    assert verdict.clean, str(verdict)
    assert verdict.refused == ()


async def test_invariant_1_what_was_written_while_the_connector_was_stopped_arrives_after_its_start(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    await rig.stop()
    await play(rig, 60)
    await rig.start()
    await rig.quiet()
    verdict = await rig.verdict()
    assert verdict.clean, str(verdict)


async def test_only_orders_that_changed_are_pushed(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    pushed = dict(rig.sandbox.state.pushes)
    rig.execute("UPDATE oms.order_header SET internal_note = 'checked', chg_ts = now()")
    rig.execute("UPDATE oms.order_item SET pick_bin = 'A1'")
    rig.execute("UPDATE oms.order_item SET qty = qty")
    rig.execute("UPDATE oms.order_header SET tag_list = 'gift' WHERE ord_id = 3")
    await rig.quiet()
    again = {key for key, count in rig.sandbox.state.pushes.items() if count > pushed.get(key, 0)}
    assert again == {"3"}


async def test_invariant_2_a_checkpoint_is_written_after_redos_200_and_never_before(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    memory = rig.running.pipeline.ports.store
    before = (await memory.known([OrderKey("5")])).checkpoints[OrderKey("5")]
    rig.switch(late=1, late_seconds=0.5)
    rig.execute("UPDATE oms.order_header SET tag_list = 'slow' WHERE ord_id = 5")
    await eventually("the push is in flight", lambda: rig.sandbox.state.in_flight["5"])
    assert (await memory.known([OrderKey("5")])).checkpoints[OrderKey("5")] == before
    await rig.quiet()
    assert (await memory.known([OrderKey("5")])).checkpoints[OrderKey("5")].fingerprint != before.fingerprint


async def test_invariant_2_a_rejected_order_keeps_the_checkpoint_of_what_redo_holds(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    memory = rig.running.pipeline.ports.store
    before = (await memory.known([OrderKey("5")])).checkpoints[OrderKey("5")]
    rig.switch(reject=["5"])
    rig.execute("UPDATE oms.order_header SET tag_list = 'no' WHERE ord_id = 5")
    await rig.quiet()
    known = await memory.known([OrderKey("5")])
    assert known.checkpoints[OrderKey("5")] == before
    assert known.dead_letters[OrderKey("5")].reason == "rejected"


async def test_invariant_3_the_slot_never_passes_what_is_not_durable(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.start()
    await rig.quiet()
    memory = rig.running.pipeline.ports.store
    arrive, may_write = memory.arrive, asyncio.Event()

    async def held(arrivals: list[Arrival], *rest: Any) -> Any:
        if any(arrival.keys for arrival in arrivals):
            await may_write.wait()
        return await arrive(arrivals, *rest)

    monkeypatch.setattr(memory, "arrive", held)
    barrier = rig.wal_end()
    rig.execute("UPDATE oms.order_header SET tag_list = 'x' WHERE ord_id = 1")
    # Later transactions that concern nobody must not carry the slot past the one that waits.
    for _ in range(20):
        rig.execute("INSERT INTO oms.audit_log (log_ts, who, what) VALUES (now(), 'x', 'y')")
    end = rig.wal_end()
    source = rig.running.pipeline.ports.source
    await eventually("the stream has read on", lambda: source.position().received_lsn >= end)
    with rig.database.connect() as conn:
        row = conn.execute(
            "SELECT confirmed_flush_lsn - %s::pg_lsn <= 1000 FROM pg_replication_slots WHERE slot_name = %s",
            (f"{barrier >> 32:X}/{barrier & 0xFFFFFFFF:X}", rig.slot),
        ).fetchone()
    assert row == (True,)
    assert source.position().flush_lsn < end
    may_write.set()
    await rig.quiet()
    assert (await rig.verdict()).clean


@pytest.fixture
async def unseen(make_cluster: MakeCluster, rig: Rig) -> AsyncIterator[Rig]:
    """A server of the test's own whose commits wait for a standby that doesn't exist: the stream delivers them while
    every other session still sees the old rows."""
    database = create_database(make_cluster())
    with database.connect() as conn:
        oms.create(conn)
        oms.seed(conn, 5, 1)
        conn.execute("INSERT INTO oms.product VALUES (900, 'SKU-900', 'Old name', 'Acme', NULL, 1, 5, 'N')")
    own = Rig(database, rig.sandbox, rig.folder, rig.mapping)
    await own.start()
    await own.quiet()
    own.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    own.execute("SELECT pg_reload_conf()")
    await eventually("commits wait", lambda: _setting(own, "synchronous_standby_names") == "nobody")
    yield own
    await own.stop()


@contextlib.asynccontextmanager
async def waiting_commit(rig: Rig, statement: str) -> AsyncIterator[None]:
    """Run a statement whose commit stays hidden until the block ends."""
    writer = threading.Thread(target=_execute_even_if_interrupted, args=(rig.dsn, statement))
    writer.start()
    try:
        yield
    finally:
        rig.execute("ALTER SYSTEM RESET synchronous_standby_names")
        rig.execute("SELECT pg_reload_conf()")
        await asyncio.to_thread(writer.join)


async def test_invariant_4_an_order_is_settled_only_by_a_snapshot_that_shows_its_transaction(unseen: Rig) -> None:
    pushes = unseen.sandbox.state.pushes["2"]
    async with waiting_commit(unseen, "UPDATE oms.order_header SET tag_list = 'hidden' WHERE ord_id = 2"):
        await eventually("the ledger holds the order", lambda: _affected(unseen))
        looks = _count(unseen, "assemble_duration_seconds_count")
        await eventually(
            "it was looked at several times", lambda: _count(unseen, "assemble_duration_seconds_count") > looks + 3
        )
        assert unseen.sandbox.state.pushes["2"] == pushes, "the old row must not have been pushed"
        assert await _affected(unseen), "the order must not have been settled"
    await unseen.quiet()
    assert unseen.stored()["2"]["tags"] == ["hidden"]
    assert (await unseen.verdict()).clean


async def test_invariant_4_a_lookup_is_resolved_only_by_a_snapshot_that_shows_its_transaction(unseen: Rig) -> None:
    """An order comes to hold a product whose rename is still hidden: resolving the rename's lookup too early would
    miss that order, and assembling the order then shows the old name."""
    async with waiting_commit(unseen, "UPDATE oms.product SET prod_nm = 'New name' WHERE product_id = 900"):
        await eventually("the lookup waits", lambda: lookups_wait(unseen))
        with unseen.database.connect() as conn:
            conn.execute("SET synchronous_commit = local")
            conn.execute(
                "INSERT INTO oms.order_item (ord_id, line_no, product_id, qty, unit_price) VALUES (2, 77, 900, 1, 5)"
            )
        await eventually("the order has the old name", lambda: _titles(unseen, "2") >= {"Old name"})
        assert await lookups_wait(unseen), "the lookup must not have been resolved"
    await unseen.quiet()
    assert _titles(unseen, "2") >= {"New name"}
    assert (await unseen.verdict()).clean


async def test_invariant_5_one_request_in_flight_per_order_and_the_newest_state_wins(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    rig.switch(latency_ms=20)
    for number in range(40):
        rig.execute("UPDATE oms.order_header SET tag_list = %s WHERE ord_id IN (1, 2, 3)", f"v{number}")
    await rig.quiet()
    assert rig.sandbox.state.overlaps == 0
    assert {rig.stored()[key]["tags"][0] for key in ("1", "2", "3")} == {"v39"}


@pytest.mark.parametrize("trouble", ["cut", "hang"])
async def test_invariant_5_an_unknown_outcome_is_confirmed_even_when_the_order_is_again_its_checkpoint(
    rig: Rig, trouble: str
) -> None:
    rig.overrides = {"redo": {"timeout": 0.3}}
    rig.execute("UPDATE oms.order_header SET tag_list = 'before' WHERE ord_id = 4")
    await rig.start()
    await rig.quiet()
    rig.switch(**{trouble: 1})
    # The push of the new state is applied by Redo, but the answer never comes; then the order turns back.
    with rig.database.connect() as conn:
        conn.execute("UPDATE oms.order_header SET tag_list = 'between' WHERE ord_id = 4")
        await eventually("Redo holds the state in between", lambda: rig.stored()["4"]["tags"] == ["between"])
        conn.execute("UPDATE oms.order_header SET tag_list = 'before' WHERE ord_id = 4")
    await rig.quiet()
    assert rig.stored()["4"]["tags"] == ["before"]
    if trouble == "cut":  # a request that hangs is still open at the server when the next one comes
        assert rig.sandbox.state.overlaps == 0


async def test_invariant_6_one_bad_order_stops_nobody_else_and_never_holds_the_slot(rig: Rig) -> None:
    rig.mapping = rig.mapping.replace(
        "o.placed_ts AS created_at,", "o.placed_ts + make_interval(secs => 0 / (o.ord_id - 9)) AS created_at,"
    )
    owner = "SELECT cust_id FROM oms.order_header WHERE ord_id = 1"
    rig.execute(f"UPDATE oms.customer SET email_addr = 'broken' WHERE cust_id = ({owner})")
    rig.switch(reject=["2"])
    await rig.start()
    await rig.quiet()
    for number in range(5):
        rig.execute("UPDATE oms.order_header SET tag_list = %s", f"v{number}")
    await rig.quiet()
    letters = {letter.key: letter for letter in await rig.running.pipeline.ports.store.dead_letters(None, 100)}
    assert letters[OrderKey("2")].reason == "rejected"
    assert letters[OrderKey("9")].reason == "mapping"
    invalid = {key for key, letter in letters.items() if letter.reason == "invalid"}
    assert "1" in invalid
    assert all(letters[OrderKey(key)].paths == ("customer.email",) for key in invalid)
    good = rig.stored().keys() - letters.keys()
    assert len(good) + len(letters) == 40
    assert all(rig.stored()[key]["tags"] == ["v4"] for key in good)


async def test_invariant_6_an_order_that_is_mended_is_delivered_by_itself(rig: Rig) -> None:
    rig.switch(reject=["2"])
    await rig.start()
    await rig.quiet()
    assert "2" not in rig.stored()
    rig.switch(reject=[])
    rig.execute("UPDATE oms.order_header SET tag_list = 'mended' WHERE ord_id = 2")
    await rig.quiet()
    assert rig.stored()["2"]["tags"] == ["mended"]
    assert (await rig.tally()).dead_letters.get("rejected", 0) == 0


async def test_invariant_7_a_dead_redo_never_holds_the_slot_and_costs_one_ledger_row_an_order(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    rig.switch(outage=True, retry_after=0)
    for number in range(15):
        rig.execute("UPDATE oms.order_header SET tag_list = %s", f"v{number}")
    end = rig.wal_end()
    await rig.read_up_to(end)
    with rig.database.connect() as conn:
        await eventually("the server knows", lambda: _confirmed(conn, rig.slot, end))
    tally = await rig.tally()
    assert tally.affected == 40
    pushes = rig.sandbox.state.pushes.total()
    rig.switch(outage=False)
    await rig.quiet()
    assert (await rig.verdict()).clean
    assert rig.sandbox.state.pushes.total() - pushes <= 45, "fifteen changes during an outage are one push"


async def test_a_refused_token_pauses_everything_spends_no_attempt_and_resumes_by_itself(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = replace(POLICY[OutcomeKind.REFUSED], pause_backoff=Backoff(base=0.05, cap=0.2))
    monkeypatch.setitem(POLICY, OutcomeKind.REFUSED, quick)
    await rig.start()
    await rig.quiet()
    rig.switch(unauthorized=True)
    rig.execute("UPDATE oms.order_header SET tag_list = 'new'")
    pipeline = rig.running.pipeline
    await eventually("it pauses", lambda: (pipeline.admissions.pause or NO_PAUSE).attempt >= 3)
    assert rig.sandbox.state.answers["POST 401"] < 40 + 10, "one probe at a time, not every order again and again"
    entries = await entries_taken(rig.running.pipeline.ports.store, 100, 2e9, frozenset(), (Lane.LIVE,))
    assert {entry.attempts for entry in entries} <= {0}
    rig.switch(unauthorized=False)
    await rig.stop()
    await rig.start()
    await rig.quiet()
    assert (await rig.verdict()).clean


async def test_invariant_8_nothing_but_two_publications_and_a_slot_is_made_in_the_oms(rig: Rig) -> None:
    before = _inventory(rig)
    await rig.start()
    await play(rig, 50)
    await rig.quiet()
    assert _inventory(rig) == before
    with rig.database.connect() as conn:
        assert conn.execute("SELECT count(*) FROM pg_publication").fetchone() == (2,)


async def test_invariant_8_a_table_without_replica_identity_is_followed_by_insert_and_sweep_and_stays_writable(
    rig: Rig,
) -> None:
    rig.execute("ALTER TABLE oms.order_promo DROP CONSTRAINT order_promo_pkey")
    await rig.start()
    await rig.quiet()
    rig.execute("INSERT INTO oms.order_promo SELECT 7, promo_cd, 1 FROM oms.promo")
    await rig.quiet()
    assert (await rig.verdict()).clean, "what is inserted arrives by the stream"
    await rig.stop()
    rig.overrides = {"reconcile": {"every": 0.5}}
    await rig.start()
    for statement in ("UPDATE oms.order_promo SET amt = 2", "DELETE FROM oms.order_promo WHERE ord_id = 7"):
        rig.execute(statement)
        await eventually(f"a reconcile finds {statement}", lambda: _clean(rig))


async def test_invariant_10_an_order_that_leaves_the_oms_stays_at_redo(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    with rig.database.connect() as conn, conn.transaction():
        for table in ("shipment_item", "refund_item", "order_promo", "payment", "shipment", "refund", "order_item"):
            conn.execute(f"DELETE FROM oms.{table} WHERE ord_id = 6".encode())
        conn.execute("DELETE FROM oms.order_header WHERE ord_id = 6")
    await rig.quiet()
    assert "6" in rig.stored()
    assert (await rig.tally()).missing == 1
    assert "DELETE 200" not in rig.sandbox.state.answers


async def test_invariant_4_the_reverse_index_is_asked_only_once_the_delete_is_visible(unseen: Rig) -> None:
    """While a delete is hidden an order may be read with the row: asked too early, the index would not name it."""
    with unseen.database.connect() as conn:
        row = conn.execute("SELECT min(pay_id) FROM oms.payment WHERE ord_id = 2").fetchone()
    assert row is not None
    async with waiting_commit(unseen, f"DELETE FROM oms.payment WHERE pay_id = {row[0]}"):
        await eventually("the lookup waits", lambda: lookups_wait(unseen))
        with unseen.database.connect() as conn:
            conn.execute("SET synchronous_commit = local")
            conn.execute("UPDATE oms.order_header SET tag_list = 'meanwhile' WHERE ord_id = 2")
        await eventually("the order arrived with the row", lambda: unseen.stored()["2"]["tags"] == ["meanwhile"])
        assert await lookups_wait(unseen), "the lookup must not have been resolved"
    await unseen.quiet()
    assert (await unseen.verdict()).clean


def _setting(rig: Rig, name: str) -> str:
    with rig.database.connect() as conn:
        row = conn.execute("SELECT current_setting(%s)", (name,)).fetchone()
        assert row is not None
        return str(row[0])


def _execute_even_if_interrupted(dsn: str, statement: str) -> None:
    with contextlib.suppress(psycopg.Error), psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(statement.encode())


async def _clean(rig: Rig) -> bool:
    rig.check()
    return (await rig.verdict()).clean


async def _affected(rig: Rig) -> bool:
    return (await rig.tally()).affected > 0


async def lookups_wait(rig: Rig) -> bool:
    return (await rig.tally()).lookups > 0


def _titles(rig: Rig, order_id: str) -> set[str]:
    return {item["title"] for item in rig.stored()[order_id]["lineItems"]}


def _count(rig: Rig, name: str) -> float:
    return rig.running.metrics.registry.get_sample_value(f"redo_connector_{name}") or 0.0


def _confirmed(conn: psycopg.Connection[Any], slot: str, lsn: int) -> bool:
    row = conn.execute(
        "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s",
        (f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}", slot),
    ).fetchone()
    return row == (True,)


def _inventory(rig: Rig) -> list[Any]:
    with rig.database.connect() as conn:
        return [
            conn.execute(query.encode()).fetchall()
            for query in (
                "SELECT oid, relname, relreplident FROM pg_class WHERE oid >= 16384 AND relkind <> 't' ORDER BY 1",
                "SELECT oid, proname FROM pg_proc WHERE oid >= 16384 ORDER BY 1",
                "SELECT oid, tgname FROM pg_trigger ORDER BY 1",
                "SELECT oid, nspname FROM pg_namespace WHERE oid >= 16384 AND nspname NOT LIKE 'pg_%' ORDER BY 1",
            )
        ]
