"""Replica identities change, and a DBA alters our publications, while the OMS is at work.

What makes the OMS's own statements fail lasts until it is noticed, which is twice a second: the one failure of theirs
that we can cause, and its bound.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from connector.daemon.source.source_objects import CAUSE
from connector.pipeline.ports.records import SweepKind
from connector.postgres.connections import KeptConnection
from connector.source.objects.pair import inserts_name
from connector.source.objects.rescue import Rescuer
from tests.support.ddl_stage import Stage, staged
from tests.support.fix_connector import eventually
from tests.support.fix_postgres import Database

WINDOW = 5.0
"""Seconds; half a second where nobody else needs the machine."""


@pytest.fixture
async def stage(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with staged(database, tmp_path, monkeypatch) as made:
        yield made


async def rescued(stage: Stage, ddl: str) -> None:
    """The clients go on writing, and what fails of that does so for a moment only."""
    await stage.traffic()
    altered = await stage.ddl(ddl)
    looks = KeptConnection(stage.rig.dsn)
    try:
        await eventually("its publication lets go of it", partial(_safe, Rescuer(looks, "redo_connector")))
    finally:
        await looks.close()
    over = time.monotonic()
    await stage.traffic()
    await asyncio.to_thread(stage.clients.paused)
    failures, stage.clients.failures[:] = list(stage.clients.failures), []
    assert {type(failure.error) for failure in failures} <= {psycopg.errors.ObjectNotInPrerequisiteState}
    assert over - altered < WINDOW
    assert all(failure.at < altered + WINDOW for failure in failures)
    stage.fine()


async def _safe(rescuer: Rescuer) -> bool:
    return not await rescuer.look()


async def compared(stage: Stage) -> None:
    """What isn't streamed is found by comparing."""
    await asyncio.to_thread(stage.clients.paused)
    await stage.parts.pipeline.sweeps.ask("test", SweepKind.RECONCILE)
    await stage.settled()


async def test_identities_change_and_stay_usable(stage: Stage) -> None:
    for ddl in (
        "ALTER TABLE bazaar.item REPLICA IDENTITY FULL",
        "ALTER TABLE bazaar.refund REPLICA IDENTITY USING INDEX refund_pkey",
        """ALTER TABLE bazaar.refund REPLICA IDENTITY DEFAULT, DROP CONSTRAINT refund_pkey,
        ADD PRIMARY KEY (id, item_id)""",
        "ALTER TABLE bazaar.refund DROP CONSTRAINT refund_pkey, ADD PRIMARY KEY (id)",
        "ALTER TABLE bazaar.item REPLICA IDENTITY DEFAULT",
    ):
        await stage.traffic()
        await stage.ddl(ddl)
        await stage.traffic()
        await stage.well()


LOST = {
    "the primary key dropped": (
        "ALTER TABLE bazaar.refund DROP CONSTRAINT refund_pkey",
        "ALTER TABLE bazaar.refund ADD PRIMARY KEY (id)",
    ),
    "identity NOTHING": (
        "ALTER TABLE bazaar.item REPLICA IDENTITY NOTHING",
        "ALTER TABLE bazaar.item REPLICA IDENTITY FULL",
    ),
    "a partition's": (
        "ALTER TABLE bazaar.event_1 REPLICA IDENTITY NOTHING",
        "ALTER TABLE bazaar.event_1 REPLICA IDENTITY DEFAULT",
    ),
    "the identity's index dropped": (
        "DROP INDEX bazaar.chosen",
        "ALTER TABLE bazaar.payment REPLICA IDENTITY DEFAULT",
    ),
}


async def test_a_lost_identity_hurts_the_oms_for_a_moment_only_and_a_regained_one_is_used(stage: Stage) -> None:
    chosen = "CREATE UNIQUE INDEX chosen ON bazaar.payment (no, order_id)"
    await stage.ddl(f"{chosen}; ALTER TABLE bazaar.payment REPLICA IDENTITY USING INDEX chosen")
    for lost, regained in LOST.values():
        await rescued(stage, lost)
        await compared(stage)
        await stage.ddl(regained)
        await stage.traffic()
        await stage.well()


def published(stage: Stage) -> tuple[bool, ...]:
    """Whether inserts, updates, deletes and truncates are."""
    query = "SELECT pubinsert, pubupdate, pubdelete, pubtruncate FROM pg_publication WHERE pubname = 'redo_connector'"
    with stage.rig.database.connect() as conn:
        return conn.execute(query).fetchone() or ()


