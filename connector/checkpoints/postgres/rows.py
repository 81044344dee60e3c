"""Many rows in one statement: each column is an array, and `unnest` makes rows of them again.

One round trip and one plan, however many rows. https://www.postgresql.org/docs/current/functions-array.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

from psycopg import Connection


def execute_rows(connection: Connection[Any], statement: LiteralString, rows: Iterable[Sequence[Any]]) -> None:
    """Run `statement`, whose parameters are the columns, unless there is no row."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        connection.execute(statement, columns)


def all_rows(connection: Connection[Any], statement: LiteralString, parameters: Sequence[Any] = ()) -> list[Any]:
    """The rows that a statement gives."""
    return connection.execute(statement, parameters).fetchall()


def one_value(connection: Connection[Any], statement: LiteralString, parameters: Sequence[Any] = ()) -> Any:
    """The only column of the only row; None where there is no row."""
    row = connection.execute(statement, parameters).fetchone()
    return None if row is None else row[0]
