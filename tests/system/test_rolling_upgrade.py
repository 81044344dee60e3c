"""Two versions side by side while the oracle's traffic goes on: this one, and builds of earlier commits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest

from connector.checkpoints.postgres.migrations import newest
from tests.support.programs.earlier_builds import NoHistory, build, previous, with_older_schema
from tests.system.chaos.takeovers import Member, PairScene, killed, stepped_down

_WITHIN: Final = 60.0


class Builds:
    """Of earlier commits: with a checkpoint schema before today's, and the last commit's."""

    def __init__(self, folder: Path) -> None:
        try:
            self.older, self.previous = (build(commit, folder) for commit in (with_older_schema(), previous()))
        except NoHistory as reason:
            pytest.skip(str(reason))


@pytest.fixture
def builds(tmp_path: Path) -> Builds:
    return Builds(tmp_path)


def schema_version(scene: PairScene) -> int:
    with scene.checkpoints.connect() as conn:
        row = conn.execute("SELECT version FROM redo_connector.store").fetchone()
    assert row is not None
    return int(row[0])


async def exchanged(member: Member, build: Path) -> None:
    await member.supervisor.stop()
    member.supervisor.build = build
    member.supervisor.start()


async def leads_the_other(scene: PairScene, wanted: Member) -> None:
    leader, _ = await scene.until_both()
    assert leader is wanted
    await scene.until_recovered()


@pytest.mark.timeout(300)
async def test_a_rolling_upgrade_from_builds_of_earlier_commits_loses_nothing_and_the_older_one_is_too_old(
    builds: Builds,
) -> None:
    async with PairScene(19, alone=builds.older) as scene:
        (one,) = scene.members
        await scene.until("the older one leads", one.leads, _WITHIN)
        await scene.until_recovered()
        scene.writing.start()
        two = await scene.add("two")
        await leads_the_other(scene, one)
        assert schema_version(scene) < newest()

        await stepped_down(scene, one)
        await scene.until("the newer one leads", two.leads, _WITHIN)
        assert schema_version(scene) == newest()
        await scene.until("the older one ends, and is started again", lambda: len(one.supervisor.ends) > 1, _WITHIN)
        assert {*one.supervisor.ends} == {2}
        assert f"was written by a newer redo-connector (schema {newest()}, this one" in one.supervisor.tail()
        await scene.until_recovered()

        await exchanged(one, builds.previous)
        await leads_the_other(scene, two)
        await stepped_down(scene, two)
        await scene.until("the build of the last commit leads", one.leads, _WITHIN)
        await leads_the_other(scene, one)
        await killed(scene, one)
        await scene.until("this version leads again", two.leads, _WITHIN)
        await asyncio.to_thread(scene.writing.stop)
        await scene.until_recovered()
        assert await scene.judge() == []
        assert scene.state.overlaps == 0
        assert scene.writing.committed > 0
        assert two.supervisor.ends == []
