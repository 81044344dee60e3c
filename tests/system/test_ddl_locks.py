"""Locks of ours and locks of the OMS: nobody there waits for us, or is cancelled in a deadlock with us."""

from __future__ import annotations

import asyncio

import psycopg

from tests.support.fixtures.connector import Rig, eventually

LONGEST_WAIT = """
SELECT extract(epoch FROM max(clock_timestamp() - query_start))::float8 FROM pg_stat_activity
WHERE application_name = 'redo-connector' AND datname = current_database() AND wait_event_type = 'Lock'
"""
DEADLOCK_TIMEOUT = 1.0


async def test_a_migration_that_locks_several_tables_never_meets_us_in_a_deadlock(rig: Rig) -> None:
    """It has one of the mapping's tables and comes to want another, which a query of ours holds while it waits."""
    await rig.start()
    await rig.quiet()
    with psycopg.connect(rig.dsn) as migration, rig.database.connect() as oms:
        migration.execute("ALTER TABLE oms.payment ADD extra int")
        oms.execute("UPDATE oms.order_header SET tag_list = 'meanwhile' WHERE ord_id = 7")

        def waiting() -> float:
            row = oms.execute(LONGEST_WAIT).fetchone()
            return (row[0] if row else None) or 0.0

        await eventually("a query of ours waits for the locked table", waiting)
        # A wait this long has looked for a deadlock and found none: the migration would be the one to find it.
        await eventually(
            "it gave up before", lambda: rig.running.pipeline.trouble or waiting() > 1.3 * DEADLOCK_TIMEOUT
        )
        await asyncio.to_thread(migration.execute, "ALTER TABLE oms.order_item ADD extra int")
        await eventually("it tries again later", lambda: rig.running.pipeline.trouble)
        assert "is locked by another session" in str(rig.running.pipeline.trouble)
        assert rig.running.pipeline.ports.source.position().connected
        await rig.read_up_to(rig.wal_end())
        migration.commit()
    await rig.quiet()
    assert rig.stored()["7"]["tags"] == ["meanwhile"]
    assert (await rig.verdict()).clean
