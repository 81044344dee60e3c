"""The short run of the oracle: for random changes to several schemas, Redo holds the mapping's answer for every order.

The long run is `python -m tests.system.oracle.soak`; both print how to play a failure again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from connector.model.orders import OrderKey
from connector.model.rows import Assembly
from connector.projection.assembly.assembly import Assembler
from tests.support.fixtures.postgres import Database, create_database, drop_database
from tests.support.postgres.cluster import Cluster
from tests.system.oracle.trial import OracleFailed, Plan, make_template, run
from tests.system.oracle.worlds import shops, worlds
from tests.system.oracle.writers import Committed, Traffic

WORLDS = worlds()
SHOPS = [world.name for world in shops()]
MAPPINGS = [
    (world.name, mapping)
    for world in WORLDS.values()
    for mapping in world.mappings
    if mapping not in world.swept and world.name not in SHOPS
]
"""Those whose tables are swept are left to the long run: sweeps are paced."""
SURROGATES = [("legacy", "cte"), ("mixed", "quoted"), ("parts", "plain"), ("soft", "flagged"), ("refs", "joined")]
"""Child rows with nothing but a number of their own: the stream does not say whose they were."""
EVERYTHING, MOVES_ONLY = 1, 2
"""Seeds. With the second nothing is deleted, so that no sweep hides what a move left behind."""


class Templates:
    """A database with each world's schema, made when first asked for; they go with the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._made: dict[str, Database] = {}

    def of(self, world: str) -> Database:
        if world not in self._made:
            self._made[world] = make_template(self._cluster, WORLDS[world])
        return self._made[world]


@pytest.fixture(scope="session")
def templates(cluster: Cluster) -> Templates:
    return Templates(cluster)


@pytest.mark.parametrize(("world", "mapping"), MAPPINGS)
async def test_redo_holds_the_mappings_answer_after_any_change(
    templates: Templates, tmp_path: Path, world: str, mapping: str
) -> None:
    await run(Plan(WORLDS[world], mapping, EVERYTHING), templates.of(world), tmp_path)


@pytest.mark.parametrize(("world", "mapping"), SURROGATES)
async def test_redo_holds_the_mappings_answer_after_rows_moved_between_orders(
    templates: Templates, tmp_path: Path, world: str, mapping: str
) -> None:
    figures = await run(Plan(WORLDS[world], mapping, MOVES_ONLY), templates.of(world), tmp_path)
    assert figures.sweeps == 0


@pytest.mark.parametrize(
    ("seed", "rounds"), [(7, 1), *(pytest.param(seed, 3, marks=pytest.mark.long) for seed in range(1, 5))]
)
@pytest.mark.parametrize("shop", SHOPS)
async def test_redo_holds_a_shops_orders_after_any_change(
    templates: Templates, tmp_path: Path, shop: str, seed: int, rounds: int
) -> None:
    figures = await run(Plan(WORLDS[shop], "mapping", seed, rounds), templates.of(shop), tmp_path)
    assert figures.orders


async def test_the_oracle_notices_a_connector_that_forgets_whose_child_rows_are(
    templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assemble = Assembler.assemble

    async def forgetful(
        self: Assembler, keys: Sequence[OrderKey], largest: int | None = None, *, brief: bool = False
    ) -> Assembly:
        return replace(await assemble(self, keys, largest, brief=brief), members={})

    monkeypatch.setattr(Assembler, "assemble", forgetful)
    with pytest.raises(OracleFailed) as failure:
        await run(Plan(WORLDS["legacy"], "cte", MOVES_ONLY), templates.of("legacy"), tmp_path)
    report = str(failure.value)
    assert "python -m tests.system.oracle.soak --schema legacy --mapping cte --seed 2" in report
    assert "is stale at Redo" in report
    assert "its answer changed in transaction" in report


def test_the_same_seed_plays_the_same_changes(templates: Templates) -> None:
    assert _played(templates, 6) == _played(templates, 6)


def _played(templates: Templates, seed: int) -> list[Committed]:
    template = templates.of("mixed")
    database = create_database(template.cluster, template.name)
    played: list[Committed] = []
    with Traffic(database.dsn, WORLDS["mixed"], seed, played.append) as traffic:
        traffic.fill()
        traffic.play(40)
    drop_database(database.cluster, database.name)
    return played
