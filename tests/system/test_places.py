"""Invariant 12: a checkpoint belongs to the address and store that accepted it; a rehearsal never counts for
production."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import apsw
import pytest
from structlog.testing import capture_logs

from connector.checkpoints.address import Address
from connector.checkpoints.opening import open_requests
from connector.pipeline.ports.records import SweepKind
from connector.sandbox.server import SandboxServer
from connector.status.facts import State
from connector.status.verdict import explained
from connector.wiring import factories
from tests.support.fixtures.connector import Rig, eventually
from tests.support.narrowing import narrowed_pairs
from tests.support.processes.crashes import armed, killed

ORDERS = 40
POINTS = ("before_rebind", "within_rebind", "after_rebind")


@pytest.fixture
async def production() -> AsyncIterator[SandboxServer]:
    """Another Redo, with the same store and secret."""
    async with SandboxServer() as server:
        yield server


async def rehearse(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    await rig.stop()
    assert len(rig.stored()) == ORDERS


def go_to(rig: Rig, server: SandboxServer) -> None:
    rig.overrides["redo"] = {"base_url": server.base_url}


def orders_at(server: SandboxServer) -> dict[str, Any]:
    return dict(server.state.orders)


def leaves(rig: Rig, order: int) -> None:
    """The order's row goes, and all that refers to it."""
    with rig.database.connect() as conn:
        conn.execute("SET session_replication_role = replica")  # no foreign key is in the way
        conn.execute("DELETE FROM oms.order_header WHERE ord_id = %s", (order,))


async def held(rig: Rig, orders: int = ORDERS) -> int:
    """Until so many orders are held and nothing else goes on; the number of the hold."""
    await rig.quiet()

    async def found() -> int | None:
        holds = await rig.running.pipeline.ports.store.holds()
        return holds[0].number if [hold.orders for hold in holds] == [orders] else None

    number = await eventually(f"{orders} orders are held", found)
    assert isinstance(number, int)
    return number


async def approve(rig: Rig, number: int, limit: int | None = None) -> None:
    await rig.running.pipeline.control.approve(number, limit)


async def test_a_rehearsal_pushes_nothing_to_production_before_it_is_approved_and_then_every_order(
    rig: Rig, production: SandboxServer
) -> None:
    await rehearse(rig)
    at_sandbox = orders_at(rig.sandbox)
    requests = len(rig.sandbox.state.orders)
    go_to(rig, production)
    with capture_logs() as logs:
        await rig.start()
        number = await held(rig)
    assert orders_at(production) == {}
    (said,) = [entry for entry in logs if entry["event"] == "endpoint_changed"]
    assert f"the checkpoints were accepted by {rig.sandbox.base_url} store" in said["found"]
    assert f"({ORDERS} orders); {production.base_url} store" in said["found"]
    assert "has accepted none yet: every order is to be pushed" in said["found"]
    (hold,) = await rig.running.pipeline.ports.store.holds()
    assert hold.cause == said["found"]
    await approve(rig, number)
    await rig.quiet()
    assert orders_at(production).keys() == at_sandbox.keys()
    assert orders_at(rig.sandbox) == at_sandbox
    assert requests == ORDERS


async def test_the_state_says_where_to_and_that_nothing_goes_there(rig: Rig, production: SandboxServer) -> None:
    await rehearse(rig)
    go_to(rig, production)
    parts = await rig.start()
    parts.facts_collector.started = True
    await held(rig)
    facts = rig.facts()
    assert facts.state is State.HELD
    assert explained(facts).startswith("Nothing is pushed before somebody approves where to, nothing is lost: the ")
    assert production.base_url in facts.reason
    assert "redo-connector approve" in facts.next_step
    assert [(one.url, one.active, one.approved) for one in facts.endpoints if one.active] == [
        (production.base_url, True, False)
    ]


async def test_a_live_change_waits_for_the_approval_too_while_the_slot_moves(
    rig: Rig, production: SandboxServer
) -> None:
    await rehearse(rig)
    go_to(rig, production)
    await rig.start()
    number = await held(rig)
    rig.execute("UPDATE oms.order_header SET tag_list = 'meanwhile' WHERE ord_id = 4")
    await rig.read_up_to(rig.wal_end())
    await held(rig)
    assert orders_at(production) == {}
    await approve(rig, number)
    await rig.quiet()
    assert len(orders_at(production)) == ORDERS
    assert b"meanwhile" in production.state.orders["4"]


