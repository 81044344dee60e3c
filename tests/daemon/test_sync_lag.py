"""The sync lag is the age of the oldest committed change that Redo may not have, whatever keeps it from there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from psycopg.conninfo import make_conninfo

from connector.daemon.health.sync_lag import FRESH, SyncLag
from connector.model.changes import Lsn, StreamPosition
from connector.pipeline.clock import Clock
from connector.pipeline.intake.progress import IN_STEP_NOTE
from connector.pipeline.ports.records import Sweep, SweepKind
from connector.pipeline.run import Pipeline
from connector.source.objects.slot import SlotReport
from connector.status.facts import State
from tests.support.fault_proxy import FaultProxy
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.served_connector import Served, serving

CUT = 2.0
"""Seconds of lag that show that it grows."""


@pytest.fixture
async def proxy(rig: Rig) -> AsyncIterator[FaultProxy]:
    """The connector, and only it, reaches the database through it."""
    async with FaultProxy("127.0.0.1", rig.database.cluster.port) as made:
        rig.overrides = {"source": {"dsn": make_conninfo(rig.dsn, host=made.host, port=made.port)}}
        yield made


async def lag(served: Served, least: float) -> dict[str, Any]:
    async def so() -> dict[str, Any] | None:
        facts = await served.facts()
        return facts if (facts.get("sync_lag_seconds") or 0.0) >= least else None

    found: dict[str, Any] = await eventually(f"a lag of {least} s", so)
    return found


async def in_step(served: Served) -> None:
    async def so() -> bool:
        return (await served.facts()).get("sync_lag_seconds") == 0.0

    await eventually("it is in step", so)


async def test_while_the_source_cannot_be_reached_the_lag_grows_and_what_is_not_known_is_unknown(
    rig: Rig, proxy: FaultProxy
) -> None:
    async with serving(rig) as served:
        await in_step(served)
        await proxy.refuse()
        proxy.reset()
        rig.execute("UPDATE oms.order_header SET tag_list = 'behind'")
        facts = await lag(served, CUT)
        assert facts["state"] == "disconnected"
        assert (facts["replication_lag_bytes"], facts["replication_lag_seconds"]) == (None, None)
        await proxy.heal()
        await in_step(served)
        assert (await rig.verdict()).clean


async def test_a_restart_while_the_source_is_away_goes_on_with_the_lag_of_before(rig: Rig, proxy: FaultProxy) -> None:
    async with serving(rig) as served:
        await in_step(served)
        await proxy.refuse()
        proxy.reset()
        before = (await lag(served, CUT))["sync_lag_seconds"]
    async with serving(rig, fits=False) as served:
        facts = await lag(served, before)
        assert facts["state"] == State.STARTING
        await proxy.heal()
        await in_step(served)


async def test_while_redo_takes_nothing_the_lag_is_that_of_the_oldest_change(rig: Rig) -> None:
    async with serving(rig) as served:
        await in_step(served)
        rig.switch(error_rate=1.0)
        rig.execute("UPDATE oms.order_header SET tag_list = 'waits' WHERE ord_id = 1")
        facts = await lag(served, CUT)
        assert facts["sync_lag_seconds"] == pytest.approx(facts["oldest_affected_age_seconds"], abs=1.0)
        assert facts["replication_lag_seconds"] is not None
        rig.switch(error_rate=0.0)
        await in_step(served)


# By parts, because hours pass here: a clock that is set, positions and sweeps that are said.


@dataclass
class Scene:
    """A pipeline as far as the lag sees it."""

    now: float = 1_000.0
    taken_in: int = 0
    connected: bool = True
    last_commit_time: float | None = None
    current: Sweep | None = None
    last: Sweep | None = None
    notes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = Clock(lambda: self.now, lambda: self.now)
        self.sweeps = self.ports = self.source = self.store = self

    def position(self) -> StreamPosition:
        at = Lsn(self.taken_in)
        return StreamPosition(at, at, at, 0.0, self.connected)

    @property
    def active(self) -> bool:
        return self.current is not None and self.current.finished_at is None

    @property
    def present(self) -> Sweep | None:
        return self.current

    async def noted(self, name: str) -> str | None:
        return self.notes.get(name)

    async def note(self, name: str, value: str) -> None:
        self.notes[name] = value

    async def lag(self) -> SyncLag:
        made = SyncLag(cast(Pipeline, self))
        await made.load()
        return made

    def look(self, lag: SyncLag, server: int | None, taken_in: int, *, connected: bool = True) -> None:
        self.taken_in, self.connected = taken_in, connected
        report = None
        if server is not None:
            report = SlotReport("logical", "pgoutput", "oms", 1, "reserved", None, None, 0, Lsn(server), "oms")
        lag.look(self.now, report)


def sweep(revision: int, cause: str = "gap in the stream: slot_gone") -> Sweep:
    return Sweep(SweepKind.RECONCILE, cause, revision, revision, 0.0)


def ended(one: Sweep) -> Sweep:
    return Sweep(one.kind, one.cause, one.revision, one.wanted_revision, 0.0, finished_at=1.0)


async def test_before_the_last_run_is_known_the_lag_is_unknown() -> None:
    assert SyncLag(cast(Pipeline, Scene())).seconds(None) is None


async def test_a_first_start_counts_from_its_beginning_until_everything_was_taken_in() -> None:
    scene = Scene()
    lag = await scene.lag()
    scene.now += 50
    assert lag.seconds(None) == 50
    scene.look(lag, 100, 100)
    assert (lag.seconds(None), lag.stream_behind) == (0.0, 0.0)


async def test_while_a_backlog_is_read_the_lag_falls_with_the_commits_and_no_further_than_is_known() -> None:
    scene = Scene()
    lag = await scene.lag()
    scene.look(lag, 100, 100)
    scene.now += 3_600
    scene.look(lag, 900, 100)
    assert lag.seconds(None) == 3_600
    scene.last_commit_time = scene.now - 1_200
    assert lag.seconds(None) == lag.stream_behind == 1_200
    scene.last_commit_time = scene.now + 86_400  # the server's clock is ahead
    scene.now += 40
    assert lag.seconds(None) == 40
    scene.look(lag, 900, 900)
    assert lag.seconds(None) == 0


async def test_a_position_that_is_reached_late_says_nothing_of_what_was_committed_after_it() -> None:
    scene = Scene()
    lag = await scene.lag()
    scene.look(lag, 100, 100)
    scene.look(lag, 200, 100)
    scene.now += 100
    scene.look(lag, 900, 300)
    assert lag.seconds(None) == 100


async def test_a_server_that_says_nothing_any_more_counts_although_the_connection_stands() -> None:
    scene = Scene()
    lag = await scene.lag()
    scene.look(lag, 100, 100)
    scene.now += FRESH
    assert lag.seconds(None) == 0
    scene.now += 1
    assert (lag.seconds(None), lag.stream_behind) == (FRESH + 1, None)


async def test_positions_of_another_server_are_not_waited_for() -> None:
    scene = Scene()
    lag = await scene.lag()
    scene.look(lag, 9_000, 100)
    scene.now += 5
    scene.look(lag, 200, 150)
    scene.now += 5
    scene.look(lag, 200, 200)
    assert lag.seconds(None) == 0


async def test_after_a_gap_the_lag_counts_from_when_everything_was_last_there_until_all_is_compared() -> None:
    scene = Scene()
    lag = await scene.lag()
    scene.look(lag, 100, 100)
    scene.look(lag, None, 100, connected=False)
    scene.now += 600
    scene.current = sweep(7)
    scene.look(lag, 500, 500)
    scene.now += 60
    scene.look(lag, 500, 500)
    assert (lag.seconds(None), lag.stream_behind) == (660, 0)
    scene.current = scene.last = ended(scene.current)
    scene.look(lag, 500, 500)
    assert lag.seconds(None) == 0


async def test_comparisons_that_follow_each_other_count_from_what_the_one_before_has_shown() -> None:
    scene = Scene()
    lag = await scene.lag()
    scene.look(lag, 100, 100)
    for revision in range(1, 5):
        scene.current = sweep(revision, "a deleted row that can't be followed")
        scene.look(lag, 100, 100)
        scene.now += 30
        scene.look(lag, 100, 100)
        scene.last = ended(scene.current)
    assert lag.seconds(None) == 60


@pytest.mark.parametrize("cause", ["reconcile.every", "asked"])
async def test_a_comparison_that_knows_of_no_gap_does_not_count(cause: str) -> None:
    scene = Scene()
    lag = await scene.lag()
    scene.current = sweep(7, cause)
    scene.look(lag, 100, 100)
    assert lag.seconds(None) == 0


async def test_what_waits_counts_beside_the_stream_and_the_older_one_is_the_lag() -> None:
    scene = Scene()
    lag = await scene.lag()
    scene.look(lag, 100, 100)
    assert lag.seconds(scene.now - 12) == 12
    scene.now += 100
    scene.look(lag, None, 100, connected=False)
    assert lag.seconds(scene.now - 12) == 100


async def test_the_note_survives_a_restart_and_a_wall_clock_that_was_set_back_makes_no_lag() -> None:
    scene = Scene()
    lag = await scene.lag()
    scene.look(lag, 100, 100)
    await lag.save(every=0.0)
    assert float(scene.notes[IN_STEP_NOTE]) == scene.now
    scene.now += 90
    assert (await scene.lag()).seconds(None) == 90
    scene.notes[IN_STEP_NOTE] = str(scene.now + 86_400)
    assert (await scene.lag()).seconds(None) == 0


async def test_while_a_gap_is_compared_the_note_stays_where_it_was() -> None:
    scene = Scene()
    lag = await scene.lag()
    began = scene.now
    scene.look(lag, None, 0, connected=False)
    scene.now += 600
    scene.current = sweep(7)
    scene.look(lag, 500, 500)
    await lag.save(every=0.0)
    assert float(scene.notes[IN_STEP_NOTE]) == began
