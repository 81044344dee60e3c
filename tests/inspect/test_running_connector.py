"""Whether the connector that answers is the one of these settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connector.inspect.running_connector import other_store
from connector.settings.config import Settings
from connector.status.facts import Facts, Leading
from connector.status.metrics import Metrics
from connector.status.server.site import create_app
from connector.status.server.web_server import WebServer
from tests.support.verdicts import VERDICTS, WELL

LEADS = replace(WELL, leader=Leading("oms-1", WELL.started_at, 1, here=True))


@pytest.mark.parametrize(
    ("answering", "is_another"),
    [(LEADS, True), (VERDICTS["starting"], False), (VERDICTS["standby"], False)],
    ids=["leads", "starts", "stands by"],
)
async def test_only_one_that_leads_is_told_to_have_another_store(
    tmp_path: Path, answering: Facts, *, is_another: bool
) -> None:
    """One that starts has no store yet."""
    server = WebServer(create_app(Metrics(), lambda: answering), "127.0.0.1", 0)
    await server.start()
    settings = Settings(
        source={"dsn": "postgresql://127.0.0.1/shop"},
        redo={"store_id": "s", "api_secret": "x"},
        checkpoints={"url": f"sqlite:///{tmp_path / 'connector.db'}"},
        status={"port": server.port},
    )
    try:
        found = await other_store(settings)
    finally:
        await server.stop()
    assert (found is not None) == is_another