async def test_a_canary_goes_first_and_the_rest_stays_held_after_a_restart(rig: Rig, production: SandboxServer) -> None:
    await rehearse(rig)
    go_to(rig, production)
    await rig.start()
    await approve(rig, await held(rig), 5)
    await rig.quiet()
    assert len(orders_at(production)) == 5
    await rig.stop()
    with capture_logs() as logs:
        await rig.start()
        number = await held(rig, ORDERS - 5)
    assert [entry["event"] for entry in logs if entry["event"].startswith("endpoint")] == ["endpoint_not_approved"]
    rig.execute("UPDATE oms.order_header SET tag_list = 'x'")
    await held(rig)
    assert len(orders_at(production)) == 5
    await approve(rig, number)
    await rig.quiet()
    assert len(orders_at(production)) == ORDERS


async def test_after_the_approval_nothing_is_held_any_more(rig: Rig, production: SandboxServer) -> None:
    await rehearse(rig)
    go_to(rig, production)
    await rig.start()
    await approve(rig, await held(rig))
    await rig.quiet()
    await rig.stop()
    await rig.start()
    rig.execute("UPDATE oms.order_header SET tag_list = 'later' WHERE ord_id = 4")
    await rig.quiet()
    assert b"later" in production.state.orders["4"]


async def test_coming_back_finds_nothing_to_push_but_what_changed_meanwhile(
    rig: Rig, production: SandboxServer
) -> None:
    await rehearse(rig)
    before = orders_at(rig.sandbox)
    go_to(rig, production)
    await rig.start()
    await approve(rig, await held(rig))
    await rig.quiet()
    rig.execute("UPDATE oms.order_header SET tag_list = 'production' WHERE ord_id = 4")
    await rig.quiet()
    await rig.stop()
    go_to(rig, rig.sandbox)
    with capture_logs() as logs:
        parts = await rig.start()
        await rig.quiet()
    (said,) = [entry for entry in logs if entry["event"] == "endpoint_changed"]
    assert f"{rig.sandbox.base_url} store" in said["found"]
    assert f"has accepted {ORDERS} orders: every order is compared with those" in said["found"]
    assert parts.metrics.settled["pushed"] == 1
    assert parts.pipeline.sweeps.last is not None
    assert parts.pipeline.sweeps.last.kind is SweepKind.RECONCILE
    after = orders_at(rig.sandbox)
    assert b"production" in after["4"]
    assert {key: body for key, body in after.items() if key != "4"} == {
        key: body for key, body in before.items() if key != "4"
    }
    assert (await rig.verdict()).clean


async def test_yes_lets_every_order_go_at_once(rig: Rig, production: SandboxServer) -> None:
    await rehearse(rig)
    go_to(rig, production)
    rig.approve_endpoints = True
    await rig.start()
    await rig.quiet()
    assert len(orders_at(production)) == ORDERS


async def test_yes_lets_go_what_a_former_start_held(rig: Rig, production: SandboxServer) -> None:
    await rehearse(rig)
    go_to(rig, production)
    await rig.start()
    await held(rig)
    await rig.stop()
    rig.approve_endpoints = True
    await rig.start()
    await rig.quiet()
    assert len(orders_at(production)) == ORDERS


async def test_a_first_start_is_not_held_nor_one_after_which_nothing_was_accepted(
    rig: Rig, production: SandboxServer
) -> None:
    rig.switch(outage=True)
    await rig.start()
    await eventually("Redo is asked", lambda: rig.running.pipeline.admissions.pause)
    await rig.stop()
    assert rig.stored() == {}
    go_to(rig, production)
    await rig.start()
    await rig.quiet()
    assert len(orders_at(production)) == ORDERS


async def test_the_same_address_in_other_words_is_the_same(rig: Rig) -> None:
    await rehearse(rig)
    store = rig.sandbox.state.store_id
    rig.overrides["redo"] = {"orders_url": f"{rig.sandbox.base_url}/stores/{store}/custom/orders"}
    with capture_logs() as logs:
        await rig.start()
        await rig.quiet()
    assert not [entry for entry in logs if entry["event"].startswith("endpoint")]
    assert await rig.running.pipeline.ports.store.holds() == []


