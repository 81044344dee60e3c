"""The real command, of which one part gets stuck for good with the first change that the stream brings.

`python -m tests.support.processes.stuck_child PART run --config FILE`
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from connector.checkpoints.tables import ledger
from connector.cli.main import main
from connector.pipeline.intake.router import Router


def _stuck(*_: Any) -> Any:
    time.sleep(3600)


def _after_a_change(sabotage: Callable[[], None]) -> None:
    real = Router.route

    def route(self: Router, batch: Any) -> Any:
        sabotage()
        return real(self, batch)

    Router.route = route  # type: ignore[method-assign] # that is what this file is for


def stick(part: str) -> None:
    """Raises KeyError for a part that can't be stuck."""
    sabotage: dict[str, Callable[[], None]] = {
        "event loop": _stuck,
        "checkpoint store": lambda: setattr(ledger, "arrive", _stuck),
    }
    _after_a_change(sabotage[part])


if __name__ == "__main__":
    stick(sys.argv[1])
    sys.argv[1:2] = []
    main()