async def test_a_lock_on_the_table_delays_no_rescue(stage: Stage) -> None:
    """As when an index is built concurrently for the next primary key, which may take hours."""
    with psycopg.connect(stage.rig.dsn) as building:
        building.execute("LOCK TABLE ONLY bazaar.event IN SHARE UPDATE EXCLUSIVE MODE")
        await rescued(stage, "ALTER TABLE bazaar.event_1 REPLICA IDENTITY NOTHING")
        assert published(stage) == (True, False, False, True)
        await stage.traffic()
        stage.fine()
    await stage.ddl("ALTER TABLE bazaar.event_1 REPLICA IDENTITY DEFAULT")
    await stage.traffic()
    await stage.well()
    assert published(stage) == (True, True, True, True)


async def test_what_a_dba_takes_out_of_our_publications_is_put_back_and_nothing_stays_missed(
    stage: Stage, database: Database
) -> None:
    """Not even what a transaction did that was open all the time: of that, the stream lacks a part for ever."""
    main, second = "redo_connector", inserts_name("redo_connector")
    with psycopg.connect(stage.rig.dsn) as slow:
        slow.execute("UPDATE bazaar.item SET qty = 88 WHERE id = (SELECT min(id) FROM bazaar.item)")
        await stage.traffic()
        await stage.ddl(f"ALTER PUBLICATION {main} DROP TABLE bazaar.item")
        slow.execute("UPDATE bazaar.refund SET amount = 88 WHERE id = (SELECT min(id) FROM bazaar.refund)")
        await stage.traffic()
        await eventually("a first comparison doesn't wait for it", lambda: compared_at(stage) is not None)
        sweep = compared_at(stage)
        slow.commit()
    await eventually("another one was made since", lambda: compared_at(stage) not in (None, sweep))
    await stage.well()
    for ddl in (
        f"DROP PUBLICATION {second}",
        f"ALTER PUBLICATION {main} SET (publish = 'insert, truncate')",
        f"ALTER PUBLICATION {main} DROP TABLE bazaar.refund; ALTER PUBLICATION {main} ADD TABLE bazaar.refund",
    ):
        await stage.traffic()
        await stage.ddl(ddl)
        await stage.traffic()
        await stage.well()
    await stage.ddl(f"DROP PUBLICATION {main}")
    await stage.traffic()
    await eventually("the slot is made anew", lambda: stage.parts.pipeline.progress.noticed is not None)
    await stage.well()


def compared_at(stage: Stage) -> float | None:
    """When the latest comparison for the sake of the source's tables was begun."""
    sweep = stage.parts.pipeline.sweeps.current
    return sweep.started_at if sweep is not None and sweep.cause == CAUSE else None


async def test_without_leave_to_mend_a_gap_is_compared_once_and_again_when_the_dba_closed_it(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(database, tmp_path, monkeypatch, source={"manage": False}) as stage:
        causes: list[str] = []
        ask = stage.parts.pipeline.sweeps.ask

        async def counted(cause: str, kind: SweepKind) -> int:
            causes.append(cause)
            return await ask(cause, kind)

        monkeypatch.setattr(stage.parts.pipeline.sweeps, "ask", counted)
        await stage.ddl("ALTER PUBLICATION redo_connector DROP TABLE bazaar.item")
        await eventually("it is noticed", lambda: causes)
        seen = stage.parts.objects._watch.moment
        for _ in range(5):
            await stage.ddl("SELECT pg_logical_emit_message(true, 'test', 'time goes by')")
            await eventually("it looks again", lambda: stage.parts.objects._watch.moment != seen)  # noqa: B023
            seen = stage.parts.objects._watch.moment
        assert causes == [CAUSE]
        await stage.ddl("UPDATE bazaar.item SET qty = 99", "ALTER PUBLICATION redo_connector ADD TABLE bazaar.item")
        await stage.well()
        assert causes == [CAUSE] * 2
        await stage.ddl("ALTER TABLE bazaar.item REPLICA IDENTITY NOTHING")
        fails = await eventually(
            "the DBA is told", lambda: next((e for e in stage.logs if e["event"] == "oms_statements_fail"), None)
        )
        await stage.ddl(fails["next"].removeprefix("let a DBA run: "))
        with database.connect() as conn:
            conn.execute("UPDATE bazaar.item SET qty = 3")
