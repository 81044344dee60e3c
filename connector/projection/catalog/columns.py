"""A column of a table, plain or computed, and which columns `=` compares as one would think.

Knows Postgres's types; must not know SQL parsing, routes or orders. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import Formatter

from connector.postgres.quoting import quoted

INTEGERS = frozenset({"int2", "int4", "int8"})
NUMBERS = INTEGERS | {"numeric"}
STRINGS = frozenset({"text", "varchar", "bpchar"})
STAMPS = frozenset({"timestamp", "timestamptz"})
TIMES = STAMPS | {"date"}
_DAY = "({0}::date)"
_FAITHFUL = INTEGERS | STRINGS | TIMES | {"uuid", "oid", "name", "bytea"}
"""Types whose `::text` is what the stream sends, whatever the session's settings. Enums too."""
_TOLD = _FAITHFUL | {"numeric", "float4", "float8", "interval", "time", "timetz"}
"""Types of which a stored value has one text under the settings that all of our sessions have, the stream's too."""


@dataclass(frozen=True, slots=True)
class Column:
    """`type_name` is fit for a cast, `type` the bare name in pg_type; both of a domain's base type. `streamed`: False
    for generated columns, which logical replication leaves out; `generated`: their expression. `own_collation`: another
    one than the database's. `parts`: of a computed column, those that `sql`, an immutable expression, is made of:
    `{0}`, `{1}`, ... stand for them; `strict`, `indexable`: see `Computed`. `many`: it is an array, and its elements
    are meant; all types are theirs then."""

    name: str
    type: str
    type_name: str
    type_schema: str
    modifier: int
    is_enum: bool
    deterministic: bool
    streamed: bool
    not_null: bool = False
    own_collation: bool = False
    parts: tuple[Column, ...] = ()
    sql: str = ""
    strict: bool = True
    indexable: bool = True
    many: bool = False
    generated: str = ""

    def written(self, alias: str) -> str:
        """The column as SQL, of a table named `alias`."""
        return self.of_values([quoted(alias, column.name) for column in self.stored])

    def of_values(self, values: Sequence[str]) -> str:
        """The column as SQL, made of expressions for those that are stored."""
        return self.sql.format(*values) if self.parts else values[0]

    @property
    def stored(self) -> tuple[Column, ...]:
        """What a row has of it: itself, or what it is computed from."""
        return self.parts or (self,)

    @property
    def asked_as(self) -> str:
        """The type of values that it is compared with. Of integers the widest: what refers to the column may be wider,
        and it may itself be widened while we run."""
        integer = self.type in INTEGERS and self.type_schema == "pg_catalog"
        return "pg_catalog.int8" if integer else self.type_name

    @property
    def is_day(self) -> bool:
        """It is the day of a time stamp, `x::date`; of one with a time zone by the session's, which is UTC."""
        return self.sql == _DAY and self.parts[0].type in STAMPS

    def meets(self, alias: str, sign: str, value: str, value_type: str = "date") -> str:
        """That a value is `sign` (`=`, `<`, `<=`, `>` or `>=`) the column of a table named `alias`. Of a day it is put
        as a condition on the time stamp, which an index on that serves; it may let an instant too much pass."""
        if not self.is_day:
            own = self.written(alias)
            return f"{own} = {value}" if sign == "=" else f"{value} {sign} {own}"
        if sign == "=":
            return f"{self.meets(alias, '<=', value)} AND {self.meets(alias, '>=', value)}"
        stamp, whole = self.parts[0].written(alias), value_type == "date"
        if sign == "<=" or (sign == "<" and not whole) or (sign == ">" and whole):
            return f"{value} {sign} {stamp}"
        return f"{_day_after(value if whole else f'{value}::date')} {'<=' if sign == '<' else '>='} {stamp}"

    @property
    def indexed_as(self) -> str:
        """How the index that serves it names it: see `Table.indexes`."""
        if not self.parts or self.is_day:
            return self.stored[0].name
        names = (column.name for column in self.parts)
        plain = (name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else quoted(name) for name in names)
        return self.of_values(list(plain)).replace("pg_catalog.", "")

    def faithful(self) -> bool:
        """True when two values are equal exactly if their texts are (blanks at the end of char(n) aside)."""
        if self.type == "numeric":
            return self.modifier >= 0
        known = self.type in _FAITHFUL and self.type_schema == "pg_catalog"
        return (known or self.is_enum) and self.deterministic

    def told_by_text(self) -> bool:
        """True when a stored value has the same text in the stream and in queries, if not all values that equal it."""
        return (self.type in _TOLD and self.type_schema == "pg_catalog") or self.is_enum


