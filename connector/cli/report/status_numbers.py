"""`status --all`: the verdict, every number behind it by the name that it has in /api/status, and what waits for a
person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Group
from rich.text import Text

from connector.cli.report.console import UNWRAPPED, clock, counted
from connector.cli.report.status import card_lines, event_lines, waiting_for_a_person

_TIMES: Final = frozenset({"now", "paused_since", "paused_until", "since", "verified_through"})


def numbers_view(found: Mapping[str, Any]) -> Group:
    lines = [Text(str(found.get("verdict", "")), "bold")]
    lines += [line for card in _rows(found, "attention") for line in card_lines(card, UNWRAPPED)]
    rows = [(name, value) for name, value in _flatten(found) if name != "verdict" and value not in (None, "")]
    widest = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        lines.append(Text.assemble((f"{name:<{widest}}  ", "dim"), _shown(name, value)))
    lines += _endpoints(_rows(found, "endpoints"))
    return Group(*lines, *waiting_for_a_person(found), *event_lines(found))


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


def _endpoints(found: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """Which address and store of Redo accepted what."""
    for one in found:
        state = "" if one["active"] else ", not in use"
        state = ", to be approved" if one["active"] and not one["approved"] else state
        yield Text(f"accepted by {one['url']} store {one['store_id']}: {counted(one['orders'])}{state}", "dim")
