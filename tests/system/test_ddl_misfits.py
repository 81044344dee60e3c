"""DDL that the mapping does not survive, or waits for, while the OMS is at work.

The state says where, keys are collected and the slot moves on. Once mapping and database fit again, whichever of them
changed, work resumes by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.ddl_bazaar import MAPPING
from tests.support.ddl_stage import Stage, staged
from tests.support.fix_connector import eventually
from tests.support.fix_postgres import Database

UNLABELLED = MAPPING.replace(", i.label)", ")")


@pytest.fixture
async def stage(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with staged(database, tmp_path, monkeypatch) as made:
        yield made


async def stalled(stage: Stage, name: str) -> None:
    """The state names the place in the mapping, before any order is affected and after."""
    await asyncio.to_thread(stage.clients.paused)

    async def told() -> bool:
        facts = await stage.served.facts()
        return facts["state"] == "stalled" and "mapping.sql:" in facts["reason"] and name in facts["reason"]

    await eventually("it says what is wrong and where", told)
    await stage.traffic()
    await asyncio.to_thread(stage.clients.paused)
    end = stage.rig.wal_end()
    await eventually("the slot passes it", lambda: stage.served.flushed(end))
    assert await told()
    tally = await stage.parts.pipeline.ports.store.tally()
    assert tally.affected + tally.lookups > 0


async def refused(stage: Stage, name: str) -> None:
    """Told, and the old mapping stays at work."""
    await eventually("it is refused", lambda: any(name in str(each.get("problems")) for each in stage.logs))
    await stage.traffic()
    await stage.settled()
    assert (await stage.served.facts())["state"] == "streaming"


async def test_a_column_that_the_mapping_reads_is_dropped_and_the_file_follows(stage: Stage) -> None:
    await stage.ddl("ALTER TABLE bazaar.item DROP label")
    await stalled(stage, "label")
    stage.write_mapping(UNLABELLED)
    await stage.well()
    assert len(stage.generations) == 2


async def test_a_column_and_a_function_go_and_come_back(stage: Stage) -> None:
    await stage.ddl("ALTER TABLE bazaar.item RENAME label TO caption")
    await stalled(stage, "label")
    await stage.ddl("ALTER TABLE bazaar.item RENAME caption TO label")
    await stage.well()
    await stage.ddl("DROP FUNCTION bazaar.caption")
    await stalled(stage, "caption")
    await stage.ddl("CREATE FUNCTION bazaar.caption(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1'")
    await stage.well()
    # One that takes the name with another value in it, when nobody looks.
    await stage.ddl("ALTER TABLE bazaar.item DROP label, ADD memory text; ALTER TABLE bazaar.item RENAME memo TO label")
    await stage.well()


async def test_the_file_is_changed_first_and_taken_up_once_the_database_follows(stage: Stage) -> None:
    coloured = MAPPING.replace(", i.label)", ", i.colour)")
    (stage.rig.folder / "mapping.sql").write_text(coloured)
    await refused(stage, "colour")
    await stage.ddl("ALTER TABLE bazaar.item ADD colour text NOT NULL DEFAULT 'red'")
    stage.rig.mapping = coloured
    await stage.well()
    gifts = "(SELECT jsonb_agg('gift ' || g.no) FROM bazaar.gift AS g WHERE g.order_id = o.id)"
    gifted = coloured.replace(" AS tags", f" || coalesce({gifts}, '[]') AS tags")
    (stage.rig.folder / "mapping.sql").write_text(gifted)
    await refused(stage, "gift")
    create = "CREATE TABLE bazaar.gift (order_id int, no int, PRIMARY KEY (order_id, no))"
    await stage.ddl(f"{create}; INSERT INTO bazaar.gift VALUES (1, 1)")
    stage.rig.mapping = gifted
    await stage.well()
    await stage.ddl("INSERT INTO bazaar.gift VALUES (2, 2)", "DELETE FROM bazaar.gift WHERE no = 1")
    await stage.settled()
    await stage.ddl("DROP TABLE bazaar.gift")
    await stalled(stage, "gift")
    await stage.ddl(f"{create}; INSERT INTO bazaar.gift VALUES (3, 3)")
    await stage.well()
    await stage.ddl("INSERT INTO bazaar.gift VALUES (4, 4)", "DELETE FROM bazaar.gift WHERE no = 3")
    await stage.well()


async def test_a_schema_is_renamed_and_the_file_follows(stage: Stage) -> None:
    """Its clients rest while it has another name."""
    await asyncio.to_thread(stage.clients.paused)
    await stage.ddl("ALTER SCHEMA bazaar RENAME TO fair", "UPDATE fair.item SET qty = 7 WHERE id = 3")

    async def told() -> bool:
        facts = await stage.served.facts()
        return facts["state"] == "stalled" and "mapping.sql:" in facts["reason"]

    await eventually("it says what is wrong and where", told)
    stage.write_mapping(MAPPING.replace("bazaar.", "fair."))
    await stage.settled()
    await stage.ddl("UPDATE fair.item SET order_id = 3 WHERE id = 3")
    await stage.settled()
    await stage.ddl("ALTER SCHEMA fair RENAME TO bazaar", "UPDATE bazaar.item SET order_id = 4 WHERE id = 3")
    stage.write_mapping(MAPPING)
    await stage.well()


async def test_a_mapping_that_fails_only_when_it_is_run_starts_no_generation_after_another(stage: Stage) -> None:
    body = "BEGIN IF $1 = ''sku1'' THEN RETURN missing($1); END IF; RETURN $1; END"
    broken = f"CREATE OR REPLACE FUNCTION bazaar.caption(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS '{body}'"
    await stage.ddl("INSERT INTO bazaar.item (id, order_id, alt_id, sku, qty) VALUES (999, 1, 2, 'sku1', 1)")
    await stage.ddl(broken)
    await eventually("it means something else", lambda: len(stage.generations) == 2)
    await stage.served.until("it can't be read", state="stalled")
    looks = [stage.parts.objects._watch.moment]
    await stage.traffic()

    def looked_often() -> bool:
        if stage.parts.objects._watch.moment is not looks[-1]:
            looks.append(stage.parts.objects._watch.moment)
        return len(looks) > 10

    await eventually("it was tried again and again", looked_often)
    assert len(stage.generations) == 2
    await stage.ddl(broken.replace("missing", "upper"))
    await stage.well()
