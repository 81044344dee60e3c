"""The result of a request to the connector (reconcile, redrive, approve ...), for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from connector.cli.report.console import console, counted, named, print_json


def request(asked: Mapping[str, Any], *, waits: bool, as_json: bool) -> None:
    """All that a verb prints which only asks for something."""
    if as_json:
        print_json({"request": asked})
    else:
        outcome(asked, waits=waits)


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
        out.print(
            Text(f"order {_named(one['key'], found)}: Redo has other values in {', '.join(one['fields'])}", "red")
        )
    for key in found["absent"]:
        out.print(Text(f"order {_named(key, found)}: Redo has no such order", "red"))
    for one in found["unread"]:
        out.print(Text(f"order {_named(one['key'], found)}: can't be read back: {one['reason']}", "yellow"))
    wrong = len(found["different"]) + len(found["absent"])
    text = f"{counted(found['compared'])} read back from Redo: {found['compared'] - wrong:,} as they should be"
    text += f", {wrong:,} not" if wrong else ""
    text += f"; {found['underway']:,} not looked at, their newest state is on its way" if found["underway"] else ""
    out.print(text + ".")


def _named(key: str, found: Mapping[str, Any]) -> str:
    return named(key, found["order_ids"].get(key))
