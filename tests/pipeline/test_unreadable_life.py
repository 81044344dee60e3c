"""Orders that can't be read, in virtual time: they stop no others, and no error of theirs leaves the road standing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import pytest

from connector.model.errors import ConnectorError, LimitExceeded, MappingBroken, OrderUnreadable, SourceUnavailable
from connector.model.orders import KeyPage, Lookup
from connector.pipeline.deliver.sender import Sender
from connector.pipeline.deliveries import Delivery, Settled
from tests.system.life.oms import Header, Mood, Row
from tests.system.life.reading import OmsAssembler
from tests.system.life.world import MAIN, Setup, World

Begin: TypeAlias = Callable[[Setup], World]
SHOP = Setup(at_once=32)


@pytest.fixture
def begin() -> Iterator[Begin]:
    worlds: list[World] = []

    def begun(setup: Setup) -> World:
        worlds.append(World(setup))
        return worlds[-1]

    yield begun
    for world in worlds:
        world.close()


def put(world: World, moods: dict[str, Mood]) -> None:
    world.oms.commit({Row("order", name): Header(name, MAIN, mood=mood) for name, mood in moods.items()})


def test_a_good_order_among_many_bad_ones_is_a_control_for_them(begin: Begin) -> None:
    """Else the mapping would seem to fail, and seem mended by each read of that one, for ever."""
    world = begin(SHOP)
    put(world, {f"{number:05}": Mood.FINE if number == 13 else Mood.UNREADABLE for number in range(150)})
    world.wait(300.0)
    assert list(world.state.orders) == ["00013"]
    assert world.life.pipeline.trouble is None


def test_a_table_that_cannot_be_sampled_stops_nothing(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a page of it is damaged."""

    async def damaged(_: OmsAssembler, size: int) -> list[str]:
        raise OrderUnreadable(f"data corrupted (SQLSTATE XX001) in a sample of {size}", "XX001")

    monkeypatch.setattr(OmsAssembler, "sample", damaged)
    world = begin(SHOP)
    put(world, {"00001": Mood.UNREADABLE})
    world.wait(30.0)
    put(world, {"00002": Mood.FINE})
    world.wait(5.0)
    assert list(world.state.orders) == ["00002"]


def test_an_error_that_no_station_may_wait_for_ends_the_process(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the order's task had taken would stay in work, and the station wait for ever."""

    async def unforeseen(_: Sender, delivery: Delivery) -> Settled:
        raise SourceUnavailable(f"{delivery.entry.key}: away")

    monkeypatch.setattr(Sender, "send", unforeseen)
    world = begin(SHOP)
    put(world, {"00001": Mood.FINE})
    world.wait(60.0)
    with pytest.raises(RuntimeError, match="should have been met on its way"):
        world.life.running.result()


@pytest.mark.parametrize(
    "error",
    [
        LimitExceeded("statement timeout", "takes longer"),
        OrderUnreadable("data corrupted (SQLSTATE XX001) while looking for orders", "XX001"),
    ],
    ids=["slow", "damaged"],
)
def test_a_lookup_that_cannot_be_answered_keeps_no_other_waiting(
    error: ConnectorError, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one without an index, or of a damaged page. It leads to all orders, so its own arrive too."""
    resolve = OmsAssembler.resolve

    async def limited(self: OmsAssembler, lookups: Sequence[Lookup], after: str | None, limit: int) -> KeyPage:
        if any(lookup.values[0] == "slow" for lookup in lookups):
            raise error
        return await resolve(self, lookups, after, limit)

    monkeypatch.setattr(OmsAssembler, "resolve", limited)
    world = begin(SHOP)
    customers = {"00001": "slow", "00002": "quick", "00003": "slow", "00004": "slow"}
    world.oms.commit({Row("order", name): Header(name, MAIN, customer=one) for name, one in customers.items()})
    world.wait(5.0)
    world.oms.commit({Row("customer", "slow"): "Grace"})
    world.wait(5.0)
    world.oms.commit({Row("customer", "quick"): "Edith"})
    world.wait(120.0)
    named = {name: json.loads(order)["customer"]["firstName"] for name, order in world.state.orders.items()}
    assert named == {"00001": "Grace", "00002": "Edith", "00003": "Grace", "00004": "Grace"}
    assert not world.life.pipeline.trouble
    world.oms.commit({Row("customer", "slow"): "Ada"})
    world.wait(60.0)
    assert json.loads(world.state.orders["00004"])["customer"]["firstName"] == "Ada"


def test_a_route_whose_lookups_fail_keeps_no_other_route_waiting(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a role may read a view, and not the tables in it by itself. It is told, and tried again."""
    resolve = OmsAssembler.resolve

    async def denied(_: OmsAssembler, lookups: Sequence[Lookup], after: str | None, limit: int) -> KeyPage:
        raise MappingBroken(f"insufficient privilege (SQLSTATE 42501): {len(lookups)}, {after}, {limit}")

    world = begin(SHOP)
    world.oms.commit({Row("order", name): Header(name, MAIN, customer="ann") for name in ("00001", "00002")})
    world.oms.commit({Row("gift", "7"): "00001"})
    world.wait(5.0)
    given = world.state.orders["00001"]
    monkeypatch.setattr(OmsAssembler, "resolve", denied)
    for name in ("Grace", "Edith"):
        world.oms.commit({Row("customer", "ann"): name})
        world.wait(20.0)
    world.oms.commit({Row("gift", "7"): None})
    world.wait(20.0)
    assert world.state.orders["00001"] != given
    assert "insufficient privilege" in str(world.life.pipeline.trouble)
    monkeypatch.setattr(OmsAssembler, "resolve", resolve)
    world.wait(30.0)
    named = [json.loads(order)["customer"]["firstName"] for order in world.state.orders.values()]
    assert named == ["Edith", "Edith"]
    assert not world.life.pipeline.trouble
