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
from connector.source.objects.publication_pair import inserts_name
from connector.source.objects.publication_repair import PublicationRepair
from tests.support.fixtures.connector import eventually
from tests.support.fixtures.postgres import Database
from tests.support.oms.ddl_scenario import DdlScenario, ddl_scenario

WINDOW = 5.0
"""Seconds; half a second where nobody else needs the machine."""


@pytest.fixture
async def scenario(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DdlScenario]:
    async with ddl_scenario(database, tmp_path, monkeypatch) as made:
        yield made


async def rescued(scenario: DdlScenario, ddl: str) -> None:
    """The clients go on writing, and what fails of that does so for a moment only."""
    await scenario.traffic()
    altered = await scenario.ddl(ddl)
    looks = KeptConnection(scenario.rig.dsn)
    try:
        await eventually("its publication lets go of it", partial(_safe, PublicationRepair(looks, "redo_connector")))
    finally:
        await looks.close()
    over = time.monotonic()
    await scenario.traffic()
    await asyncio.to_thread(scenario.clients.paused)
    failures, scenario.clients.failures[:] = list(scenario.clients.failures), []
    assert {type(failure.error) for failure in failures} <= {psycopg.errors.ObjectNotInPrerequisiteState}
    assert over - altered < WINDOW
    assert all(failure.at < altered + WINDOW for failure in failures)
    scenario.fine()


async def _safe(repair: PublicationRepair) -> bool:
    return not await repair.look()


async def compared(scenario: DdlScenario) -> None:
    """What isn't streamed is found by comparing."""
    await asyncio.to_thread(scenario.clients.paused)
    await scenario.parts.pipeline.sweeps.ask("test", SweepKind.RECONCILE)
    await scenario.settled()


async def test_identities_change_and_stay_usable(scenario: DdlScenario) -> None:
    for ddl in (
        "ALTER TABLE bazaar.item REPLICA IDENTITY FULL",
        "ALTER TABLE bazaar.refund REPLICA IDENTITY USING INDEX refund_pkey",
        """ALTER TABLE bazaar.refund REPLICA IDENTITY DEFAULT, DROP CONSTRAINT refund_pkey,
        ADD PRIMARY KEY (id, item_id)""",
        "ALTER TABLE bazaar.refund DROP CONSTRAINT refund_pkey, ADD PRIMARY KEY (id)",
        "ALTER TABLE bazaar.item REPLICA IDENTITY DEFAULT",
    ):
        await scenario.traffic()
        await scenario.ddl(ddl)
        await scenario.traffic()
        await scenario.well()


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


async def test_a_lost_identity_hurts_the_oms_for_a_moment_only_and_a_regained_one_is_used(
    scenario: DdlScenario,
) -> None:
    chosen = "CREATE UNIQUE INDEX chosen ON bazaar.payment (no, order_id)"
    await scenario.ddl(f"{chosen}; ALTER TABLE bazaar.payment REPLICA IDENTITY USING INDEX chosen")
    for lost, regained in LOST.values():
        await rescued(scenario, lost)
        await compared(scenario)
        await scenario.ddl(regained)
        await scenario.traffic()
        await scenario.well()


def published(scenario: DdlScenario) -> tuple[bool, ...]:
    """Whether inserts, updates, deletes and truncates are."""
    query = "SELECT pubinsert, pubupdate, pubdelete, pubtruncate FROM pg_publication WHERE pubname = 'redo_connector'"
    with scenario.rig.database.connect() as conn:
        return conn.execute(query).fetchone() or ()


async def test_a_lock_on_the_table_delays_no_rescue(scenario: DdlScenario) -> None:
    """As when an index is built concurrently for the next primary key, which may take hours."""
    with psycopg.connect(scenario.rig.dsn) as building:
        building.execute("LOCK TABLE ONLY bazaar.event IN SHARE UPDATE EXCLUSIVE MODE")
        await rescued(scenario, "ALTER TABLE bazaar.event_1 REPLICA IDENTITY NOTHING")
        assert published(scenario) == (True, False, False, True)
        await scenario.traffic()
        scenario.fine()
    await scenario.ddl("ALTER TABLE bazaar.event_1 REPLICA IDENTITY DEFAULT")
    await scenario.traffic()
    await scenario.well()
    assert published(scenario) == (True, True, True, True)


