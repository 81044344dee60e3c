"""The command with one failpoint armed, in a process that kills itself there."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.support.fixtures.connector import Rig
from tests.support.processes.forked import Forked


def armed(rig: Rig, point: str, passes: int = 0) -> Forked:
    """`run`, which dies when it comes to the point for the time after so many."""
    arguments = [point, str(passes), "run", "--config", str(rig.write_config())]
    with _log(rig).open("ab") as log:
        return Forked(
            "tests.support.processes.failpoint_child",
            *arguments,
            folder=rig.folder,
            environment=os.environ,
            streams=[None, log, log],
        )


async def killed(rig: Rig, process: Forked) -> None:
    """Wait until it has died, and by nothing else."""
    code = await process.ended()
    assert code == -signal.SIGKILL, f"it ended with {code}:\n{_log(rig).read_text()[-2000:]}"


def _log(rig: Rig) -> Path:
    return rig.folder / "crash.log"
