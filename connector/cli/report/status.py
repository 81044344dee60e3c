"""`status`: a verdict, the numbers behind it, and what waits for a person; with --watch again and again: a view on a
terminal, elsewhere a line per new state."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from connector.cli.report.console import FAILING, clock, console, counted

EVERY: Final = 1.0
"""Seconds between two looks."""

_LAG: Final = "sync_lag_seconds"
"""Leads the numbers."""
_TIMES: Final = frozenset({"now", "paused_since", "paused_until", "verified_through"})


def status_view(found: Mapping[str, Any]) -> Group:
    lines = [Text(str(found.get("verdict", "")), "bold")]
    rows = [(name, value) for name, value in _flatten(found) if name != "verdict" and value not in (None, "")]
    rows.sort(key=lambda row: row[0] != _LAG)
    widest = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        lines.append(Text.assemble((f"{name:<{widest}}  ", "dim"), _shown(name, value)))
    held = [one for one in _rows(found, "holds") if one.get("state", "held") == "held"]
    refused = _rows(found, "dead_letter_groups")
    lines += _endpoints(_rows(found, "endpoints"))
    return Group(*lines, *_holds(held), *_groups(refused))


def _rows(found: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = found.get(name)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _shown(name: str, value: object) -> str:
    last = name.rpartition(".")[2]
    if isinstance(value, float):
        return clock(value) if last in _TIMES or last.endswith("_at") else f"{value:.1f}"
    if last == "mapping_fingerprint":
        return str(value)[:12]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows.extend(_flatten(value, f"{prefix}{name}."))
        elif not isinstance(value, list):
            rows.append((prefix + name, value))
    return rows


def _holds(found: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """Each hold with the command that shows and releases it."""
    for hold in found:
        orders = f"{hold['orders']:,} orders" if "orders" in hold else "orders"
        cause = f" ({hold['cause']})" if hold.get("cause") else ""
        text = f"held: {orders}{cause}; `redo-connector approve {hold.get('number', '')}` shows them and lets them go"
        yield Text(text, "yellow")


def _endpoints(found: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """Which address and store of Redo accepted what."""
    for one in found:
        state = "" if one["active"] else ", not in use"
        state = ", to be approved" if one["active"] and not one["approved"] else state
        yield Text(f"accepted by {one['url']} store {one['store_id']}: {counted(one['orders'])}{state}", "dim")


def _groups(found: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """What orders were refused for."""
    for group in found:
        what = f"refused: {counted(group['orders'])}, {group['reason']}"
        if group["reason"] == FAILING:
            what = f"fails again and again, and is tried again: {counted(group['orders'])}"
        text = f"{what}: {group['cause']} (group {group['group']})"
        yield Text(text, "red")


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
