"""A first fill of which nearly all is refused: when it is held, what is kept back then, and what ends it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

import pytest

from connector.checkpoints.opening import in_memory
from connector.checkpoints.store import Checkpoints
from connector.model.orders import OrderKey
from connector.pipeline.deliveries import Settled
from connector.pipeline.holds.first_fill import FEW, TAKEN, FirstFill
from connector.pipeline.holds.limits import Limits
from connector.pipeline.holds.open_holds import OpenHolds
from connector.pipeline.ports.entries import Arrival, Entry, Lane
from connector.pipeline.ports.holds import Hold, HoldKind
from connector.pipeline.ports.protocols import Assembler
from connector.pipeline.ports.records import Checkpoint, DeadLetter, Settlement, SweepKind, Taken
from connector.pipeline.sweeps.state import Sweeps
from tests.support.pipeline_context import context_for_test

WRONG, OTHER = "customer.email: must be an email address", "lineItems: is required"
URLS = {"shop": "https://redo.example"}


class Mapping:
    """An assembler that isn't asked for more than which mapping it runs."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint


class Stage:
    """One run of the connector over a store."""

    def __init__(
        self, store: Checkpoints, mapping: str = "f", urls: dict[str, str] | None = None, limits: Limits | None = None
    ) -> None:
        context = replace(context_for_test(store), assembler=cast("Assembler", Mapping(mapping)))
        self.store, self.context = store, context
        self.sweeps = Sweeps(context)
        self.holds = OpenHolds(context, limits or Limits())
        self.fill = FirstFill(context, self.holds, self.sweeps, URLS if urls is None else urls)
        self.settled: list[Settled] = []

    async def load(self) -> bool:
        return await self.fill.load()

    async def wrote(self, settlements: Iterable[Settlement]) -> None:
        await self.tell(settlements)
        await self.context.tasks.drain(5.0)

    async def tell(self, settlements: Iterable[Settlement]) -> None:
        found = [*settlements]
        await self.store.settle(found)
        self.fill.written(found)

    async def the_hold(self) -> Hold | None:
        return next((one for one in await self.store.holds() if one.kind is HoldKind.FIRST_FILL), None)

    async def keep_back(self, *entries: Entry) -> list[str]:
        """Keys of those that may be looked at."""
        self.context.in_work.take(Taken(entries, await self.store.known([entry.key for entry in entries])))
        left = self.fill.keep_back(entries, self.settled.append)
        await self.store.settle([one.settlement for one in self.settled])
        self.holds.written([one.settlement for one in self.settled])
        self.settled.clear()
        self.context.in_work.remove([entry.key for entry in entries])
        return [entry.key for entry in left]


def entry(key: object, lane: Lane = Lane.SWEEP, *, approved: bool = False) -> Entry:
    return Entry(OrderKey(str(key)), 1, 1, 5.0, lane, 0, confirm=False, approved=approved)


def refused(key: object, cause: str = WRONG, reason: str = "invalid", lane: Lane = Lane.SWEEP) -> Settlement:
    letter = DeadLetter(OrderKey(str(key)), reason, cause, (), None, 5.0, 5.0, 1, cause=cause)
    return Settlement(entry(key, lane), dead_letter=letter)


def accepted(key: object) -> Settlement:
    return Settlement(entry(key), Checkpoint(OrderKey(str(key)), str(key), b"f" * 32, 5.0, store_id="shop"))


@pytest.fixture
def memory() -> Checkpoints:
    return in_memory()


async def test_it_is_held_with_its_commonest_cause_once_nearly_all_of_the_first_orders_are_refused(
    memory: Checkpoints,
) -> None:
    stage = Stage(memory)
    await stage.load()
    await stage.wrote([accepted(key) for key in range(20)])
    await stage.wrote([refused(key, OTHER) for key in range(20, 100)])
    await stage.wrote([refused(key) for key in range(100, FEW - 1)])
    assert await stage.the_hold() is None
    await stage.wrote([refused(FEW)])
    hold = await stage.the_hold()
    assert hold is not None
    assert hold.cause == f"280 of the first {FEW} orders are refused, 200 because {WRONG}"
    assert stage.fill.cause == hold.cause


async def test_a_tenth_of_fit_orders_lets_it_go_on_whatever_is_refused_later(memory: Checkpoints) -> None:
    stage = Stage(memory)
    await stage.load()
    await stage.wrote([accepted(key) for key in range(TAKEN)])
    await stage.wrote([refused(key) for key in range(TAKEN, 10 * FEW)])
    assert await stage.the_hold() is None


async def test_orders_that_are_on_their_way_count_as_fit_until_redo_refuses_such(memory: Checkpoints) -> None:
    stage = Stage(memory)
    await stage.load()
    for key in range(100):
        stage.fill.sending(entry(key))
    await stage.wrote([refused(key) for key in range(100, 500)])
    assert await stage.the_hold() is None, "of 500 a fifth may be fit"
    await stage.wrote([refused(key, reason="rejected") for key in range(10)])
    assert await stage.the_hold() is not None, "all that Redo answered so far it refused"


