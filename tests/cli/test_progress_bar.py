"""Where there is no terminal, a request's progress is a line now and then."""

from __future__ import annotations

from dataclasses import replace

from connector.checkpoints.requests import Request, RequestState
from connector.cli.progress_bar import EVERY, ProgressLines


def test_a_line_is_said_at_the_start_and_then_every_ten_seconds() -> None:
    said: list[str] = []
    now = 0.0
    told = ProgressLines("reconcile", said.append, lambda: now)
    request = Request(3, "reconcile", {}, 0.0, RequestState.WAITING)
    told(request)
    assert said == []
    request = replace(request, state=RequestState.RUNNING)
    told(request)
    now = EVERY - 0.1
    told(replace(request, done=10, total=4_000))
    assert said == ["reconcile: request 3 is being carried out"]
    now = EVERY
    told(replace(request, done=1_000, total=4_000))
    now = EVERY + 1
    told(replace(request, done=1_100, total=4_000))
    now = 2 * EVERY
    told(replace(request, done=2_000))
    assert said[1:] == [
        "reconcile: 1,000 of about 4,000 orders, 100 orders/s, about 30 s left",
        "reconcile: 2,000 orders, 100 orders/s",
    ]
    told(replace(request, state=RequestState.DONE))
    assert len(said) == 3
