"""What is printed about one order: `explain-order`. Knows rich and plain dicts; decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from connector.cli.report.console import FAILING, clock, console, named

_RESULTS = {"pushed": "accepted", "missing": "removed at Redo", "again": "tried again"}


def story_lines(found: Mapping[str, Any]) -> None:
    """What changed, what Redo accepted, what the mapping says now, and the last attempts."""
    out = console()
    out.print(Text(f"order {named(found['key'], found['order_id'])}: {found['verdict']}", "bold"))
    for part in (_changes(found), _remembered(found), _now(found["projection"]), _attempts(found)):
        for line in part:
            out.print(line)
    payload = found["projection"]["payload"]
    if payload is not None:
        out.print_json(payload)


def _changes(found: Mapping[str, Any]) -> Iterator[Text]:
    yield Text("what changed in the OMS", "dim")
    for one in found["changes"]:
        about = "" if one["exact"] else ", or shortly before"
        yield Text(f"  {clock(one['commit_time'])}{about}: {one['operation']} of {one['table']}, {one['commit_lsn']}")
    if not found["changes"]:
        yield Text(f"  {_since(found)}")


def _since(found: Mapping[str, Any]) -> str:
    since = found["since"]
    return (
        "not remembered: no connector runs" if since is None else f"nothing since the connector started, {clock(since)}"
    )


def _remembered(found: Mapping[str, Any]) -> Iterator[Text]:
    yield Text("checkpoint", "dim")
    checkpoint, letter, held = found["checkpoint"], found["dead_letter"], found["held"]
    if checkpoint is None:
        yield Text("  Redo has not accepted it yet")
    else:
        at = f" at {found['url']}" if found["url"] else ""
        where = f"as {checkpoint['order_id']} in store {checkpoint['store_id']}{at}"
        gone = "; it has left the mapping since" if checkpoint["missing"] else ""
        yield Text(f"  accepted {clock(checkpoint['accepted_at'])} {where}, {checkpoint['fingerprint'][:12]}{gone}")
    if letter is not None:
        status = f" (HTTP {letter['status']})" if letter["status"] else ""
        how = "failed" if letter["reason"] == FAILING else "refused"
        yield Text(f"  {how} {clock(letter['last_seen'])}: {letter['reason']}{status}: {letter['message']}", "red")
    if held is not None:
        yield Text(f"  held since {clock(held['since'])}: `redo-connector approve {held['hold']}`", "yellow")


def _now(projection: Mapping[str, Any]) -> Iterator[Text]:
    yield Text("what the mapping says now", "dim")
    for problem in projection["problems"]:
        yield Text(f"  {problem}", "red")
    for warning in projection["warnings"]:
        yield Text(f"  warning, {warning}", "yellow")
    changed = projection["changed_fields"]
    if changed:
        yield Text(f"  differs from the checkpoint in {', '.join(changed)}", "yellow")
    elif projection["verdict"] == "unchanged":
        yield Text("  the same as the checkpoint")
    for path, before, now in projection["values"] or ():
        yield Text(f"  {path}: {before} -> {now}")
    if projection["payload"] is None:
        for name, shape in projection["shapes"].items():
            yield Text(f"  {name}: {shape}", "yellow" if name in changed else "")


def _attempts(found: Mapping[str, Any]) -> Iterator[Text]:
    yield Text("last attempts", "dim")
    for one in found["attempts"]:
        result = _RESULTS.get(one["result"], one["result"])
        reason = f" ({one['reason']})" if one["reason"] not in ("", one["result"]) else ""
        took = "" if one["seconds"] is None else f", {one['seconds']:.2f} s"
        late = "" if one["latency"] is None else f", {one['latency']:.2f} s after the commit"
        yield Text(f"  {clock(one['at'])}: {result}{reason}{took}{late}")
    if not found["attempts"]:
        yield Text(f"  {_since(found)}")
