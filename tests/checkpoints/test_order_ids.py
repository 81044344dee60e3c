"""What every checkpoint store promises about Redo's ids of orders: they are kept beside the keys, and lead to them."""

from __future__ import annotations

from connector.model.orders import OrderKey, Place
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.ports.holds import Held, HoldKind
from connector.pipeline.ports.records import Checkpoint, DeadLetter, Settlement
from connector.pipeline.ports.store import CheckpointStore


def entry(key: str) -> Entry:
    return Entry(OrderKey(key), 1, 1, 1.0, Lane.LIVE, 0, False)


def accepted(key: str, order_id: str, *elsewhere: Place) -> Settlement:
    checkpoint = Checkpoint(OrderKey(key), order_id, b"f", 3.5, store_id="shop")
    return Settlement(entry(key), checkpoint, leftovers=elsewhere)


def refused(key: str, order_id: str) -> Settlement:
    letter = DeadLetter(OrderKey(key), "invalid", "words", (), None, 1.0, 1.0, 1, cause="one", order_id=order_id)
    return Settlement(entry(key), dead_letter=letter)


async def test_an_id_leads_to_orders_that_were_accepted_left_behind_refused_or_held(memory: CheckpointStore) -> None:
    hold = await memory.open_hold(HoldKind.CHANGES, "why", 1.0)
    await memory.settle(
        [
            accepted("a", "W/1"),
            accepted("b", "W/2", Place("shop", "W/1")),
            refused("c", "W/3"),
            Settlement(entry("d"), held=Held(hold.number, ("new",), 1.0, order_id="W/4")),
            refused("e", ""),
        ]
    )
    found = await memory.keys_of(["W/1", "W/2", "W/3", "W/4", "W/5"])
    assert found == {"W/1": ("a", "b"), "W/2": ("b",), "W/3": ("c",), "W/4": ("d",)}


async def test_letters_and_holds_name_the_ids_of_their_samples(memory: CheckpointStore) -> None:
    hold = await memory.open_hold(HoldKind.CHANGES, "why", 1.0)
    held = [Settlement(entry(key), held=Held(hold.number, ("new",), 1.0, order_id=f"W/{key}")) for key in "xy"]
    await memory.settle([refused("a", "W/1"), refused("b", ""), *held])
    (group,) = await memory.letter_groups()
    assert (group.samples, group.order_ids) == (("a", "b"), {"a": "W/1"})
    assert [letter.order_id for letter in await memory.dead_letters(None, 9)] == ["W/1", ""]
    summary = await memory.summarise(hold.number, 5)
    assert summary is not None
    assert summary.order_ids == {"x": "W/x", "y": "W/y"}
    assert (await memory.known([OrderKey("x")])).held[OrderKey("x")].order_id == "W/x"


async def test_a_letter_keeps_its_id_when_the_order_is_refused_again_without_one(memory: CheckpointStore) -> None:
    await memory.settle([refused("a", "W/1")])
    await memory.settle([refused("a", "")])
    assert [letter.order_id for letter in await memory.dead_letters(None, 9)] == ["W/1"]
