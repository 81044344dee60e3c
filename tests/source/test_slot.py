"""The slot's report, on a real server."""

from __future__ import annotations

import pytest

from connector.model.errors import SourceUnavailable
from connector.postgres.connections import KeptConnection
from connector.source.objects.slot import SlotWatch, create_slot
from tests.support.fixtures.postgres import Database
from tests.support.postgres.followed_database import Followed, eventually


async def test_a_report_says_where_the_slot_stands_and_what_it_retains(database: Database) -> None:
    shop = Followed(database.dsn, f"slot_{database.name}")
    looks = KeptConnection(shop.dsn)
    watch = SlotWatch(looks, shop.name)
    try:
        assert await watch.report() is None
        await create_slot(shop.dsn, shop.name)
        before = await watch.report()
        shop.execute("CREATE TABLE written AS SELECT generate_series(1, 1000)")
        after = await watch.report()
    finally:
        await looks.close()
    assert before is not None
    assert after is not None
    assert (after.kind, after.plugin, after.database) == ("logical", "pgoutput", database.name)
    assert after.active_pid is None
    assert after.wal_status == "reserved"
    assert after.confirmed_flush_lsn == before.confirmed_flush_lsn
    assert after.retained is not None
    assert before.retained is not None
    assert after.retained - before.retained == after.current_lsn - before.current_lsn > 10_000


async def test_a_watch_survives_its_connection(database: Database) -> None:
    shop = Followed(database.dsn, f"slot_{database.name}")
    await create_slot(shop.dsn, shop.name)
    looks = KeptConnection(shop.dsn)
    watch = SlotWatch(looks, shop.name)
    try:
        assert await watch.report() is not None
        others = f"FROM pg_stat_activity WHERE datname = '{database.name}' AND pid <> pg_backend_pid()"
        await eventually(lambda: shop.ask(f"SELECT count(pg_terminate_backend(pid)) {others}") == 0)
        with pytest.raises(SourceUnavailable):
            await watch.report()
        assert await watch.report() is not None
    finally:
        await looks.close()
