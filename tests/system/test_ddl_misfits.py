"""DDL that the mapping does not survive, or waits for, while the OMS is at work.

The state says where, keys are collected and the slot moves on. Once mapping and database fit again, whichever of them
changed, work resumes by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.fixtures.connector import eventually
from tests.support.fixtures.postgres import Database
from tests.support.oms.ddl_scenario import DdlScenario, ddl_scenario
from tests.support.oms.ddl_schema import MAPPING

UNLABELLED = MAPPING.replace(", i.label)", ")")


@pytest.fixture
async def scenario(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DdlScenario]:
    async with ddl_scenario(database, tmp_path, monkeypatch) as made:
        yield made


async def stalled(scenario: DdlScenario, name: str) -> None:
    """The state names the place in the mapping, before any order is affected and after."""
    await asyncio.to_thread(scenario.clients.paused)

    async def told() -> bool:
        facts = await scenario.served.facts()
        return facts["state"] == "stalled" and "mapping.sql:" in facts["reason"] and name in facts["reason"]

    await eventually("it says what is wrong and where", told)
    await scenario.traffic()
    await asyncio.to_thread(scenario.clients.paused)
    end = scenario.rig.wal_end()
    await eventually("the slot passes it", lambda: scenario.served.flushed(end))
    assert await told()
    tally = await scenario.parts.pipeline.ports.store.tally()
    assert tally.affected + tally.lookups > 0


async def refused(scenario: DdlScenario, name: str) -> None:
    """Told, and the old mapping stays at work."""
    await eventually("it is refused", lambda: any(name in str(each.get("problems")) for each in scenario.logs))
    await scenario.traffic()
    await scenario.settled()
    assert (await scenario.served.facts())["state"] == "streaming"


async def test_a_column_that_the_mapping_reads_is_dropped_and_the_file_follows(scenario: DdlScenario) -> None:
    await scenario.ddl("ALTER TABLE bazaar.item DROP label")
    await stalled(scenario, "label")
    scenario.write_mapping(UNLABELLED)
    await scenario.well()
    assert len(scenario.generations) == 2


async def test_a_column_and_a_function_go_and_come_back(scenario: DdlScenario) -> None:
    await scenario.ddl("ALTER TABLE bazaar.item RENAME label TO caption")
    await stalled(scenario, "label")
    await scenario.ddl("ALTER TABLE bazaar.item RENAME caption TO label")
    await scenario.well()
    await scenario.ddl("DROP FUNCTION bazaar.caption")
    await stalled(scenario, "caption")
    await scenario.ddl("CREATE FUNCTION bazaar.caption(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1'")
    await scenario.well()
    # One that takes the name with another value in it, when nobody looks.
    await scenario.ddl(
        "ALTER TABLE bazaar.item DROP label, ADD memory text; ALTER TABLE bazaar.item RENAME memo TO label"
    )
    await scenario.well()


async def test_the_file_is_changed_first_and_taken_up_once_the_database_follows(scenario: DdlScenario) -> None:
    coloured = MAPPING.replace(", i.label)", ", i.colour)")
    (scenario.rig.folder / "mapping.sql").write_text(coloured)
    await refused(scenario, "colour")
    await scenario.ddl("ALTER TABLE bazaar.item ADD colour text NOT NULL DEFAULT 'red'")
    scenario.rig.mapping = coloured
    await scenario.well()
    gifts = "(SELECT jsonb_agg('gift ' || g.no) FROM bazaar.gift AS g WHERE g.order_id = o.id)"
    gifted = coloured.replace(" AS tags", f" || coalesce({gifts}, '[]') AS tags")
    (scenario.rig.folder / "mapping.sql").write_text(gifted)
    await refused(scenario, "gift")
    create = "CREATE TABLE bazaar.gift (order_id int, no int, PRIMARY KEY (order_id, no))"
    await scenario.ddl(f"{create}; INSERT INTO bazaar.gift VALUES (1, 1)")
    scenario.rig.mapping = gifted
    await scenario.well()
    await scenario.ddl("INSERT INTO bazaar.gift VALUES (2, 2)", "DELETE FROM bazaar.gift WHERE no = 1")
    await scenario.settled()
    await scenario.ddl("DROP TABLE bazaar.gift")
    await stalled(scenario, "gift")
    await scenario.ddl(f"{create}; INSERT INTO bazaar.gift VALUES (3, 3)")
    await scenario.well()
    await scenario.ddl("INSERT INTO bazaar.gift VALUES (4, 4)", "DELETE FROM bazaar.gift WHERE no = 3")
    await scenario.well()


async def test_a_schema_is_renamed_and_the_file_follows(scenario: DdlScenario) -> None:
    """Its clients rest while it has another name."""
    await asyncio.to_thread(scenario.clients.paused)
    await scenario.ddl("ALTER SCHEMA bazaar RENAME TO fair", "UPDATE fair.item SET qty = 7 WHERE id = 3")

    async def told() -> bool:
        facts = await scenario.served.facts()
        return facts["state"] == "stalled" and "mapping.sql:" in facts["reason"]

    await eventually("it says what is wrong and where", told)
    scenario.write_mapping(MAPPING.replace("bazaar.", "fair."))
    await scenario.settled()
    await scenario.ddl("UPDATE fair.item SET order_id = 3 WHERE id = 3")
    await scenario.settled()
    await scenario.ddl("ALTER SCHEMA fair RENAME TO bazaar", "UPDATE bazaar.item SET order_id = 4 WHERE id = 3")
    scenario.write_mapping(MAPPING)
    await scenario.well()


async def test_a_mapping_that_fails_only_when_it_is_run_starts_no_generation_after_another(
    scenario: DdlScenario,
) -> None:
    body = "BEGIN IF $1 = ''sku1'' THEN RETURN missing($1); END IF; RETURN $1; END"
    broken = f"CREATE OR REPLACE FUNCTION bazaar.caption(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS '{body}'"
    await scenario.ddl("INSERT INTO bazaar.item (id, order_id, alt_id, sku, qty) VALUES (999, 1, 2, 'sku1', 1)")
    await scenario.ddl(broken)
    await eventually("it means something else", lambda: len(scenario.generations) == 2)
    await scenario.served.until("it can't be read", state="stalled")
    looks = [scenario.parts.objects._watch.moment]
    await scenario.traffic()

    def looked_often() -> bool:
        if scenario.parts.objects._watch.moment is not looks[-1]:
            looks.append(scenario.parts.objects._watch.moment)
        return len(looks) > 10

    await eventually("it was tried again and again", looked_often)
    assert len(scenario.generations) == 2
    scenario.round_over()
    await scenario.ddl(broken.replace("missing", "upper"))
    await scenario.well()