async def test_what_a_dba_takes_out_of_our_publications_is_put_back_and_nothing_stays_missed(
    scenario: DdlScenario, database: Database
) -> None:
    """Not even what a transaction did that was open all the time: of that, the stream lacks a part for ever."""
    main, second = "redo_connector", inserts_name("redo_connector")
    with psycopg.connect(scenario.rig.dsn) as slow:
        slow.execute("UPDATE bazaar.item SET qty = 88 WHERE id = (SELECT min(id) FROM bazaar.item)")
        await scenario.traffic()
        await scenario.ddl(f"ALTER PUBLICATION {main} DROP TABLE bazaar.item")
        slow.execute("UPDATE bazaar.refund SET amount = 88 WHERE id = (SELECT min(id) FROM bazaar.refund)")
        await scenario.traffic()
        await eventually("a first comparison doesn't wait for it", lambda: compared_at(scenario) is not None)
        sweep = compared_at(scenario)
        slow.commit()
    await eventually("another one was made since", lambda: compared_at(scenario) not in (None, sweep))
    await scenario.well()
    for ddl in (
        f"DROP PUBLICATION {second}",
        f"ALTER PUBLICATION {main} SET (publish = 'insert, truncate')",
        f"ALTER PUBLICATION {main} DROP TABLE bazaar.refund; ALTER PUBLICATION {main} ADD TABLE bazaar.refund",
    ):
        await scenario.traffic()
        await scenario.ddl(ddl)
        await scenario.traffic()
        await scenario.well()
    await scenario.ddl(f"DROP PUBLICATION {main}")
    await scenario.traffic()
    await eventually("the slot is made anew", lambda: scenario.parts.pipeline.progress.noticed is not None)
    await scenario.well()


def compared_at(scenario: DdlScenario) -> float | None:
    """When the latest comparison for the sake of the source's tables was begun."""
    sweep = scenario.parts.pipeline.sweeps.current
    return sweep.started_at if sweep is not None and sweep.cause == CAUSE else None


async def test_without_leave_to_mend_a_gap_is_compared_once_and_again_when_the_dba_closed_it(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ddl_scenario(database, tmp_path, monkeypatch, source={"manage": False}) as scenario:
        causes: list[str] = []
        ask = scenario.parts.pipeline.sweeps.ask

        async def counted(cause: str, kind: SweepKind) -> int:
            causes.append(cause)
            return await ask(cause, kind)

        monkeypatch.setattr(scenario.parts.pipeline.sweeps, "ask", counted)
        await scenario.ddl("ALTER PUBLICATION redo_connector DROP TABLE bazaar.item")
        await eventually("it is noticed", lambda: causes)
        seen = scenario.parts.objects._watch.moment
        for _ in range(5):
            await scenario.ddl("SELECT pg_logical_emit_message(true, 'test', 'time goes by')")
            await eventually("it looks again", lambda: scenario.parts.objects._watch.moment != seen)  # noqa: B023
            seen = scenario.parts.objects._watch.moment
        assert causes == [CAUSE]
        await scenario.ddl("UPDATE bazaar.item SET qty = 99", "ALTER PUBLICATION redo_connector ADD TABLE bazaar.item")
        await scenario.well()
        assert causes == [CAUSE] * 2
        await scenario.ddl("ALTER TABLE bazaar.item REPLICA IDENTITY NOTHING")
        fails = await eventually(
            "the DBA is told", lambda: next((e for e in scenario.logs if e["event"] == "oms_statements_fail"), None)
        )
        shown = scenario.parts.facts_collector.facts
        assert shown().failing_tables == ("bazaar.item",)
        await scenario.ddl(fails["next"].removeprefix("let a DBA run: "))
        with database.connect() as conn:
            conn.execute("UPDATE bazaar.item SET qty = 3")
        await eventually("it is seen that it is over", lambda: shown().failing_tables == ())
