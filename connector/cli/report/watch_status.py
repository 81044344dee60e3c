"""`status --watch`: how things are, again and again. A view on a terminal; elsewhere a line per new state."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import click
from rich.live import Live

from connector.cli.report.console import clock, console
from connector.cli.report.status import status_view

EVERY: Final = 1.0


def watch_status(look: Callable[[], Mapping[str, Any]]) -> None:
    """Until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        if console().is_terminal:
            _view(look)
        else:
            _lines(look)


def _view(look: Callable[[], Mapping[str, Any]]) -> None:
    with Live(status_view(look()), console=console(), screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(EVERY)
            live.update(status_view(look()), refresh=True)


def _lines(look: Callable[[], Mapping[str, Any]]) -> None:
    printed: object = None
    while True:
        found = look()
        state = (found.get("running"), found.get("state"), found.get("reason"))
        if state != printed:
            printed = state
            click.echo(f"{clock(time.time())} {found['verdict']}")
        time.sleep(EVERY)
