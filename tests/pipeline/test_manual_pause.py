"""A pause that a person asked for: nothing is pushed, whatever happens meanwhile, and nothing is lost."""

from __future__ import annotations

import pytest

from connector.pipeline import control
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.holds.manual_pause import PAUSE_NOTE, ManualPause, Resumed
from connector.status.facts import State
from connector.status.verdict import ready
from tests.support.fixtures.connector import Rig, eventually
from tests.support.pipeline_context import context_for_test, queue_for_test


def change(rig: Rig, order: int) -> None:
    rig.execute("UPDATE oms.order_item SET qty = qty + 1 WHERE ord_id = %s", order)


async def test_what_changes_during_a_pause_is_gathered_and_pushed_once_it_ends_even_after_a_restart(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    before = rig.stored()
    assert await rig.running.pipeline.control.pause()
    assert not await rig.running.pipeline.control.pause()
    change(rig, 3)
    await rig.read_up_to(rig.wal_end())
    await rig.stop()
    await rig.start()
    change(rig, 4)
    await rig.read_up_to(rig.wal_end())
    assert (await rig.tally()).affected == 2
    assert rig.stored() == before
    assert not rig.running.pipeline.in_work
    assert (await rig.running.pipeline.control.resume()).by_hand
    assert await rig.running.pipeline.control.resume() == Resumed(by_hand=False, pauses=())
    await rig.quiet()
    assert {key for key, order in rig.stored().items() if order != before[key]} == {"3", "4"}
    assert (await rig.verdict()).clean


async def test_orders_that_wait_for_their_turn_as_the_pause_begins_go_back(rig: Rig) -> None:
    rig.overrides["redo"] = {"max_concurrency": 1}
    rig.switch(latency_ms=300)
    await rig.start()
    await eventually("some wait behind the first", lambda: len(rig.running.pipeline.in_work) > 2)
    await rig.running.pipeline.control.pause()
    accepted = len(rig.stored())
    await eventually("nothing is in work any more", lambda: not rig.running.pipeline.in_work)
    assert len(rig.stored()) <= accepted + 1
    rig.switch(latency_ms=0)
    await rig.running.pipeline.control.resume()
    await rig.quiet()
    assert (await rig.verdict()).clean


async def test_a_pause_by_hand_is_told_and_makes_the_connector_unready(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    rig.running.facts_collector.started = True
    await rig.running.pipeline.control.pause()
    facts = rig.facts()
    assert facts.state is State.PAUSED
    assert "by hand, since " in facts.reason
    assert "`redo-connector resume`" in facts.next_step
    assert facts.paused_reason == "by_hand"
    assert set(facts.paused_stores.values()) == {"by_hand"}
    assert not ready(facts)[0]
    await rig.running.pipeline.control.resume()
    assert ready(rig.facts())[0]


@pytest.mark.parametrize(
    "fault",
    [
        {"outage": True, "retry_after": 10_000_000, "retry_after_form": "date"},
        {"throttle": 1, "retry_after": 10_000_000, "retry_after_form": "seconds"},
        {"unauthorized": True},
    ],
    ids=["Retry-After a date", "Retry-After seconds", "refused"],
)
async def test_a_person_who_resumes_need_not_wait_for_the_end_of_a_pause_whatever_its_cause(
    rig: Rig, fault: dict[str, object]
) -> None:
    rig.switch(**fault)
    await rig.start()
    rig.running.facts_collector.started = True
    admissions, clock = rig.running.pipeline.admissions, rig.running.pipeline.clock
    await eventually("delivery is paused", lambda: admissions.pause is not None and not admissions.in_flight)
    facts = rig.facts()
    assert facts.paused_until is not None
    assert facts.now < facts.paused_until <= facts.now + 901
    assert "next try " in facts.reason
    assert "`redo-connector resume` tries at once" in facts.next_step
    rig.switch(outage=False, throttle=0, unauthorized=False)
    resumed = await rig.running.pipeline.control.resume()
    began = clock.timer()
    assert not resumed.by_hand
    assert [pause.reason for pause in resumed.pauses] == [facts.paused_reason]
    await rig.quiet()
    assert clock.timer() - began < 60
    assert (rig.facts().paused_until, rig.facts().paused_reason) == (None, None)
    assert (await rig.verdict()).clean


async def test_a_pause_of_the_last_run_can_be_ended_before_this_one_has_picked_up(rig: Rig) -> None:
    await rig.start()
    await rig.running.pipeline.control.pause()
    memory = rig.running.pipeline.ports.store
    noted = await memory.noted(PAUSE_NOTE)
    assert noted
    assert abs(float(noted) - (rig.running.pipeline.manual_pause.since or 0)) < 1
    context = context_for_test(memory)
    again = ManualPause(context, queue_for_test(context), StoreAdmissions(4, None))
    assert (await again.end()).by_hand
    await again.load()
    assert again.since is None
    assert await memory.noted(PAUSE_NOTE) == ""


async def test_a_redrive_of_many_tells_how_far_it_is(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "PAGE", 2)
    rig.execute("UPDATE oms.customer SET email_addr = 'none'")
    await rig.start()
    await rig.quiet()
    letters = sum((await rig.tally()).dead_letters.values())
    assert letters > 4
    (group,) = await rig.running.pipeline.ports.store.letter_groups()
    told: list[int] = []

    async def tell(so_far: int) -> None:
        told.append(so_far)

    assert await rig.running.pipeline.control.letters("another") == 0
    assert await rig.running.pipeline.control.letters(group.group) == letters
    assert await rig.running.pipeline.control.redrive(group.group, tell) == letters
    assert told[:2] == [2, 4]
    assert told[-1] == letters
