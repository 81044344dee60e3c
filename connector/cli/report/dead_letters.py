"""Dead letters, cause by cause or order by order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from connector.cli.report.console import FAILING, clock, console, counted, named, some


def dead_letter_groups(found: Mapping[str, Any], limit: int, *, stores: bool) -> None:
    """`dead-letters list`: cause by cause, the largest first, and what to type next. `stores`: name them."""
    out = console()
    groups = found["groups"]
    for group in groups[:limit]:
        where = _stores(group["stores"]) if stores else ""
        head = f": {group['reason']}, {counted(group['orders'])}, {counted(group['attempts'], 'attempt')}{where}, "
        out.print(Text.assemble("group ", (str(group["group"]), "bold"), head, _when(group)))
        out.print(Text(f"  {group['cause']}", "red"))
        out.print(Text(f"  {some(group['samples'], group['orders'], group['order_ids'])}", "dim"))
    if len(groups) > limit:
        out.print(f"{len(groups) - limit} more groups: raise --limit")
    if groups:
        if any(group["reason"] == FAILING for group in groups):
            out.print("What is `failing` is tried again by itself; `dead-letters set-aside` gives up on it.")
        out.print("`dead-letters show GROUP` names the orders, `dead-letters redrive --group GROUP` tries them again.")
    else:
        out.print("No dead letters.")


def _stores(names: Sequence[str]) -> str:
    known = [name for name in names if name]
    return f", store{'s' if len(known) > 1 else ''} {', '.join(known)}" if known else ""


def dead_letter_lines(found: Mapping[str, Any], *, stores: bool) -> None:
    """`dead-letters list --each`, `show`: one order after the other, and how many were left out. `stores`: with each
    one's."""
    out = console()
    letters = found["dead_letters"]
    for letter in letters:
        status = f" (HTTP {letter['status']})" if letter["status"] else ""
        group = f", group {letter['group']}" if letter["group"] else ""
        where = _stores([letter["store_id"]]) if stores else ""
        head = f": {letter['reason']}{status}{where}, {_when(letter)}{group}"
        out.print(Text.assemble("order ", (named(letter["key"], letter["order_id"]), "bold"), head))
        for line in str(letter["message"]).split("; "):
            out.print(Text(f"  {line}", "red"))
    left = found["total"] - len(letters)
    if left > 0:
        out.print(f"{left} more: raise --limit")
    elif not letters:
        out.print("No dead letters.")


def _when(one: Mapping[str, Any]) -> str:
    since, last = clock(one["first_seen"]), clock(one["last_seen"])
    return f"since {since}" if since == last else f"since {since}, last {last}"
