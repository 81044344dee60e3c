"""What is proposed for each field: SQL, or a question. A tree of Redo's order, and its text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Final, TypeAlias

TODO: Final = "-- TODO:"
CHECK: Final = "-- check:"
_STEP: Final = "    "
_WIDTH: Final = 100
_SMALL: Final = 3
"""Fields of an object that is written in one line."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """`sql`: an expression; empty where a person has to write it, which `todo` asks for. `check`: what to see to
    nevertheless. `kind`: the type of a placeholder."""

    sql: str = ""
    todo: str = ""
    check: str = ""
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Part:
    """A JSON object."""

    fields: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class One:
    """A list of one object, or of none unless `when` holds."""

    part: Part
    when: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """A list with an object for each row of a query."""

    part: Part
    source: tuple[str, ...]
    where: tuple[str, ...]
    order_by: str


Node: TypeAlias = Leaf | Part | One | Rows
Outputs: TypeAlias = Sequence[tuple[str, Node]]


def written(node: Node) -> str:
    """As SQL, of several lines where it is long."""
    match node:
        case Leaf():
            return _leaf(node)
        case Part():
            return _in_one_line(node) or f"jsonb_build_object(\n{_fields(node)}\n)"
        case One():
            made = f"jsonb_build_array({written(node.part)})"
            return f"CASE WHEN {node.when} THEN\n{indent(made, _STEP)}\nEND" if node.when else made
        case Rows():
            source = "\n".join((f"FROM {node.source[0]}", *node.source[1:], f"WHERE {' AND '.join(node.where)}"))
            part = indent(f"{written(node.part)}\nORDER BY {node.order_by}", _STEP)
            return f"(\n{indent(f'SELECT jsonb_agg({chr(10)}{part}{chr(10)}){chr(10)}{source}', _STEP)}\n)"


def _in_one_line(part: Part) -> str | None:
    """Of a small object that nothing is to be said of."""
    fields = [(name, node.sql) for name, node in part.fields if isinstance(node, Leaf) and not remark(node)]
    inside = ", ".join(f"'{name}', {sql}" for name, sql in fields)
    line = f"jsonb_build_object({inside})"
    return line if len(fields) == len(part.fields) <= _SMALL and len(line) <= _WIDTH - len(_STEP) * 4 else None


def _leaf(leaf: Leaf) -> str:
    return f"NULL::{leaf.kind}" if leaf.todo else leaf.sql


def remark(node: Node) -> str:
    """What is said above a field: that it has to be written, or looked at."""
    if not isinstance(node, Leaf) or not (node.todo or node.check):
        return ""
    said = f"{TODO} {node.todo}" if node.todo else f"{CHECK} {node.check}"
    return "".join(
        f"{line}\n" for line in textwrap.wrap(said, _WIDTH, subsequent_indent="--   ", break_long_words=False)
    )


def _fields(part: Part) -> str:
    return ",\n".join(indent(f"{remark(node)}'{name}', {written(node)}", _STEP) for name, node in part.fields)


def questions(outputs: Outputs, within: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of every field that a person has to write, in the order of the mapping."""
    for path, leaf in leaves(outputs, within):
        if leaf.todo:
            yield path, leaf.todo


def leaves(outputs: Outputs, within: str = "") -> Iterator[tuple[str, Leaf]]:
    """Every single field by its path: `lineItems.priceSet`."""
    for name, node in outputs:
        path = f"{within}.{name}" if within else name
        match node:
            case Leaf():
                yield path, node
            case Part():
                yield from leaves(node.fields, path)
            case One() | Rows():
                yield from leaves(node.part.fields, path)
