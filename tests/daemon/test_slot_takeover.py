"""The walsender of a former leader that didn't leave by itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest
from psycopg import sql
from structlog.testing import capture_logs

from connector.checkpoints.leader import Leader
from connector.checkpoints.opening import in_memory
from connector.daemon.leadership.slot_takeover import free_slot
from connector.model.changes import TableName
from connector.pipeline.intake.progress import PROGRESS_NOTE
from connector.settings.config import Settings
from tests.support.fixtures.postgres import Database
from tests.support.postgres.followed_database import Followed, eventually, follow


@pytest.fixture
def shop(database: Database) -> Followed:
    return follow(database.dsn, f"slot_{database.name}", "CREATE TABLE orders (id int PRIMARY KEY)", "orders")


@pytest.fixture
async def walsender(shop: Followed) -> AsyncIterator[int]:
    """It reads the slot for a client that is there, and isn't told that another connector leads."""
    shop.execute("INSERT INTO orders VALUES (1)")
    async with aclosing(shop.source().batches({TableName("public", "orders"): ("id",)})) as batches:
        await anext(batches)
        yield shop.slot("active_pid")


async def freed(shop: Followed, walsender: int, dsn: str, *, left: bool = False) -> list[Any]:
    store = in_memory()
    await store.note(PROGRESS_NOTE, json.dumps({"walsender": walsender}))
    settings = Settings(source={"dsn": dsn, "slot": shop.name}, redo={"store_id": "s", "api_secret": "s"})
    term: Any = SimpleNamespace(former=Leader("one", 1.0, left=left), store=store)
    with capture_logs() as logs:
        await free_slot(settings, term)
    await store.close()
    return [(each["event"], each.get("gone"), each.get("next")) for each in logs]


async def test_it_is_ended_unless_the_former_leader_left(shop: Followed, walsender: int) -> None:
    assert await freed(shop, walsender, shop.dsn, left=True) == []
    assert shop.slot("active_pid") == walsender
    assert await freed(shop, walsender, shop.dsn) == [("former_walsender_ended", True, None)]
    assert await freed(shop, walsender, shop.dsn) == []


async def test_a_role_that_may_not_end_it_is_told_who_must(shop: Followed, walsender: int) -> None:
    role = sql.Identifier(f"other_{shop.name}")
    shop.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role).as_string())
    try:
        found = await freed(shop, walsender, shop.dsn.replace("postgres@", f"other_{shop.name}@"))
        statement = f"SELECT pg_terminate_backend({walsender});"
        step = f"connect both connectors as the same role, or let a DBA run: {statement}"
        assert found == [("slot_in_use", None, step)]
        assert shop.slot("active_pid") == walsender
        shop.execute(statement)
        await eventually(lambda: shop.slot("active_pid") is None)
    finally:
        shop.execute(sql.SQL("DROP ROLE {}").format(role).as_string())
