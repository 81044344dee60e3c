"""Orders that can't be read, in virtual time: they stop no others, and no error of theirs leaves the road standing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from connector.errors import OrderUnreadable, SourceUnavailable
from connector.pipeline.decide import Delivery, Settled
from connector.pipeline.delivering import Deliverer
from tests.life.oms import Header, Mood, Row
from tests.life.reading import OmsAssembler
from tests.life.world import MAIN, Setup, World

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

    async def unforeseen(_: Deliverer, delivery: Delivery) -> Settled:
        raise SourceUnavailable(f"{delivery.entry.key}: away")

    monkeypatch.setattr(Deliverer, "deliver", unforeseen)
    world = begin(SHOP)
    put(world, {"00001": Mood.FINE})
    world.wait(60.0)
    with pytest.raises(RuntimeError, match="should have been met on its way"):
        world.life.running.result()
