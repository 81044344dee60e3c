"""What a constant condition lets a column be: as SQL that partial indexes are proved by, and asked of a streamed value.

Knows Postgres's types and how their values are written; must not know SQL parsing, routes or orders. No I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from connector.model.changes import UNKNOWN, Value
from connector.projection.catalog.columns import INTEGERS, NUMBERS, STRINGS, Column

_SHORT = NUMBERS | {"bool", "uuid", "date", "timestamp", "timestamptz"}

FilterKind: TypeAlias = Literal["null", "not null", "among"]


@dataclass(frozen=True, slots=True)
class ColumnFilter:
    """A column is NULL, or isn't, or is one of `texts`, which are as `constant_of` gives them."""

    column: Column
    kind: FilterKind
    texts: tuple[str, ...] = ()

    def written(self, alias: str) -> str:
        """The condition on a table named `alias`."""
        return self.on(self.column.written(alias))

    def on(self, column: str) -> str:
        """The condition on the column as it is written there. Literals have no type, so that they take the column's."""
        if self.kind != "among":
            return f"{column} IS {self.kind.upper()}"
        if self.column.type == "bool":
            return column if self.texts == ("t",) else f"NOT {column}"
        values = ", ".join(self._literal(text) for text in self.texts)
        return f"{column} = {values}" if len(self.texts) == 1 else f"{column} IN ({values})"

    @property
    def testable(self) -> bool:
        """True when a value in the stream tells whether a row meets the condition. Values are held in memory: of a
        column that is only to be NULL or not they may be long."""
        column = self.column
        if not column.streamed:
            return False
        if self.kind != "among":
            return column.is_enum or (_built_in(column) and column.type in _SHORT)
        known = column.is_enum or (_built_in(column) and column.type in INTEGERS | STRINGS | {"bool", "uuid"})
        # Other letters may have come through another encoding.
        return known and column.deterministic and all(map(str.isascii, self.texts))

    def passes(self, value: Value) -> bool:
        """False only when a row with this value in the stream surely fails the condition, which is `testable`."""
        if value is UNKNOWN:
            return True
        if self.kind != "among":
            return (value is None) == (self.kind == "null")
        return value is not None and self._shown(value) in self.texts

    def _literal(self, text: str) -> str:
        return text if self.column.type in NUMBERS else "'" + text.replace("'", "''") + "'"

    def _shown(self, value: str) -> str:
        return value.rstrip(" ") if self.column.type == "bpchar" else value


def _built_in(column: Column) -> bool:
    return column.type_schema == "pg_catalog"


def constant_of(column: Column, text: str, *, is_string: bool) -> str | None:
    """A literal's value as the column's type writes it; None when that isn't known for sure. `is_string`: it stands in
    quotes."""
    if column.is_enum or (_built_in(column) and column.type in STRINGS):
        # What a backslash means depends on a setting.
        plain = is_string and "\\" not in text
        return (text.rstrip(" ") if column.type == "bpchar" else text) if plain else None
    if not _built_in(column):
        return None
    if column.type in NUMBERS and re.fullmatch(r"-?[0-9]+", text, re.ASCII):
        return str(int(text))
    if column.type == "numeric" and re.fullmatch(r"-?[0-9]+\.[0-9]+", text, re.ASCII):
        return text
    if column.type == "uuid" and is_string:
        digits = text.strip("{}").replace("-", "").lower()
        parts = re.fullmatch(r"([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})", digits)
        return "-".join(parts.groups()) if parts else None
    if column.type == "bool":
        return {"t": "t", "true": "t", "f": "f", "false": "f"}.get(text.lower())
    return None
