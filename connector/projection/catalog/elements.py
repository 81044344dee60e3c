"""Arrays whose elements conditions compare: PostgreSQL's own, and those in jsonb.

An element has a type of its own, and all elements of an array are a column that equals whatever one of them equals.
Must not know SQL parsing, routes or orders. No I/O.
"""
# ruff: noqa: S608  names come quoted from the catalog

from __future__ import annotations

from dataclasses import replace

from connector.projection.catalog.columns import Column, nested

_INTEGERS = ("int2", "int4", "int8")
_LISTED = frozenset({*_INTEGERS, "numeric", "text", "varchar", "uuid"})


def element(array: Column, kind: str) -> Column | None:
    """What one element of an array is, `kind`: of `array`, or of a JSON array as `jsonb` or as `text`. None for types
    of elements whose equality isn't followed."""
    if kind != "array":
        known, result = array.type == "jsonb", kind
    else:
        known, result = array.type.startswith("_") and array.type[1:] in _LISTED, array.type[1:]
    if not known or array.type_schema != "pg_catalog" or array.many:
        return None
    whole, own = array.deterministic, array.own_collation
    return Column("", result, f"pg_catalog.{result}", "pg_catalog", -1, False, whole, array.streamed, own_collation=own)


def elements(array: Column, kind: str, value: Column) -> Column:
    """All elements of the array. `value`: one, or an expression over one."""
    given = array.sql or "{0}"
    sql = given
    if kind != "array" or value.parts:
        suffix = "_text" if kind == "text" else ""
        # Of what is no array the mapping fails to make rows, where it comes to that.
        whole = f"CASE pg_catalog.jsonb_typeof({given}) WHEN 'array' THEN {given} END"
        rows = f"jsonb_array_elements{suffix}({whole})" if kind != "array" else f"unnest({given})"
        sql = f"ARRAY(SELECT {nested(value.sql or '{0}', ['e.value'])} FROM pg_catalog.{rows} AS e(value))"
    return replace(
        value,
        name=sql.format(*(column.name for column in array.stored)),
        parts=array.stored,
        sql=sql,
        strict=array.strict,
        indexable=array.indexable and kind == "array" and not value.parts,
        many=True,
    )


def listed(sql: str, array: Column) -> str:
    """A value as the type of the array's elements, so that the two can be compared by an index; NULL for a number that
    is too large to be one."""
    kind = array.type
    if kind not in ("int2", "int4"):
        return f"{sql}::{array.type_name}"
    most = 2 ** (8 * int(kind[-1]) - 1)
    return f"CASE WHEN {sql} BETWEEN -{most} AND {most - 1} THEN {sql}::{array.type_name} END"


def may_be_listed(one: Column, array: Column) -> bool:
    """True when a value comes out of a cast to the type of the array's elements as it is."""
    return array.type not in _INTEGERS or one.type in _INTEGERS
