"""Backfill and reconcile: resumable, behind live changes, and counted as drift only when something was known before."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from connector.checkpoints.store import Checkpoints
from connector.model.errors import LimitExceeded, OrderUnreadable
from connector.model.orders import OrderKey
from connector.model.rows import Assembly
from connector.pipeline.ports.entries import Arrival, Commit
from connector.pipeline.ports.records import Sweep, SweepKind
from connector.pipeline.read.reader import Reader
from connector.pipeline.read.visibility import HiddenCommits
from connector.pipeline.sweeps import page_reader
from tests.support.fixtures.connector import Rig, eventually


async def test_a_backfill_goes_on_where_it_was_when_the_process_ended(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_reader, "PAGE", 5)
    rig.switch(latency_ms=30)
    rig.overrides = {"redo": {"max_concurrency": 1}}
    await rig.start()
    await eventually("some pages were walked", lambda: _scanned(rig) >= 10)
    await rig.stop()
    pushed = dict(rig.sandbox.state.pushes)
    await rig.start()
    await eventually("it says how much is left", lambda: 0 < (rig.facts().backfill_remaining or 0) <= 30)
    rig.switch(latency_ms=0)
    await rig.quiet()
    assert (await rig.verdict()).clean
    again = [key for key, count in rig.sandbox.state.pushes.items() if key in pushed and count > pushed[key] + 1]
    assert not again, "a resumed backfill starts nothing over"
    assert _scanned(rig) == 40


async def test_a_live_change_overtakes_a_running_backfill(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_reader, "PAGE", 5)
    rig.switch(latency_ms=60)
    rig.overrides = {"redo": {"max_concurrency": 1}}
    await rig.start()
    await eventually("the backfill is on its way", lambda: len(rig.sandbox.state.orders) >= 3)
    rig.execute("UPDATE oms.order_header SET tag_list = 'live' WHERE ord_id = 39")
    await eventually("the live change arrived", lambda: "39" in rig.stored())
    assert len(rig.sandbox.state.orders) < 30, "it did not wait for its turn in the backfill"
    await rig.quiet()
    assert (await rig.verdict()).clean


async def test_a_reconcile_repairs_what_redo_should_hold_and_counts_it_as_drift(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    assert _drift(rig) == 0
    await rig.stop()
    # Something the stream never tells: the row changes while its table's changes are hidden from the publication.
    rig.execute("ALTER PUBLICATION redo_connector DROP TABLE oms.order_header")
    rig.execute("UPDATE oms.order_header SET tag_list = 'unseen' WHERE ord_id IN (1, 2)")
    rig.execute("ALTER PUBLICATION redo_connector ADD TABLE oms.order_header")
    rig.overrides = {"reconcile": {"every": 0.05}}
    await rig.start()
    await eventually("both were found", lambda: _drift(rig) == 2)
    await eventually("Redo has them", lambda: rig.stored()["1"]["tags"] == rig.stored()["2"]["tags"] == ["unseen"])


async def test_what_another_mapping_makes_different_is_no_drift(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    await rig.stop()
    before = rig.sandbox.state.pushes.total()
    rig.mapping = rig.mapping.replace("ELSE 'store' END AS sales_channel", "ELSE 'shop' END AS sales_channel")
    rig.overrides = {"guard": {"max_share": 1}}
    await rig.start()
    await rig.quiet()
    last = rig.running.pipeline.sweeps.last
    assert last is not None
    assert last.changed == rig.sandbox.state.pushes.total() - before > 0
    assert _drift(rig) == 0


async def test_the_log_tells_what_a_backfill_and_a_comparison_came_to(rig: Rig) -> None:
    rig.execute("UPDATE oms.order_header SET currency = '???' WHERE ord_id IN (3, 4)")
    with capture_logs() as logs:
        await rig.start()
        await rig.quiet()
        (done,) = [line for line in logs if line["event"] == "backfill_done"]
        assert (done["orders"], done["pushed"], done["refused"], done["held"]) == (40, 38, 2, 0)
        assert done["seconds"] > 0
        await rig.running.pipeline.control.sweep(SweepKind.RECONCILE)
        await rig.quiet()
    (done,) = [line for line in logs if line["event"] == "comparison_done"]
    assert (done["cause"], done["orders"], done["pushed"], done["changed"]) == ("asked", 40, 0, 0)


async def test_a_reconcile_finds_orders_that_left_the_oms_unseen(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    await rig.stop()
    rig.execute("ALTER PUBLICATION redo_connector DROP TABLE oms.order_header")
    with rig.database.connect() as conn, conn.transaction():
        for table in ("shipment_item", "refund_item", "order_promo", "payment", "shipment", "refund", "order_item"):
            conn.execute(f"DELETE FROM oms.{table} WHERE ord_id = 6".encode())
        conn.execute("DELETE FROM oms.order_header WHERE ord_id = 6")
    rig.execute("ALTER PUBLICATION redo_connector ADD TABLE oms.order_header")
    rig.overrides = {"reconcile": {"every": 0.05}}
    await rig.start()

    async def marked() -> bool:
        known = await rig.running.pipeline.ports.store.known([OrderKey("6")])
        return known.checkpoints[OrderKey("6")].missing

    await eventually("the checkpoint is marked", marked)


async def test_a_new_slot_makes_every_order_be_compared(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    await rig.stop()
    rig.execute("SELECT pg_drop_replication_slot(%s)", rig.slot)
    rig.execute("UPDATE oms.order_header SET tag_list = 'meanwhile' WHERE ord_id = 5")
    pushes = rig.sandbox.state.pushes.total()
    await rig.start()
    await rig.quiet()
    assert rig.stored()["5"]["tags"] == ["meanwhile"]
    assert rig.sandbox.state.pushes.total() == pushes + 1, "only the difference is pushed"


def _scanned(rig: Rig) -> int:
    current = rig.running.pipeline.sweeps.current
    return 0 if current is None else current.scanned


def _drift(rig: Rig) -> float:
    return rig.running.metrics.registry.get_sample_value("redo_connector_reconcile_drift_total") or 0.0


async def test_a_first_fill_is_read_once(rig: Rig, glances: list[int]) -> None:
    await rig.start()
    await rig.quiet()
    assert len(rig.stored()) == 40
    assert glances == [], "nothing is there to be compared with"


async def test_a_sweep_in_which_nothing_differs_adds_no_order_to_the_ledger(
    rig: Rig, glances: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_reader, "PAGE", 15)
    await rig.start()
    await rig.quiet()
    added: list[Arrival] = []
    arrive = Checkpoints.arrive

    async def watched(
        self: Checkpoints, arrivals: Sequence[Arrival], commits: Sequence[Commit], sweep: Sweep | None = None
    ) -> None:
        added.extend(arrivals)
        await arrive(self, arrivals, commits, sweep)

    monkeypatch.setattr(Checkpoints, "arrive", watched)
    await rig.running.pipeline.control.sweep(SweepKind.RECONCILE)
    await eventually("it is over", lambda: not rig.running.pipeline.sweeps.active)
    last = rig.running.pipeline.sweeps.last
    assert last is not None
    assert (last.scanned, last.missed, last.changed, last.extra, sum(glances)) == (40, 0, 0, 0, 40)
    assert added == []
    assert _unchanged(rig) == 40


async def test_an_order_that_can_not_be_read_keeps_no_other_from_being_compared(rig: Rig) -> None:
    rig.mapping = rig.mapping.replace(
        "o.placed_ts AS created_at", "o.placed_ts + (o.ord_no::int * interval '0') AS created_at"
    )
    rig.execute("UPDATE oms.order_header SET ord_no = ord_id")
    await rig.start()
    await rig.quiet()
    await rig.stop()
    rig.execute("ALTER PUBLICATION redo_connector DROP TABLE oms.order_header")
    rig.execute("UPDATE oms.order_header SET ord_no = 'no number' WHERE ord_id = 3")
    rig.execute("UPDATE oms.order_header SET tag_list = 'unseen' WHERE ord_id = 4")
    rig.execute("ALTER PUBLICATION redo_connector ADD TABLE oms.order_header")
    rig.overrides = {"reconcile": {"every": 0.05}}
    await rig.start()
    await eventually("the other one is repaired", lambda: rig.stored()["4"]["tags"] == ["unseen"])

    async def letters() -> list[str]:
        return [letter.key for letter in await rig.running.pipeline.ports.store.dead_letters(None, 9)]

    await eventually("and this one is a dead letter", letters)
    assert await letters() == ["3"]


@pytest.mark.parametrize(
    "error",
    [LimitExceeded("too long", "takes too long"), OrderUnreadable("22012 division by zero", "22012")],
    ids=lambda error: type(error).__name__,
)
async def test_orders_that_can_not_be_read_together_are_compared_one_by_one(
    rig: Rig, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.start()
    await rig.quiet()
    pushes = rig.sandbox.state.pushes.total()

    async def failing(self: Reader, keys: Sequence[OrderKey]) -> tuple[Assembly, HiddenCommits]:
        raise error

    monkeypatch.setattr(Reader, "glance", failing)
    await rig.running.pipeline.control.sweep(SweepKind.RECONCILE)
    await eventually("it is over", lambda: not rig.running.pipeline.sweeps.active)
    assert (_unchanged(rig), rig.sandbox.state.pushes.total()) == (40, pushes)


@pytest.fixture
def glances(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many orders each query of a page read."""
    found: list[int] = []
    glance = Reader.glance

    async def counting(self: Reader, keys: Sequence[OrderKey]) -> tuple[Assembly, HiddenCommits]:
        found.append(len(keys))
        return await glance(self, keys)

    monkeypatch.setattr(Reader, "glance", counting)
    return found


def _unchanged(rig: Rig) -> float:
    return rig.running.metrics.registry.get_sample_value("redo_connector_orders_total", {"result": "unchanged"}) or 0.0
