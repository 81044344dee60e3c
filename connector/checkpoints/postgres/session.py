"""The store's statements on a connection to Postgres.

Many rows go in one statement: each column is an array, and `unnest` makes rows of them again. One round trip and one
plan, however many rows. https://www.postgresql.org/docs/current/functions-array.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from psycopg import Cursor

from connector.checkpoints.engine import Session
from connector.checkpoints.postgres.connection import StoreConnection
from connector.checkpoints.statements import statements

_LONGEST: Final = 3600.0
"""Seconds that a statement may take of what reads everything."""


class PostgresSession(Session):
    """Inside a transaction the connection is in pipeline mode, so that only a query's answer is waited for."""

    def __init__(self, connection: StoreConnection) -> None:
        self.connection = connection
        self._statements = statements("postgres")

    def run(self, name: str, /, **values: Any) -> None:
        self._execute(name, values)

    def run_rows(self, name: str, rows: Iterable[Sequence[Any]], /) -> None:
        columns = self._columns(name, rows)
        if columns:
            self._execute(name, columns)

    def changed(self, name: str, /, **values: Any) -> int:
        cursor = self._execute(name, values)
        self._wait()
        return cursor.rowcount

    def rows(self, name: str, /, **values: Any) -> list[Any]:
        return self._execute(name, values).fetchall()

    def rows_together(self, *names: str, **values: Any) -> list[list[Any]]:
        cursors = [self._execute(name, values) for name in names]
        return [cursor.fetchall() for cursor in cursors]

    def rows_of(self, name: str, rows: Iterable[Sequence[Any]], /, **values: Any) -> Iterable[Any]:
        columns = self._columns(name, rows)
        return self._execute(name, {**columns, **values}).fetchall() if columns else ()

    @contextmanager
    def at_length(self) -> Iterator[None]:
        usual, self.connection.patience = self.connection.patience, _LONGEST
        try:
            self.run("at_length")
            yield
            self._wait()
        finally:
            self.connection.patience = usual

    def _execute(self, name: str, values: dict[str, Any]) -> Cursor[Any]:
        return self.connection.execute(self._statements[name].text.encode(), values)

    def _columns(self, name: str, rows: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
        columns = [list(column) for column in zip(*rows, strict=True)]
        return dict(zip(self._statements[name].columns, columns, strict=True)) if columns else {}

    def _wait(self) -> None:
        """For all that was sent so far: in a pipeline nothing else does."""
        self.connection.execute("SELECT").fetchall()
