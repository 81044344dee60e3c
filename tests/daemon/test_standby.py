"""One that waits to lead: what keeps it from waiting, and what it warns of."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from connector.checkpoints.leader import LEADER_NOTE, Leader
from connector.checkpoints.opening import in_file, is_waited_for
from connector.daemon.leadership import warm_mapping
from connector.daemon.leadership.standby import Standby
from connector.daemon.leadership.term import what_is_served
from connector.daemon.leadership.warm_mapping import WarmMapping
from connector.daemon.mapping.unusable_mapping import UnusableMapping
from connector.daemon.startup import Startup
from connector.model.errors import Problem
from connector.settings.config import Settings
from connector.status.facts import State
from connector.wiring.factories import checkpoints
from tests.support.fixtures.connector import eventually


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """In front of an OMS that nobody can reach."""
    (tmp_path / "mapping.sql").write_text("SELECT 1")
    return Settings(
        source={"dsn": "postgresql://clerk@127.0.0.1:1/shop"},
        mapping={"path": str(tmp_path / "mapping.sql")},
        redo={"store_id": "shop", "api_secret": "s", "base_url": "http://127.0.0.1:1"},
        checkpoints={"url": f"sqlite:///{tmp_path / 'kept.db'}"},
    )


@pytest.fixture
def mapping(settings: Settings) -> WarmMapping:
    return WarmMapping(settings, UnusableMapping((), "known", Problem("it doesn't fit")))


async def ended(*tasks: asyncio.Task[Any]) -> None:
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_that_can_not_reach_the_oms_leaves_the_lead_to_others_until_it_can(
    settings: Settings, mapping: WarmMapping
) -> None:
    startup, stop = Startup(), asyncio.Event()
    leader = in_file(checkpoints(settings).path)
    mapping.away = "the OMS is away"
    leads = asyncio.create_task(Standby(settings, startup, stop).lead(mapping))
    await eventually("it says so", lambda: startup.facts().oms_away == "the OMS is away")
    assert (startup.facts().state, startup.facts().fit_to_lead) == (State.STANDBY, False)
    await leader.close()
    assert not is_waited_for(checkpoints(settings))
    leader = in_file(checkpoints(settings).path)
    mapping.away = ""
    await eventually("it waits", lambda: is_waited_for(checkpoints(settings)))
    await eventually("it says so", lambda: startup.facts().oms_away == "")
    await leader.close()
    term = await leads
    assert term is not None
    await term.end()


async def test_whether_the_oms_can_be_reached_is_looked_at_while_it_waits(
    mapping: WarmMapping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_mapping, "EVERY", 0.01)
    watch = asyncio.create_task(mapping.keep())
    await eventually("it is told", lambda: mapping.away)
    assert "127.0.0.1" in mapping.away
    await ended(watch)


async def test_one_whose_settings_differ_from_the_leaders_warns_once(settings: Settings, mapping: WarmMapping) -> None:
    theirs = what_is_served(settings).replace("slot redo_connector", "slot another")
    leader = in_file(checkpoints(settings).path)
    await leader.note(LEADER_NOTE, Leader("one", 1.0, serves=theirs).dump())
    with capture_logs() as logs:
        leads = asyncio.create_task(Standby(settings, startup := Startup(), asyncio.Event()).lead(mapping))
        await eventually("it stands by", lambda: startup.facts().state is State.STANDBY)
        await ended(leads)
    found = [each for each in logs if each["event"] == "standby_settings_differ"]
    assert [(each["leader"], each["here"]) for each in found] == [(theirs, what_is_served(settings))]
    await leader.close()