async def test_a_dead_letter_of_one_address_ends_nothing_at_another_and_comes_back_with_its_own(
    rig: Rig, production: SandboxServer
) -> None:
    rig.switch(answer=[400])
    await rig.start()
    await rig.quiet()
    (letter,) = await rig.running.pipeline.ports.store.dead_letters(None, 9)
    await rig.stop()
    go_to(rig, production)
    await rig.start()
    number = await held(rig)
    assert await rig.running.pipeline.ports.store.dead_letters(None, 9) == []
    await approve(rig, number)
    await rig.quiet()
    assert len(orders_at(production)) == ORDERS
    await rig.stop()
    go_to(rig, rig.sandbox)
    parts = await rig.start()
    await rig.quiet()
    assert await parts.pipeline.ports.store.dead_letters(None, 9) == [letter]
    assert parts.metrics.settled.get("pushed", 0) == 0


async def test_an_order_is_removed_where_redo_has_it_and_nowhere_else(rig: Rig, production: SandboxServer) -> None:
    """Deleted in the OMS while production is active, which never had it."""
    rig.overrides["mapping"] = {"missing": "delete"}
    await rehearse(rig)
    go_to(rig, production)
    await rig.start()
    number = await held(rig)
    leaves(rig, 4)
    await rig.read_up_to(rig.wal_end())
    await held(rig, ORDERS - 1)
    await approve(rig, number)
    await rig.quiet()
    assert {*production.state.answers} == {"POST 200"}
    assert "4" not in orders_at(production)
    assert "4" in orders_at(rig.sandbox)
    await rig.stop()
    go_to(rig, rig.sandbox)
    await rig.start()
    await rig.quiet()
    await eventually("it is removed at the sandbox", lambda: "4" not in orders_at(rig.sandbox))
    assert len(orders_at(rig.sandbox)) == ORDERS - 1


async def test_a_reconcile_compares_with_what_the_present_address_accepted(rig: Rig, production: SandboxServer) -> None:
    await rehearse(rig)
    go_to(rig, production)
    rig.approve_endpoints = True
    parts = await rig.start()
    await rig.quiet()
    revision = await parts.pipeline.control.sweep(SweepKind.RECONCILE)
    done = await eventually("the reconcile is over", lambda: parts.pipeline.control.finished(revision))
    assert (done.scanned, done.missed, done.changed, done.extra) == (ORDERS, 0, 0, 0)


async def test_resend_pushes_every_order_again_equal_or_not(rig: Rig) -> None:
    await rehearse(rig)
    before = orders_at(rig.sandbox)
    parts = await rig.start()
    await rig.quiet()
    assert parts.metrics.settled.get("pushed", 0) == 0
    rig.sandbox.state.orders.clear()
    revision = await parts.pipeline.control.sweep(SweepKind.BACKFILL, resend=True)
    await eventually("all are pushed", lambda: parts.pipeline.control.finished(revision))
    await rig.quiet()
    assert parts.metrics.settled["pushed"] == ORDERS
    assert orders_at(rig.sandbox).keys() == before.keys()


async def test_another_store_is_another_place(rig: Rig) -> None:
    """`redo.store_id` alone: the sandbox serves both."""
    await rehearse(rig)
    rig.sandbox.state.stores["other"] = "secret-other"
    other = rig.sandbox.state.store("other")
    assert other is not None
    rig.overrides["redo"] = {"store_id": "other", "api_secret": "secret-other"}
    rig.overrides["mapping"] = {"missing": "delete"}
    await rig.start()
    number = await held(rig)
    await approve(rig, number)
    await rig.quiet()
    assert len(other.orders) == ORDERS
    assert len(rig.stored()) == ORDERS, "nothing is removed from the other store"
    await rig.stop()
    rig.overrides["redo"] = {}
    parts = await rig.start()
    await rig.quiet()
    assert parts.metrics.settled.get("pushed", 0) == 0


