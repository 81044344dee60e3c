"""How far a request is, for a person who waits for it: a bar on a terminal, a line now and then elsewhere.

On standard error, so that what a command prints at its end stays alone on standard output.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from connector.checkpoints.requests import Request, RequestState

EVERY: Final = 10.0
"""Seconds between two lines."""


@contextmanager
def following(what: str) -> Iterator[Callable[[Request], None]]:
    """A callback for each look at a request; what came of it is not printed."""
    if sys.stderr.isatty():
        with _progress() as progress:
            task = progress.add_task(what, total=None)
            yield lambda request: _move(progress, task, what, request)
    else:
        yield ProgressLines(what, click_line, time.monotonic)


def click_line(text: str) -> None:
    click.echo(text, err=True)


class ProgressLines:
    """A line when a request is taken up, then one every ten seconds."""

    def __init__(self, what: str, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._what = what
        self._say = say
        self._clock = clock
        self._began: float | None = None
        self._last = 0.0

    def __call__(self, request: Request) -> None:
        now = self._clock()
        if request.state is not RequestState.RUNNING:
            return
        if self._began is None:
            self._began = self._last = now
            self._say(f"{self._what}: request {request.number} is being carried out")
        elif now - self._last >= EVERY:
            self._last = now
            self._say(f"{self._what}: {_numbers(request, now - self._began)}")


def _numbers(request: Request, seconds: float) -> str:
    rate = request.done / seconds
    if request.total is None:
        return f"{request.done:,} orders, {rate:,.0f} orders/s"
    left = (
        f", about {(request.total - request.done) / rate:,.0f} s left" if rate and request.total > request.done else ""
    )
    return f"{request.done:,} of about {request.total:,} orders, {rate:,.0f} orders/s{left}"


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} orders/s", style="dim")


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True, highlight=False), transient=True)


def _move(progress: Progress, task: TaskID, what: str, request: Request) -> None:
    waits = " (waiting for the connector to take it up)" if request.state is RequestState.WAITING else ""
    progress.update(task, description=what + waits, completed=request.done, total=request.total)
