"""What `explain` and `preview` print."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from connector.cli.report.console import console, counted, named, some

_HOW: Final = {
    "key": "the order's own row, key {}",
    "column": "carries the order's key in {}",
    "reverse": "its orders are looked up by {}",
    "sweep": "after any change of it, every order is looked at",
}
_DELETES: Final = {
    "replica identity": "by the replica identity",
    "reverse index": "by the reverse index kept with the checkpoints",
    "sweep": "every order is looked at",
    "reconcile": "found by the reconcile sweep, for want of a replica identity: `redo-connector check` has the cure",
}
_FATES: Final = {
    "unchanged": "would stay as they are",
    "changed": "would change",
    "rejected": "would be rejected",
    "missing": "would be missing",
    "new": "would be new",
    "mended": "would no longer be rejected",
    "neither": "have no row in either mapping",
}

_VERDICTS: Final = {
    "new": "new",
    "changed": "changed since Redo accepted them",
    "unchanged": "unchanged",
    "refused": "would be refused",
    "missing": "known at Redo, and not in the mapping any more",
    "left_out": "left out by the mapping",
}


def explain_tree(plan: Mapping[str, Any]) -> None:
    """`explain`: per table and use, how a changed row leads to orders."""
    key = ", ".join(plan["order_key"])
    tree = Tree(Text.assemble("an order is a row of ", (plan["order_table"], "bold"), f", key ({key})"))
    for table in plan["tables"]:
        branch = tree.add(Text(table["table"], "bold"))
        for use in table["uses"]:
            branch.add(_use(use))
    if plan["whole_reads"]:
        branch = tree.add(Text("read whole, for want of an index or a condition", "bold"))
        for read in plan["whole_reads"]:
            branch.add(_whole_read(read))
    if plan["names"]:
        branch = tree.add(Text(f"names without a schema, looked up in {', '.join(plan['search_path'])}", "bold"))
        for name, found in plan["names"].items():
            branch.add(Text(f"{name}: {found}"))
    console().print(tree)


def _use(use: Mapping[str, Any]) -> Text:
    columns = ", ".join(use["columns"])
    how = _HOW.get(use["route"], "{}").format(columns)
    text = Text.assemble(f"as {use['alias']} (line {use['line']}): ", (how, "green"), f"; {_fan_out(use['fan_out'])}")
    if use["by_size"]:
        text.append("\nnothing joins it to an order: followed so while it has few rows, about 1,000", "yellow")
    if use["conditions"]:
        text.append(f"\nonly rows with {' AND '.join(use['conditions'])}", "dim")
    if use["reverse_sql"]:
        text.append(f"\n{use['reverse_sql']}", "dim")
    what = "updates and deletes" if use["deletes"] == "reconcile" else "deletes and moves"
    costly = use["deletes"] in ("sweep", "reconcile")
    text.append(f"\n{what}: {_DELETES.get(use['deletes'], '')}", "yellow" if costly else "dim")
    return text


def _whole_read(read: Mapping[str, Any]) -> Text:
    place = "" if read["line"] is None else f" (line {read['line']})"
    return Text.assemble((f"{read['what']}{place}", "yellow"), f"\n{read['hint']}")


def _fan_out(orders: float | None) -> str:
    """How many orders a changed row leads to."""
    if orders is None:
        return "how many orders a row: unknown until there are rows and ANALYZE ran"
    return f"about {round(orders):,} order{'s' if round(orders) > 1 else ''} a row"


def preview_orders(previews: Sequence[Mapping[str, Any]]) -> None:
    """`preview`: verdict, what is wrong, what changed, and the payload."""
    out = console()
    for one in previews:
        where = "" if one["store_id"] is None else f", store {one['store_id']}"
        out.print(Text(f"order {named(one['key'], one['order_id'])}: {one['verdict']}{where}", "bold"))
        for problem in one["problems"]:
            out.print(Text(f"  {problem}", "red"))
        for warning in one["warnings"]:
            out.print(Text(f"  warning, {warning['rule']}: {warning['message']}", "yellow"))
        if one["changed_fields"]:
            out.print(Text(f"  changed since accepted: {', '.join(one['changed_fields'])}", "yellow"))
        if one.get("values", ()) is None:
            out.print(Text("  no values: what Redo accepted wasn't kept, or no key opens it", "yellow"))
        _print_values(out, one.get("values") or ())
        if one["payload"] is not None:
            out.print_json(json.dumps(one["payload"]))


def comparison(found: Mapping[str, Any]) -> None:
    """`preview --mapping`: how many orders would become what, in which fields, with examples, and why some wouldn't."""
    out = console()
    out.print(Text(f"{found['orders']} orders under the configured mapping and {found['mapping']}", "bold"))
    for name, words in _FATES.items():
        if found[name]:
            known = found["rejected_already"] if name == "rejected" else 0
            already = f" ({known} of them are already)" if known else ""
            out.print(Text(f"{found[name]:>8,} {words}{already}", "red" if name == "rejected" else ""))
    if found["fields"]:
        out.print(Text("fields that would change", "bold"))
    for path, orders in found["fields"].items():
        out.print(f"{orders:>8,} {path}")
    ids = found["order_ids"]
    for example in found["examples"]:
        name = named(example["key"], ids.get(example["key"]))
        out.print(Text(f"order {name}: {', '.join(example['fields'])}"))
        _print_values(out, example.get("values", ()))
    for one in found["rejections"]:
        reason = f"{one['path']}: {one['message']}" if one["path"] else one["message"]
        out.print(
            Text(f"rejected, {one['orders']:,} of them ({some(one['keys'], one['orders'], ids)}): {reason}", "red")
        )
    if found["missing"]:
        out.print(Text(f"missing: {some(found['missing_keys'], found['missing'], ids)}", "yellow"))


def dry_run(found: Mapping[str, Any]) -> None:
    """`preview --all`: how many orders would become what, and why some would be refused."""
    out, ids = console(), found["order_ids"]
    out.print(Text(f"{counted(found['orders'])} looked at, nothing pushed", "bold"))
    for name, words in _VERDICTS.items():
        if found[name]:
            keys = some(found["keys"][name], found[name], ids)
            out.print(Text(f"{found[name]:>9,} {words}: {keys}", "red" if name == "refused" else ""))
    if found["fields"]:
        fields = ", ".join(f"{name} ({orders:,})" for name, orders in found["fields"].items())
        out.print(Text(f"fields that changed: {fields}", "yellow"))
    for one in found["causes"]:
        keys = some(one["keys"], one["orders"], ids)
        out.print(Text(f"refused, {counted(one['orders'])} ({keys}): {one['cause']}", "red"))
    for one in found["warnings"]:
        keys = some(one["keys"], one["orders"], ids)
        out.print(Text(f"pushed with a warning, {counted(one['orders'])} ({keys}): {one['rule']}", "yellow"))


def _print_values(out: Console, values: Sequence[Mapping[str, Any]]) -> None:
    for one in values:
        out.print(Text(f"  {one['path']}: {_json(one['old'])} -> {_json(one['new'])}"))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
