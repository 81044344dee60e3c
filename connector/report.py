"""What the reporting verbs print for people. Knows rich and plain dicts; decides nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

console = Console(highlight=False, soft_wrap=True)

_HOW = {
    "key": "is the order's own row",
    "column": "carries the order's key",
    "reverse": "its orders are looked up",
}


def explain_tree(plan: Mapping[str, Any]) -> None:
    """`explain`: per table and use, how a changed row leads to orders."""
    key = ", ".join(plan["order_key"])
    tree = Tree(Text.assemble(("order = a row of ", ""), (plan["order_table"], "bold"), f", key ({key})"))
    for table in plan["tables"]:
        branch = tree.add(Text(table["table"], "bold"))
        for use in table["uses"]:
            branch_text = Text.assemble(
                f"as {use['alias']} (line {use['line']}): ",
                (_HOW.get(use["route"], use["route"]), "green"),
                f" by {', '.join(use['columns'])}",
            )
            leaf = branch.add(branch_text)
            if use["reverse_sql"]:
                leaf.add(Text(use["reverse_sql"], "dim"))
                if not use["indexed"]:
                    leaf.add(Text("no index serves this query: `redo-connector check` says which to create", "yellow"))
            leaf.add(Text(f"deletes: {_deletes(use['deletes'])}", "dim"))
    console.print(tree)


def _deletes(how: str) -> str:
    if how == "sweep":
        return "a deleted row doesn't carry these columns, so every order is compared with its checkpoint"
    return f"found by the {how}"


def preview_orders(previews: Sequence[Mapping[str, Any]]) -> None:
    """`preview`: verdict, field diff with what Redo accepted, and the payload."""
    for one in previews:
        console.rule(Text(f"order {one['key']}: {one['verdict']}", "bold"))
        for problem in one["problems"]:
            console.print(Text(f"  {problem}", "red"))
        if one["payload"] is not None:
            console.print_json(json.dumps(one["payload"]))


def status_lines(found: Mapping[str, Any]) -> None:
    """`status`: a verdict and the numbers behind it."""
    console.print(Text(str(found.get("verdict", "")), "bold"))
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _flatten(found):
        if name not in ("verdict",) and value is not None:
            table.add_row(Text(name, "dim"), str(value))
    console.print(table)


def _flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows.extend(_flatten(value, f"{prefix}{name}."))
        else:
            rows.append((prefix + name, value))
    return rows
