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


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """The same for work of this process: a callback for how many orders are done, of about how many."""
    if sys.stderr.isatty():
        with _progress() as progress:
            task = progress.add_task(what, total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)
    else:
        yield ProgressLines(what, click_line, time.monotonic).counted


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
        else:
            self._count(request.done, request.total, now)

    def counted(self, done: int, total: int) -> None:
        """The same of work that nobody was asked for."""
        now = self._clock()
        if self._began is None:
            self._began = self._last = now
        self._count(done, total, now)

    def _count(self, done: int, total: int | None, now: float) -> None:
        if self._began is not None and now - self._last >= EVERY:
            self._last = now
            self._say(f"{self._what}: {_numbers(done, total, now - self._began)}")


def _numbers(done: int, total: int | None, seconds: float) -> str:
    rate = done / seconds
    if total is None:
        return f"{done:,} orders, {rate:,.0f} orders/s"
    left = f", about {(total - done) / rate:,.0f} s left" if rate and total > done else ""
    return f"{done:,} of about {total:,} orders, {rate:,.0f} orders/s{left}"


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
