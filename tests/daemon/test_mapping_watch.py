"""The mapping and the database change while the connector runs: nothing is lost, and work resumes by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from connector.daemon import process
from connector.model.errors import ConfigurationError, SourceUnavailable
from connector.pipeline.read.reader import Reader
from connector.pipeline.read.visibility import HiddenCommits
from connector.projection import Projection
from connector.wiring import factories
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.served_connector import look_often, serving


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    look_often(monkeypatch)


async def test_while_a_column_of_the_mapping_is_gone_the_slot_moves_and_work_resumes_when_it_is_back(rig: Rig) -> None:
    async with serving(rig) as served:
        rig.execute("ALTER TABLE oms.product RENAME COLUMN prod_nm TO product_name")
        rig.execute("UPDATE oms.order_header SET tag_list = 'meanwhile'")
        end = rig.wal_end()

        async def says_where() -> bool:
            facts = await served.facts()
            return facts["state"] == "stalled" and "prod_nm" in facts["reason"] and "mapping.sql:" in facts["reason"]

        await eventually("it says what is wrong and where", says_where)
        await eventually("the slot keeps moving", lambda: served.flushed(end))
        assert not (await served.facts())["ready"]
        rig.execute("ALTER TABLE oms.product RENAME COLUMN product_name TO prod_nm")
        await served.until("it works again", state="streaming")
        await served.quiet()


async def test_a_mapping_that_is_mended_while_the_connector_runs_is_taken_up_by_itself(rig: Rig) -> None:
    async with serving(rig) as served:
        rig.execute("ALTER TABLE oms.product RENAME COLUMN prod_nm TO product_name")
        rig.execute("UPDATE oms.order_header SET tag_list = 'meanwhile'")
        await served.until("it says so", state="stalled")
        rig.mapping = rig.mapping.replace("p.prod_nm", "p.product_name AS prod_nm")
        (rig.folder / "mapping.sql").write_text(rig.mapping)
        await served.until("it works again", state="streaming")
        await served.quiet()


async def test_a_changed_mapping_is_taken_up_and_only_differences_are_pushed(rig: Rig) -> None:
    async with serving(rig) as served:
        before = rig.sandbox.state.pushes.total()
        rig.mapping = rig.mapping.replace("ELSE 'store' END AS sales_channel", "ELSE 'shop' END AS sales_channel")
        (rig.folder / "mapping.sql").write_text(rig.mapping)
        await served.quiet()
        assert 0 < rig.sandbox.state.pushes.total() - before < 40


async def test_a_changed_mapping_that_is_refused_leaves_the_old_one_at_work(rig: Rig) -> None:
    async with serving(rig) as served:
        (rig.folder / "mapping.sql").write_text(rig.mapping.replace("oms.product", "oms.prodct"))
        await asyncio.to_thread(rig.execute, "UPDATE oms.order_header SET tag_list = 'still here'")
        await served.quiet()
        assert rig.stored()["1"]["tags"] == ["still here"]


async def test_a_refused_mapping_is_told_everywhere_with_its_place_until_it_is_mended(rig: Rig) -> None:
    lines = rig.mapping.splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "oms.product" in text)
    place = f"mapping.sql:{line}:{lines[line - 1].index('oms.product') + 1}"
    async with serving(rig) as served:
        assert "redo_connector_mapping_refused 0.0" in await served.text("/metrics")
        (rig.folder / "mapping.sql").write_text(rig.mapping.replace("oms.product", "oms.prodct"))

        async def refused() -> Any:
            return (await served.facts())["mapping_refused"]

        told = await eventually("it is told", refused)
        assert told["where"].endswith(place)
        assert "prodct" in told["problem"]
        facts = await served.facts()
        assert facts["state"] == "streaming"
        assert place in facts["verdict"]
        assert place in await served.text("/")
        assert "redo_connector_mapping_refused 1.0" in await served.text("/metrics")
        (rig.folder / "mapping.sql").write_text(rig.mapping)
        await served.until("it is taken back", mapping_refused=None)
        assert "redo_connector_mapping_refused 0.0" in await served.text("/metrics")


async def test_a_start_with_a_mapping_that_does_not_fit_reads_the_slot_all_the_same(rig: Rig) -> None:
    """Whoever is called at night restarts first."""
    async with serving(rig):
        pass
    rig.execute("ALTER TABLE oms.product RENAME COLUMN prod_nm TO product_name")
    rig.execute("UPDATE oms.order_header SET tag_list = 'meanwhile'")
    async with serving(rig, fits=False) as served:

        async def says_where() -> bool:
            facts = await served.facts()
            return facts["state"] == "stalled" and "prod_nm" in facts["reason"] and "mapping.sql:" in facts["reason"]

        await eventually("it says what is wrong and where", says_where)
        assert "mapping.sql:" in (await served.facts())["mapping_refused"]["where"]
        rig.execute("DELETE FROM oms.refund_item; UPDATE oms.order_header SET tag_list = 'later'")
        end = rig.wal_end()
        await eventually("the slot keeps moving", lambda: served.flushed(end))
        rig.execute("ALTER TABLE oms.product RENAME COLUMN product_name TO prod_nm")
        await served.until("it works again", state="streaming")
        await served.quiet()
        rig.execute("DELETE FROM oms.payment; UPDATE oms.product SET prod_nm = prod_nm || '!'")
        await served.quiet()


async def test_a_first_start_with_a_mapping_that_does_not_fit_is_refused(rig: Rig) -> None:
    rig.execute("ALTER TABLE oms.product RENAME COLUMN prod_nm TO product_name")
    with pytest.raises(ConfigurationError, match="prod_nm"):
        async with serving(rig, fits=False) as served:
            await served.until("it has ended", state="streaming")


async def test_a_file_that_changes_while_the_database_is_away_is_taken_up_when_it_is_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = True
    analysed = factories.analysed

    async def maybe(*arguments: Any) -> Projection:
        if away:
            raise SourceUnavailable("the database is away")
        return await analysed(*arguments)

    async with serving(rig) as served:
        monkeypatch.setattr(process, "analysed", maybe)
        rig.mapping = rig.mapping.replace("ELSE 'store' END AS sales_channel", "ELSE 'shop' END AS sales_channel")
        with capture_logs() as logs:
            (rig.folder / "mapping.sql").write_text(rig.mapping)
            await eventually("it is tried", lambda: [each for each in logs if each["event"] == "mapping_not_read"])
        away = False
        await served.quiet()


async def test_a_connection_cut_just_when_a_mapping_is_tried_is_forgotten_once_the_next_one_works(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    works, cuts = Reader.snapshot, 0

    async def cut_once(reader: Reader) -> HiddenCommits:
        nonlocal cuts
        cuts += 1
        if cuts == 1:
            raise SourceUnavailable("the connection to the database broke")
        return await works(reader)

    async with serving(rig) as served:
        monkeypatch.setattr(Reader, "snapshot", cut_once)
        (rig.folder / "mapping.sql").write_text(f"{rig.mapping}\n-- the same in other words\n")
        await served.until("it says so", state="disconnected")
        await served.until("it works again", state="streaming")
        assert cuts > 1
        await served.quiet()
