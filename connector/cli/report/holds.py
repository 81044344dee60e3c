"""Holds: what waits for approval, as a person needs it to judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.text import Text

from connector.cli.report.console import clock, console, counted, some

_SHOWN: Final = 10
"""Fields of a hold that are named."""
_KINDS: Final = {
    "changes": "that a comparison of all orders would change at Redo",
    "removals": "to be cancelled or deleted at Redo",
    "endpoint": "for a new address or store",
    "first_fill": "of the first fill, not looked at",
    "vanished": "to be cancelled or deleted at Redo, though no delete of them was seen",
}


def holds(found: Sequence[Mapping[str, Any]]) -> None:
    """`approve`: what a person needs to judge each hold."""
    out = console()
    for hold in found:
        what = _KINDS.get(hold["kind"], hold["kind"])
        head = f": {counted(hold['orders'])} {what}, since {clock(hold['opened_at'])}"
        out.print(Text.assemble("hold ", (str(hold["number"]), "bold"), head))
        out.print(Text(f"  because: {hold['cause']}", "yellow"))
        if hold["state"] != "held" and hold["kind"] != "endpoint":
            out.print(Text("  still being gathered: it passes by itself unless there are too many", "dim"))
        for field, orders in list(hold["fields"].items())[:_SHOWN]:
            out.print(f"  {orders:>8,} {field}")
        if len(hold["fields"]) > _SHOWN:
            out.print(f"           and {len(hold['fields']) - _SHOWN} more fields")
        out.print(Text(f"  orders {some(hold['samples'], hold['orders'], hold['order_ids'])}", "dim"))
