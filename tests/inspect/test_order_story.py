"""The story of one order: what changed in the OMS, what became of it, and what the mapping says now."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from connector.checkpoints.opening import in_memory
from connector.contract.order_builder import RedoContract
from connector.daemon.generation import Generation
from connector.inspect.orders.order_story import OrderSources, OrderStories, StoryTerms
from connector.model.changes import Changes, Lsn, Operation, TableName, Transaction, parse_lsn
from connector.model.errors import ConfigurationError, Problem
from connector.model.orders import OrderKey
from connector.pipeline.ports.chronicle import Attempt
from connector.projection import Assembler, Projection
from connector.settings.config import Settings
from connector.status import order_story as stories
from connector.status.history import EACH, RECENT, History
from connector.status.order_story import OrderStory, as_json
from connector.wiring import factories
from tests.support.fixtures.connector import Rig

KEY = OrderKey("3")
TABLE = TableName("oms", "order_item")


def assembler_for_a_person(settings: Settings, generation: Generation) -> Assembler:
    assert isinstance(generation.projection, Projection)
    return factories.assembler_for_a_person(settings, generation.projection)


def teller(rig: Rig, *, values: bool = False) -> OrderStories:
    settings, generation = rig.settings(), rig.running
    terms = StoryTerms(factories.redo_contract(settings), {}, values)
    assert isinstance(generation.pipeline.ports.chronicle, History)
    now = OrderSources(
        generation.pipeline.ports.store,
        lambda _: False,
        lambda: assembler_for_a_person(settings, generation),
    )
    return OrderStories(terms, generation.pipeline.ports.chronicle, 900.0, lambda: now)


async def told(rig: Rig, *, values: bool = False) -> OrderStory:
    return await teller(rig, values=values).story(KEY)


def where(rig: Rig) -> int:
    with rig.database.connect() as conn:
        row = conn.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
        assert row is not None
        return parse_lsn(row[0])


async def test_a_story_names_the_commit_and_what_redo_answered_and_holds_no_value(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    before = where(rig)
    rig.execute("UPDATE oms.order_item SET qty = qty + 1 WHERE ord_id = 3")
    await rig.quiet()
    story = await told(rig)
    assert (story.known, story.verdict) == (True, "Redo accepted this order as it is now.")
    change, attempt = story.changes[0], story.attempts[0]
    assert (change.table, change.operation, change.exact) == ("oms.order_item", "update", True)
    assert before <= change.commit_lsn <= where(rig)
    assert (attempt.result, attempt.status, attempt.key) == ("pushed", 200, KEY)
    assert attempt.latency is not None
    assert story.checkpoint is not None
    assert abs(story.checkpoint.accepted_at - attempt.at) < 1
    assert story.projection.shapes["lineItems"].startswith("list of ")
    assert (story.projection.payload, story.projection.values) == (None, None)
    assert rig.stored()["3"]["customer"]["email"] not in str(as_json(story))


async def test_an_order_that_a_lookup_led_to_is_told_of_the_row_behind_it(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    owner = "(SELECT cust_id FROM oms.order_header WHERE ord_id = 3)"
    rig.execute(f"UPDATE oms.customer SET first_nm = first_nm || 'a' WHERE cust_id = {owner}")
    await rig.quiet()
    change = (await told(rig)).changes[0]
    assert (change.table, change.operation, change.exact) == ("oms.customer", "update", True)


async def test_an_order_that_waits_is_told_with_the_fields_that_differ(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    await rig.running.pipeline.control.pause()
    rig.execute("UPDATE oms.order_item SET qty = qty + 1 WHERE ord_id = 3")
    await rig.read_up_to(rig.wal_end())
    story = await told(rig)
    assert story.verdict == "The OMS has a newer state than Redo accepted."
    assert "lineItems" in story.projection.changed_fields


async def test_what_happens_after_a_look_is_told_without_another_and_marks_the_look_as_overtaken(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.start()
    await rig.quiet()
    asked = teller(rig)
    seen = await asked.story(KEY)
    assert (seen.overtaken, seen.looked) == (False, seen.mark)

    async def never(*_: object) -> NoReturn:
        raise AssertionError("the OMS was asked")

    monkeypatch.setattr(asked, "_look", never)
    assert (await asked.remembered(KEY, seen.projection)).mark == seen.looked
    rig.execute("UPDATE oms.order_item SET qty = qty + 1 WHERE ord_id = 3")
    await rig.quiet()
    later = replace(await asked.remembered(KEY, seen.projection), as_of=seen.as_of, looked=seen.looked)
    assert (later.overtaken, later.verdict) == (True, "Redo has accepted it anew since this look.")
    assert later.attempts[0].delivery == (later.checkpoint and later.checkpoint.fingerprint.hex()[:12])


async def test_what_is_noticed_during_a_look_counts_as_later_than_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.start()
    await rig.quiet()
    asked, history = teller(rig), rig.running.pipeline.ports.chronicle
    look = asked._look

    async def slow(*arguments: Any) -> stories.OrderPreview:
        found = await look(*arguments)
        history.attempted(Attempt(KEY, 1.0, "again"))
        return found

    monkeypatch.setattr(asked, "_look", slow)
    assert (await asked.story(KEY)).overtaken


async def test_values_are_told_where_the_setting_asks_for_them(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    story = await told(rig, values=True)
    assert rig.stored()["3"]["customer"]["email"] in (story.projection.payload or "")


async def test_a_key_that_nobody_knows_is_told_as_unknown(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    for key in ("4711", "no key", '["3","1"]', "'; DROP TABLE oms.order_item; --"):
        story = await teller(rig).story(OrderKey(key))
        assert (story.known, story.projection.problems) == (False, ()), key


async def test_what_is_remembered_is_told_while_the_oms_is_away(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    settings, generation = rig.settings(), rig.running
    away = settings.model_copy(update={"source": settings.source.model_copy(update={"dsn": _nowhere()})})
    store = generation.pipeline.ports.store
    sources = OrderSources(store, lambda _: False, lambda: assembler_for_a_person(away, generation))
    terms = StoryTerms(factories.redo_contract(settings), {}, False)
    story = await OrderStories(terms, None, None, lambda: sources).story(KEY)
    assert story.known
    assert story.checkpoint is not None
    assert story.verdict == "It can't be read from the OMS just now."
    assert story.projection.problems


async def test_a_look_that_cannot_begin_keeps_no_other_from_looking() -> None:
    def refuse() -> NoReturn:
        raise ConfigurationError([Problem("can't be read", "", "source.dsn")])

    now = OrderSources(in_memory(), lambda _: False, refuse)
    asked = OrderStories(StoryTerms(RedoContract(), {}, False), None, None, lambda: now)
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            await asyncio.wait_for(asked.story(KEY), 5.0)


def _nowhere() -> object:
    from pydantic import SecretStr

    return SecretStr("postgresql://nobody@127.0.0.1:1/nowhere")


def committed(history: History, revision: int, *keys: str) -> None:
    changes = Changes(TABLE, Operation.UPDATE, 1, ())
    transaction = Transaction(7, Lsn(revision), Lsn(revision + 1), 1_000.0 + revision, (changes,))
    history.committed(revision, transaction, [(changes, frozenset(OrderKey(key) for key in keys))])


def test_of_each_order_the_latest_is_remembered_and_of_all_orders_the_latest() -> None:
    history = History(orders=2)
    for revision in range(10):
        committed(history, revision, "1")
    assert [one.commit_lsn for one in history.changes_of(OrderKey("1"))] == [9, 8, 7, 6, 5][:EACH]
    committed(history, 11, "2")
    committed(history, 12, "1")
    committed(history, 13, "3")
    assert history.changes_of(OrderKey("2")) == ()
    assert history.changes_of(OrderKey("1"))[0].commit_lsn == 12
    for number in range(RECENT + 5):
        history.attempted(Attempt(OrderKey(str(number)), float(number), "pushed"))
    assert [one.at for one in history.recent(2)] == [RECENT + 4.0, RECENT + 3.0]
    assert len(history.recent(10 * RECENT)) == RECENT


def test_several_commits_behind_one_lookup_are_told_as_a_guess() -> None:
    history = History()
    for revision in (1, 2):
        committed(history, revision)
    history.found([1, 2], [KEY])
    history.found([99], [KEY])
    (change,) = history.changes_of(KEY)
    assert (change.commit_lsn, change.exact) == (2, False)
