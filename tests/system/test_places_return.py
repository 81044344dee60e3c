"""An address of Redo comes back into the settings, after what is stored for it has missed something: what it accepted
counts again, and nothing of it is pushed or removed for that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.pipeline.ports.holds import Hold, HoldKind, HoldState
from connector.sandbox.server import SandboxServer
from tests.support.fixtures.connector import eventually
from tests.support.fixtures.postgres import Database
from tests.support.narrowing import narrowed_pairs
from tests.support.oms.key_shapes import KEY, ORDERS, PARTITIONED, Shop, filled, opened

DETACHED = "ALTER TABLE store.orders DETACH PARTITION store.orders_1"
IN_IT = 13
"""Orders placed before 2026-01-15."""


@pytest.fixture
async def shop(database: Database, sandbox: SandboxServer, tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened(database, sandbox, tmp_path) as made:
        yield made


@pytest.fixture
async def elsewhere() -> AsyncIterator[SandboxServer]:
    async with SandboxServer() as server:
        yield server


async def starts_at(shop: Shop, server: SandboxServer, script: str | None = None) -> None:
    """Approved at once; the script runs while the connector is down."""
    await shop.rig.stop()
    shop.run(script)
    shop.rig.approve_endpoints = True
    shop.rig.overrides["redo"] = {"base_url": server.base_url}
    await shop.rig.start()
    await shop.rig.quiet()


async def held(shop: Shop) -> Hold:
    async def so() -> Hold | None:
        return next((one for one in await shop.memory.holds() if one.state is HoldState.HELD), None)

    found: Hold = await eventually("orders are held", so)
    return found


@pytest.mark.parametrize(
    ("changed", "key"),
    narrowed_pairs(
        ["while another address was active", "when it comes back"],
        ["id, placed", "number"],
        ("while another address was active", "number"),
        ("when it comes back", "id, placed"),
    ),
)
async def test_keys_of_a_shape_that_changed_meanwhile_are_taken_over_when_their_address_comes_back(
    shop: Shop, sandbox: SandboxServer, elsewhere: SandboxServer, changed: str, key: str
) -> None:
    await filled(shop)
    altered = KEY.format(key)
    await starts_at(shop, elsewhere)
    if changed == "while another address was active":
        await starts_at(shop, elsewhere, altered)
    assert len(elsewhere.state.orders) == ORDERS
    before = shop.asked()
    await starts_at(shop, sandbox, altered if changed == "when it comes back" else None)
    await shop.well()
    assert await shop.memory.holds() == []
    assert (shop.asked(), len(shop.rig.stored())) == (before, ORDERS)
    await shop.goes_on()
    assert len(elsewhere.state.orders) == ORDERS


async def test_orders_that_vanished_while_another_address_was_active_are_held_there_and_here(
    shop: Shop, sandbox: SandboxServer, elsewhere: SandboxServer
) -> None:
    await filled(shop, PARTITIONED)
    await starts_at(shop, elsewhere)
    await starts_at(shop, elsewhere, DETACHED)
    assert ((found := await held(shop)).kind, found.orders) == (HoldKind.VANISHED, IN_IT)
    await starts_at(shop, sandbox)
    assert ((found := await held(shop)).kind, found.orders) == (HoldKind.VANISHED, IN_IT)
    assert len(shop.rig.stored()) == len(elsewhere.state.orders) == ORDERS
