"""Order keys as text, lists of texts as Postgres array literals, and the SQL that compares columns with those.

Leaf of this room: no catalog.
"""
# ruff: noqa: S608  names come quoted from the catalog, values as parameters

from __future__ import annotations

import json
from collections.abc import Iterable

from connector.model.orders import OrderKey, is_former, single


def decode(key: str, width: int) -> tuple[str, ...]:
    """The texts of a key of `width` columns. Raises ValueError when it isn't one."""
    texts = _texts(key) if width > 1 else [single(key)]
    if not isinstance(texts, list) or len(texts) != width or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"an order key here is a JSON list of {width} texts")
    if is_former(OrderKey(key)) or any("\0" in text for text in texts):
        raise ValueError("no column's value")
    for text in texts:
        text.encode()  # half a surrogate pair is no text
    return tuple(texts)


def _texts(key: str) -> object:
    try:
        return json.loads(key)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def array_literal(texts: Iterable[str]) -> str:
    """`{"a","b"}` (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO). Sent as an untyped parameter, so
    that the server reads each element as the type it is cast to."""
    quoted = ('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    return "{" + ",".join(quoted) + "}"


def among(columns: list[str], types: list[str]) -> str:
    """The condition that a row is among those given as one array parameter a column (`$1`, `$2`, ...)."""
    if any(map(_may_be_array, types)):
        names = [f"v{number}" for number in range(1, len(types) + 1)]
        values = ", ".join(f"{name}::{kind}" for name, kind in zip(names, types, strict=True))
        return f"({', '.join(columns)}) IN (SELECT {values} FROM {given(names)})"
    arrays = [f"{parameter(number)}::{name}[]" for number, name in enumerate(types, 1)]
    if len(columns) == 1:
        return f"{columns[0]} = ANY ({arrays[0]})"
    # Of several arrays it is pg_catalog's by the grammar, and may have no schema.
    return f"({', '.join(columns)}) IN (SELECT * FROM unnest({', '.join(arrays)}))"


def given(names: list[str]) -> str:
    """What stands after FROM for the parameters, texts still: `given`, with a column of each name."""
    texts = ", ".join(f"{parameter(number)}::text[]" for number in range(1, len(names) + 1))
    # Of several arrays it is pg_catalog's by the grammar, and may have no schema.
    unnest = "pg_catalog.unnest" if len(names) == 1 else "unnest"
    return f"{unnest}({texts}) AS given({', '.join(names)})"


def parameter(number: int) -> str:
    """With a blank after it: to sqlglot, what stands between two dollar signs without one is a dollar quote's tag."""
    return f"${number} "


def _may_be_array(type_name: str) -> bool:
    """An array's own type begins with an underscore, and has no array of arrays."""
    return type_name.rpartition(".")[2].lstrip('"').startswith("_")
