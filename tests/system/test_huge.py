"""Huge transactions, scaled down, in front of the real command: `make huge` plays the same at full size."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fixtures.cli import Cli, LocalRedo, free_port
from tests.support.fixtures.postgres import create_database, drop_database
from tests.support.postgres.cluster import Cluster
from tests.system.huge.scenarios import SCENARIOS, play
from tests.system.huge.stage import Stage


@pytest.fixture
def stage(offline: Cli, cluster: Cluster, redo: LocalRedo) -> Iterator[Stage]:
    database = create_database(cluster)
    offline.set("source", dsn=database.dsn, slot=f"slot_{database.name}")
    offline.set("redo", base_url=redo.base_url)
    offline.set("status", port=free_port())
    made = Stage(database, offline, redo)
    yield made
    made.close()
    offline.end()
    redo.switch(outage=False)
    drop_database(cluster, database.name)


@pytest.mark.parametrize("name", SCENARIOS)
def test_memory_stays_bounded_and_nothing_is_lost(stage: Stage, name: str) -> None:
    figures = play(stage, name, SCENARIOS[name][2])
    print(figures)  # noqa: T201 -- shown when it fails