def _day_after(day: str) -> str:
    """Greater than all of the day, or as great; fails for no day."""
    return f"(CASE WHEN {day} >= '5874897-12-31'::date THEN 'infinity'::date ELSE {day} + 1 END)"


def widened(column: Column, target: str) -> bool:
    """True when a cast to the type in pg_catalog (without a length or a scale) keeps the value, or fails."""
    if column.type_schema != "pg_catalog":
        return False
    if column.type in INTEGERS:
        return target in NUMBERS
    if column.type in STRINGS:
        return target in ("text", "varchar")
    return column.type == target


def unites(columns: Sequence[Column]) -> bool:
    """True when a set operation over the columns gives a type that keeps the values of all."""
    types = {column.type for column in columns}
    if len({column.type_name for column in columns}) == 1:
        return True
    if any(column.type_schema != "pg_catalog" for column in columns):
        return False
    return types <= NUMBERS or types <= {"text", "varchar"}


def comparable(one: Column, other: Column) -> bool:
    """True when `=` between the two is an equivalence that a parameter of either type keeps. One in a nondeterministic
    collation equals more texts than it does as a parameter for a column in another collation."""
    if one.deterministic != other.deterministic:
        return False
    if one.type_name == other.type_name:
        return True
    if {one.type_schema, other.type_schema} != {"pg_catalog"}:
        return False
    pair = {one.type, other.type}
    return pair <= NUMBERS or pair <= STRINGS


def ordered(one: Column, other: Column) -> bool:
    """True when `<` between the two is built in, and a parameter of either type keeps what it says. The order of texts
    is a collation's."""
    if {one.type_schema, other.type_schema} != {"pg_catalog"}:
        return False
    pair = {one.type, other.type}
    return pair <= INTEGERS or pair <= TIMES or pair == {"numeric"}


def extremes(column: Column) -> tuple[str, str] | None:
    """SQL of a value that is below all others of the column's type, or the least of them, and of one that is above all;
    None for types that have none."""
    if column.type_schema != "pg_catalog":
        return None
    if column.type in INTEGERS:
        return f"'{-(2**63)}'::int8", f"'{2**63 - 1}'::int8"
    return (f"'-infinity'::{column.type_name}", f"'infinity'::{column.type_name}") if column.type in TIMES else None


def exactly_comparable(one: Column, other: Column) -> bool:
    """True when pg_catalog has an `=` for just these two types, so that one of another schema isn't taken for it."""
    if {one.type_schema, other.type_schema} != {"pg_catalog"}:
        return one.type_name == other.type_name and not one.is_enum
    return {one.type, other.type} <= INTEGERS or (one.type == other.type != "varchar")


def same_text(one: Column, other: Column) -> bool:
    """True when equal values of the two columns have equal texts."""
    if not (one.faithful() and other.faithful() and comparable(one, other)):
        return False
    if "numeric" in (one.type, other.type):
        return one.type == other.type and one.modifier == other.modifier
    return True


def computed(parts: Sequence[Column], sql: str, result: str, *, strict: bool, indexable: bool) -> Column:
    """An immutable expression over columns of one table, or over other expressions. `result`: its type's name in
    pg_catalog."""
    stored = tuple(dict.fromkeys(one for part in parts for one in part.stored))
    places = [[f"{{{stored.index(one)}}}" for one in part.stored] for part in parts]
    texts = [nested(part.sql or "{0}", those) for part, those in zip(parts, places, strict=True)]
    sql = nested(sql, texts)
    return Column(
        sql.format(*(column.name for column in stored)),
        result,
        f"pg_catalog.{result}",
        "pg_catalog",
        -1,
        False,
        all(column.deterministic for column in parts),
        all(column.streamed for column in parts),
        own_collation=any(column.own_collation for column in parts),
        parts=stored,
        sql=sql,
        strict=strict and all(column.strict for column in parts),
        indexable=indexable and all(column.indexable for column in parts),
    )


def nested(sql: str, texts: Sequence[str]) -> str:
    """The template with a text for each of `{0}`, `{1}`, ...: templates make a template."""
    return "".join(
        text.replace("{", "{{").replace("}", "}}") + (texts[int(field)] if field is not None else "")
        for text, field, _, _ in Formatter().parse(sql)
    )
