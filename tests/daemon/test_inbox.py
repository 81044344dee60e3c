"""What commands asked while no connector ran."""

from __future__ import annotations

import pytest

from connector.checkpoints.opening import open_requests
from connector.pipeline.start import Start
from connector.wiring import factories
from tests.support.fixtures.connector import Rig, eventually


async def test_a_request_that_waits_at_a_start_is_taken_once_the_last_run_is_loaded(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would be answered by a comparison of the last run."""
    await rig.start()
    await rig.quiet()
    await rig.stop()
    requests = open_requests(factories.checkpoints(rig.settings()))
    number = requests.ask("reconcile", {}, 0.0)
    run = Start.run

    async def late(self: Start) -> None:
        await eventually("who takes requests waits for it", lambda: rig.running.pipeline.prepared._waiters)
        await run(self)

    monkeypatch.setattr(Start, "run", late)
    await rig.start()

    def answer() -> str:
        request = requests.get(number)
        return request.message if request is not None and request.finished else ""

    assert await eventually("it is done", answer) == "40 orders compared: 0 missed, 0 changed, 0 extra"
    requests.close()
