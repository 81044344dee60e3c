"""The console for everything that commands print. On a terminal (or where COLUMNS says how wide) text wraps; into a
pipe every line goes out whole, for grep.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO, Final

import click
from rich.console import Console

UNWRAPPED: Final = 10_000
FAILING: Final = "failing"
"""The reason of dead letters that are tried again by themselves, in what `inspect` and the connector answer."""


def console() -> Console:
    return Console(highlight=False, width=width(sys.stdout))


def print_json(value: object) -> None:
    """For programs: on standard output, whatever it is."""
    click.echo(json.dumps(value, indent=2, default=str))


def width(stream: IO[str], widest: int = UNWRAPPED) -> int:
    """In columns. `widest`: what is easily read on a wider terminal."""
    fits = stream.isatty() or os.environ.get("COLUMNS")
    return min(shutil.get_terminal_size().columns, widest) if fits else UNWRAPPED


def clock(moment: float) -> str:
    """`2026-11-23T18:38:12Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def named(key: str, order_id: str | None) -> str:
    """`17 (W/1)`: an order's key, and its id at Redo where that is known, another text and fit for a terminal."""
    return f"{key} ({order_id})" if order_id and order_id != key and order_id.isprintable() else key


def some(keys: Sequence[str], of: int, ids: Mapping[str, str] | None = None) -> str:
    """`17 (W/1), 18, ...` where there are more. `ids`: at Redo, by key."""
    return ", ".join(named(key, (ids or {}).get(key)) for key in keys) + (", ..." if of > len(keys) else "")


def counted(number: int, noun: str = "order") -> str:
    """`1 order`, `1,203 orders`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
