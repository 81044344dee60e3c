"""The mapping of a connector that stands by: whether it could be run, told once and for as long as it is so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from connector.daemon.leadership import warm_mapping
from connector.daemon.leadership.warm_mapping import WarmMapping
from connector.daemon.preparation import fit_mapping
from tests.support.fault_proxy import FaultProxy
from tests.support.fixtures.connector import Rig, eventually


@pytest.fixture
async def proxy(rig: Rig) -> AsyncIterator[FaultProxy]:
    """The connector, and only it, reaches the database through it."""
    async with FaultProxy("127.0.0.1", rig.database.cluster.port) as made:
        rig.overrides = {"source": {"dsn": rig.dsn.replace(f":{rig.database.cluster.port}/", f":{made.port}/")}}
        yield made


async def test_a_mapping_that_is_refused_and_a_database_out_of_reach_are_known_until_they_are_mended(
    rig: Rig, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    differs = WarmMapping._differs

    async def counted(mapping: WarmMapping) -> bool:
        nonlocal looks
        looks += 1
        return await differs(mapping)

    monkeypatch.setattr(warm_mapping, "EVERY", 0.05)
    monkeypatch.setattr(WarmMapping, "_differs", counted)
    await rig.start()
    await rig.quiet()
    await rig.stop()
    settings = rig.settings()
    assert str(proxy.port) in settings.source.dsn.get_secret_value()
    mapping = WarmMapping(settings, await fit_mapping(settings, lasting=True))
    keeping = asyncio.create_task(mapping.keep())
    try:
        path, text = rig.folder / "mapping.sql", rig.mapping
        with capture_logs() as logs:
            path.write_text(text.replace("oms.product", "oms.prodct"))
            await eventually("it is refused", lambda: mapping.refused)
            so_far = looks
            await eventually("it was looked at again", lambda: looks > so_far + 2)
        assert mapping.refused is not None
        assert "mapping.sql:" in mapping.refused.where
        told = [line["event"] for line in logs if line["event"] != "preflight"]
        assert told == ["standby_mapping_refused"]
        assert mapping.latest() is None
        path.write_text(text)
        await eventually("it is taken back", lambda: mapping.refused is None)
        assert mapping.latest() is not None
        await proxy.refuse()
        proxy.reset()
        await eventually("it is told", lambda: mapping.away)
        assert mapping.refused is None
        await proxy.heal()
        await eventually("it is reached again", lambda: not mapping.away)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