async def test_a_sweep_that_was_under_way_begins_anew_at_another_address(rig: Rig, production: SandboxServer) -> None:
    rig.switch(latency_ms=400.0)
    parts = await rig.start()
    await eventually("the backfill has walked a page", lambda: (parts.pipeline.sweeps.current or 0) and rig.stored())
    await rig.stop()
    assert 0 < len(rig.stored()) < ORDERS
    go_to(rig, production)
    await rig.start()
    number = await held(rig)
    await approve(rig, number)
    await rig.quiet()
    assert len(orders_at(production)) == ORDERS


async def test_a_store_from_before_addresses_were_remembered_is_bound_to_the_first_one(rig: Rig) -> None:
    await rehearse(rig)
    with apsw.Connection(str(rig.folder / "connector.db")) as file:
        file.execute("DELETE FROM endpoint")
    with capture_logs() as logs:
        parts = await rig.start()
        await rig.quiet()
    (said,) = [entry for entry in logs if entry["event"] == "checkpoints_bound"]
    assert said["orders"] == ORDERS
    assert parts.metrics.settled.get("pushed", 0) == 0
    await rig.stop()
    with capture_logs() as logs:
        await rig.start()
    assert not [entry for entry in logs if entry["event"] == "checkpoints_bound"]


@pytest.mark.parametrize(
    ("point", "store"),
    narrowed_pairs(
        POINTS, ["sqlite", "postgres"], (POINTS[0], "sqlite"), (POINTS[2], "sqlite"), (POINTS[1], "postgres")
    ),
)
async def test_a_kill_while_the_address_is_taken_up_lets_nothing_go_there_before_it_is_approved(
    rig: Rig, production: SandboxServer, point: str, store: str, schema_of_its_own: Address
) -> None:
    if store == "postgres":
        allowed = {"allow_oms_database": True}  # the tests' databases are on one server
        rig.overrides["checkpoints"] = {
            "url": schema_of_its_own.url,
            "postgres_schema": schema_of_its_own.schema,
            **allowed,
        }
    await rehearse(rig)
    go_to(rig, production)
    await killed(rig, armed(rig, f"endpoints.{point}"))
    await rig.start()
    number = await held(rig)
    assert orders_at(production) == {}
    await approve(rig, number)
    await rig.quiet()
    assert len(orders_at(production)) == ORDERS
    await rig.stop()
    go_to(rig, rig.sandbox)
    parts = await rig.start()
    await rig.quiet()
    assert parts.metrics.settled.get("pushed", 0) == 0


async def test_a_kill_right_after_an_approval_lets_every_order_go_after_the_next_start(
    rig: Rig, production: SandboxServer
) -> None:
    await rehearse(rig)
    go_to(rig, production)
    await rig.start()
    number = await held(rig)
    await rig.stop()
    inbox = open_requests(factories.checkpoints(rig.settings()))
    inbox.ask("approve", {"hold": number}, 0.0)
    inbox.close()
    await killed(rig, armed(rig, "endpoints.after_approve"))
    await rig.start()
    await rig.quiet()
    assert len(orders_at(production)) == ORDERS


async def test_a_kill_in_the_midst_of_the_hold_loses_no_order(rig: Rig, production: SandboxServer) -> None:
    await rehearse(rig)
    go_to(rig, production)
    await killed(rig, armed(rig, "settle.after"))
    await rig.start()
    await approve(rig, await held(rig))
    await rig.quiet()
    assert len(orders_at(production)) == ORDERS
    assert {*production.state.answers.values()} == {ORDERS}, "each was pushed once"


async def test_an_order_in_flight_when_the_address_changed_is_confirmed_when_it_comes_back(
    rig: Rig, production: SandboxServer
) -> None:
    """The push of `b` reached the sandbox, the process died, and the order turned back to what was accepted before."""
    rig.execute("UPDATE oms.order_header SET tag_list = 'a' WHERE ord_id = 4")
    await rehearse(rig)
    rig.execute("UPDATE oms.order_header SET tag_list = 'b' WHERE ord_id = 4")
    await killed(rig, armed(rig, "deliver.after_push"))
    assert rig.stored()["4"]["tags"] == ["b"]
    rig.execute("UPDATE oms.order_header SET tag_list = 'a' WHERE ord_id = 4")
    go_to(rig, production)
    await rig.start()
    await held(rig)
    await rig.stop()
    go_to(rig, rig.sandbox)
    await rig.start()
    await rig.quiet()
    assert rig.stored()["4"]["tags"] == ["a"]