async def test_live_changes_and_what_fails_at_redo_say_nothing_of_the_fill(memory: Checkpoints) -> None:
    stage = Stage(memory)
    await stage.load()
    await stage.wrote([refused(key, lane=Lane.LIVE) for key in range(FEW)])
    await stage.wrote([refused(key, reason="failing") for key in range(FEW, 2 * FEW)])
    assert await stage.the_hold() is None


async def test_what_sweeps_bring_is_kept_back_unread_and_live_changes_are_not(memory: Checkpoints) -> None:
    stage = await held(memory)
    await stage.wrote([accepted("known")])
    waits = [entry("a"), entry("b")]
    goes = [entry("live", Lane.LIVE), entry("canary", approved=True), entry("known")]
    sent_before, seen_before = replace(entry("late"), late_until=9.0), entry(0)
    left = await stage.keep_back(*waits, *goes, sent_before, seen_before)
    assert left == ["live", "canary", "known", "late", "0"]
    hold = await stage.the_hold()
    assert hold is not None
    assert hold.orders == 2


async def test_what_is_taken_while_the_hold_is_being_opened_goes_into_it_too(memory: Checkpoints) -> None:
    stage = Stage(memory)
    await stage.load()
    await stage.tell([refused(key) for key in range(FEW)])
    assert await stage.keep_back(entry("a"), entry("live", Lane.LIVE)) == ["live"]
    await stage.context.tasks.drain(5.0)
    assert [(one.settlement.entry.key, one.settlement.held is not None) for one in stage.settled] == [("a", True)]


async def test_a_hold_that_nothing_is_left_in_ends_it_once_the_walk_is_over(memory: Checkpoints) -> None:
    stage = await held(memory)
    hold = await stage.the_hold()
    assert hold is not None
    stage.fill.walked({hold.number})
    assert stage.fill.cause
    stage.fill.walked(set())
    assert stage.fill.cause == ""
    assert await stage.keep_back(entry("a")) == ["a"]


async def test_a_restart_keeps_it_held(memory: Checkpoints) -> None:
    await (await held(memory)).keep_back(entry("a"))
    again = Stage(memory)
    assert await again.load() is False
    assert again.fill.cause
    assert await again.keep_back(entry("b")) == []


@pytest.mark.parametrize(
    "other",
    [{"mapping": "g"}, {"urls": {**URLS, "second": "https://redo.example"}}, {"limits": Limits(max_share=1.0)}],
)
async def test_a_changed_mapping_or_setting_ends_it_and_all_orders_are_looked_at_from_the_beginning(
    memory: Checkpoints, other: dict[str, object]
) -> None:
    await (await held(memory)).keep_back(entry("a"), entry("b"))
    again = Stage(memory, **other)  # type: ignore[arg-type]
    assert await again.load() is True
    assert again.fill.cause == ""
    assert again.sweeps.current is not None
    assert (again.sweeps.current.kind, again.sweeps.current.scanned) == (SweepKind.BACKFILL, 0)
    assert await again.the_hold() is None
    tally = await memory.tally()
    assert (tally.affected, tally.held) == (2, 0)


async def test_a_changed_mapping_that_is_no_better_is_held_again(memory: Checkpoints) -> None:
    await (await held(memory)).keep_back(entry("a"))
    again = Stage(memory, "g")
    await again.load()
    await again.wrote([refused(key, OTHER) for key in range(FEW)])
    hold = await again.the_hold()
    assert hold is not None
    assert OTHER in hold.cause


async def test_an_approved_one_goes_on_after_a_restart_too_until_the_mapping_changes(memory: Checkpoints) -> None:
    stage = await held(memory)
    await stage.keep_back(entry("a"))
    hold = await stage.the_hold()
    assert hold is not None
    await stage.fill.approve()
    assert await stage.keep_back(entry("b")) == ["b"]
    await memory.release(hold.number, Arrival(9, 5.0, Lane.SWEEP, approved=True), 10)
    for mapping, watched in (("f", False), ("g", True)):
        again = Stage(memory, mapping)
        assert await again.load() is False
        await again.wrote([refused(key) for key in range(FEW)])
        assert (await again.the_hold() is not None) is watched


async def test_a_shop_that_redo_has_orders_of_is_no_first_fill(memory: Checkpoints) -> None:
    await memory.settle([accepted(key) for key in range(TAKEN)])
    stage = Stage(memory)
    await stage.load()
    await stage.wrote([refused(key) for key in range(1_000, 1_000 + FEW)])
    assert await stage.the_hold() is None


async def held(memory: Checkpoints) -> Stage:
    stage = Stage(memory)
    await stage.load()
    await stage.wrote([refused(key) for key in range(FEW)])
    assert await stage.the_hold() is not None
    return stage
