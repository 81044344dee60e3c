"""What is printed about orders that wait for a person: dead letters, holds, and what a request came to.

Knows rich and plain dicts; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.text import Text

from connector.cli.report.console import clock, console, counted, some
from connector.pipeline.ports.records import FAILING

_SHOWN: Final = 10
"""Fields of a hold that are named."""
_KINDS: Final = {
    "changes": "that a comparison of all orders would change at Redo",
    "removals": "to be cancelled or deleted at Redo",
    "endpoint": "to be pushed to where nothing was accepted yet",
    "vanished": "to be cancelled or deleted at Redo, though no delete of them was seen",
}


def dead_letter_groups(found: Mapping[str, Any], limit: int, *, stores: bool) -> None:
    """`dead-letters list`: cause by cause, the largest first, and what to type next. `stores`: name them."""
    out = console()
    groups = found["groups"]
    for group in groups[:limit]:
        where = _stores(group["stores"]) if stores else ""
        head = f": {group['reason']}, {counted(group['orders'])}, {counted(group['attempts'], 'attempt')}{where}, "
        out.print(Text.assemble("group ", (str(group["group"]), "bold"), head, _when(group)))
        out.print(Text(f"  {group['cause']}", "red"))
        out.print(Text(f"  {some(group['samples'], group['orders'])}", "dim"))
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
        out.print(Text.assemble("order ", (letter["key"], "bold"), head))
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
        out.print(Text(f"  orders {some(hold['samples'], hold['orders'])}", "dim"))


def holds_in_short(found: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """`status`: each hold with the command that shows and releases it."""
    for hold in found:
        orders = f"{hold['orders']:,} orders" if "orders" in hold else "orders"
        cause = f" ({hold['cause']})" if hold.get("cause") else ""
        text = f"held: {orders}{cause}; `redo-connector approve {hold.get('number', '')}` shows them and lets them go"
        yield Text(text, "yellow")


def endpoints_in_short(found: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """`status`: which address and store of Redo accepted what."""
    for one in found:
        state = "" if one["active"] else ", not in use"
        state = ", to be approved" if one["active"] and not one["approved"] else state
        yield Text(f"accepted by {one['url']} store {one['store_id']}: {counted(one['orders'])}{state}", "dim")


def groups_in_short(found: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """`status`: what orders were refused for."""
    for group in found:
        what = f"refused: {counted(group['orders'])}, {group['reason']}"
        if group["reason"] == FAILING:
            what = f"fails again and again, and is tried again: {counted(group['orders'])}"
        text = f"{what}: {group['cause']} (group {group['group']})"
        yield Text(text, "red")


def outcome(request: Mapping[str, Any], *, waits: bool) -> None:
    """What became of a request; `waits`: whether it was followed."""
    out = console()
    number = f"Request {request['number']}"
    if request["state"] == "done":
        out.print(request["message"] or f"{number} is done.")
    elif request["state"] == "failed":
        out.print(Text(request["message"] or f"{number} failed.", "red"))
    elif not request["running"]:
        out.print(f"{number} waits: no connector runs. It is carried out at the next start.")
    else:
        out.print(f"{number} is with the connector." if not waits else f"{number} is still being carried out.")


def verified(found: Mapping[str, Any]) -> None:
    """`reconcile --verify-redo`: what Redo holds against the mapping's answer."""
    out = console()
    for one in found["different"]:
        out.print(Text(f"order {one['key']}: Redo has other values in {', '.join(one['fields'])}", "red"))
    for key in found["absent"]:
        out.print(Text(f"order {key}: Redo has no such order", "red"))
    for one in found["unread"]:
        out.print(Text(f"order {one['key']}: can't be read back: {one['reason']}", "yellow"))
    wrong = len(found["different"]) + len(found["absent"])
    text = f"{counted(found['compared'])} read back from Redo: {found['compared'] - wrong:,} as they should be"
    text += f", {wrong:,} not" if wrong else ""
    text += f"; {found['underway']:,} not looked at, their newest state is on its way" if found["underway"] else ""
    out.print(text + ".")
