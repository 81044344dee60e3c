"""Random changes by several writers whose transactions overlap, the same for the same seed.

One thread runs the statements of all writers in an order that the seed decides. A statement that would have to wait for
another writer's lock fails at once, so nothing depends on time. Must not know what the changes are good for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Any, Final, Self

import psycopg
from psycopg import sql

from tests.system.oracle.tables import Column, Reference, Table, free_columns, read_tables, value
from tests.system.oracle.worlds import World

LOCK_TIMEOUT: Final = "40ms"

_ALL: Final = ("insert", "update", "update", "update", "move", "move", "delete", "many")
_MOVES: Final = ("insert", "update", "move", "move", "move", "many")


@dataclass(frozen=True, slots=True)
class Committed:
    """One transaction as it was committed, numbered from 1, without what was rolled back."""

    number: int
    writer: int
    statements: tuple[str, ...]


@dataclass(slots=True)
class Writer:
    number: int
    connection: psycopg.Connection[Any]
    left: int = 0
    """Statements still to come in the open transaction."""
    statements: list[str] = field(default_factory=list)


Row = tuple[str | None, ...]


class Traffic:
    """Use as a context manager. `on_commit` is told each transaction right after its commit."""

    def __init__(
        self, dsn: str, world: World, seed: int, on_commit: Callable[[Committed], None] | None = None, writers: int = 3
    ) -> None:
        self.world = world
        self.random = Random(seed)  # noqa: S311  to be repeated, not to be unguessable
        # A sweep after a delete, a TRUNCATE or a new primary key would hide what a move left behind.
        self.deletes = seed % 3 != 2
        self.committed = 0
        self.failed = 0
        self._on_commit = on_commit
        options = f"-c lock_timeout={LOCK_TIMEOUT} -c client_min_messages=error -c timezone=UTC"
        self.writers = [Writer(n, psycopg.connect(dsn, autocommit=True, options=options)) for n in range(writers)]
        self.tables = read_tables(self.writers[0].connection, world)
        self.changing = [table for name, table in self.tables.items() if name not in world.still]
        # Tables with children's rows matter most: they are the ones that move.
        self._weights = [self._wanted(table) * (1 + len(table.references)) for table in self.changing]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for writer in self.writers:
            writer.connection.close()

    def fill(self) -> None:
        """The rows to begin with, parents first."""
        writer = self.writers[0]
        for table in self.tables.values():
            for _ in range(self._wanted(table)):
                self._try(writer, *self._insert(writer, table))
        writer.statements.clear()

    def play(self, transactions: int) -> None:
        """That many transactions are begun, and all have ended afterwards."""
        begun = 0
        while begun < transactions or any(writer.left for writer in self.writers):
            writer = self.random.choice(self.writers)
            if writer.left:
                self._statement(writer)
            elif begun < transactions:
                begun += 1
                if self.deletes and self.random.random() < 0.012:
                    self._truncate()
                else:
                    self._begin(writer)

    def _begin(self, writer: Writer) -> None:
        writer.connection.execute("BEGIN")
        writer.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        writer.left = self.random.choice((1, 1, 1, 2, 3, 6))
        writer.statements.clear()

    def _statement(self, writer: Writer) -> None:
        made = self._change(writer, self.random.choices(self.changing, self._weights)[0])
        if made is not None:
            with_undo = self.random.random() < 0.1
            writer.connection.execute("SAVEPOINT here")
            kept = self._try(writer, *made)
            if with_undo or not kept:
                writer.connection.execute("ROLLBACK TO here")
                if kept:
                    writer.statements.pop()
            else:
                writer.connection.execute("RELEASE here")
        writer.left -= 1
        if not writer.left:
            self._end(writer)

    def _end(self, writer: Writer) -> None:
        abort = self.random.random() < 0.05
        writer.connection.execute("ROLLBACK" if abort else "COMMIT")
        if not abort and writer.statements:
            self._done(writer)

    def _done(self, writer: Writer) -> None:
        self.committed += 1
        if self._on_commit is not None:
            self._on_commit(Committed(self.committed, writer.number, tuple(writer.statements)))

    def _truncate(self) -> None:
        """With nobody else about, so that it waits for no writer: only for the connector, which reads briefly."""
        for other in self.writers:
            while other.left:
                self._statement(other)
        referred = {reference.table for table in self.tables.values() for reference in table.references}
        leaves = [table for table in self.changing if table.name not in referred]
        writer = self.writers[0]
        writer.statements.clear()
        writer.connection.execute("SET lock_timeout = '30s'")
        if self._try(writer, f"TRUNCATE {self.random.choice(leaves).sql}", ()):
            self._done(writer)
        writer.connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")

    def _try(self, writer: Writer, statement: str, values: Sequence[str | None]) -> bool:
        """Statements that the database refuses (a key that exists, a row still referred to, a lock) belong to it."""
        try:
            writer.connection.execute(statement.encode(), values or None)
        except (psycopg.IntegrityError, psycopg.DataError, psycopg.OperationalError) as error:
            if writer.connection.closed or error.sqlstate is None:
                raise
            self.failed += 1
            return False
        writer.statements.append(_shown(statement, values))
        return True

    # what to do

    def _change(self, writer: Writer, table: Table) -> tuple[str, list[str | None]] | None:
        rows = self._rows(writer, table)
        kind = self.random.choice(_ALL if self.deletes else _MOVES)
        if not rows or (kind == "insert" and len(rows) < self._wanted(table) * 2):
            return self._insert(writer, table)
        if kind == "move" and table.references:
            return self._move(writer, table, [self.random.choice(rows)])
        if self.deletes and (kind == "delete" or len(rows) > self._wanted(table) * 2):
            return self._where(f"DELETE FROM {table.sql}", [], table, [self.random.choice(rows)])
        if kind == "many":
            some = self.random.sample(rows, min(len(rows), self.random.choice((2, 3, 5))))
            if self.deletes and self.random.random() < 0.2:
                return self._where(f"DELETE FROM {table.sql}", [], table, some)
            if table.references and self.random.random() < 0.4:
                return self._move(writer, table, some)
            return self._update(table, some)
        return self._update(table, [self.random.choice(rows)])

    def _insert(self, writer: Writer, table: Table) -> tuple[str, list[str | None]]:
        row: dict[str, str | None] = {}
        for column in free_columns(table):
            if self.world.keys or not column.generated:
                row[column.name] = value(self.world, table, column, self.random)
        for reference in table.references:
            row.update(self._target(writer, table, reference))
        types = {column.name: column.type for column in table.columns}
        names = ", ".join(quoted(name) for name in row)
        marks = ", ".join(f"%s::{types[name]}" for name in row)
        return f"INSERT INTO {table.sql} ({names}) VALUES ({marks})", list(row.values())

    def _update(self, table: Table, rows: Sequence[Row]) -> tuple[str, list[str | None]] | None:
        """One or two columns; a primary key now and then, and of one row only."""
        columns = [column for column in free_columns(table) if not column.in_key]
        keys = [column for column in free_columns(table) if column.in_key]
        if keys and self.world.keys and self.deletes and (not columns or self.random.random() < 0.12):
            columns, rows = keys, rows[:1]
        if not columns:
            return None
        chosen = self.random.sample(columns, min(len(columns), self.random.choice((1, 1, 2))))
        return self._set(table, {column: value(self.world, table, column, self.random) for column in chosen}, rows)

    def _move(self, writer: Writer, table: Table, rows: Sequence[Row]) -> tuple[str, list[str | None]]:
        reference = self.random.choice(table.references)
        target = self._target(writer, table, reference)
        return self._set(table, {_column(table, name): text for name, text in target.items()}, rows)

    def _set(self, table: Table, values: dict[Column, str | None], rows: Sequence[Row]) -> tuple[str, list[str | None]]:
        marks = ", ".join(f"{quoted(column.name)} = %s::{column.type}" for column in values)
        return self._where(f"UPDATE {table.sql} SET {marks}", list(values.values()), table, rows)

    def _where(
        self, statement: str, values: list[str | None], table: Table, rows: Sequence[Row]
    ) -> tuple[str, list[str | None]]:
        names = ", ".join(f"{quoted(name)}::text" for name in table.key)
        marks = ", ".join(f"({', '.join('%s' for _ in table.key)})" for _ in rows)
        return f"{statement} WHERE ({names}) IN ({marks})", [*values, *(text for row in rows for text in row)]

    def _target(self, writer: Writer, table: Table, reference: Reference) -> dict[str, str | None]:
        """A row that exists, now and then none; None everywhere when there is none to choose."""
        nullable = not any(_column(table, name).required for name in reference.columns)
        target = self.tables.get(reference.table)
        rows = self._rows(writer, target, reference.targets) if target else []
        if not rows or (nullable and self.random.random() < 0.06):
            return dict.fromkeys(reference.columns)
        return dict(zip(reference.columns, self.random.choice(rows), strict=True))

    def _rows(self, writer: Writer, table: Table, columns: Sequence[str] = ()) -> list[Row]:
        names = ", ".join(f"{quoted(name)}::text" for name in columns or table.key)
        query = f"SELECT {names} FROM {table.sql} ORDER BY {names}"
        return writer.connection.execute(query.encode()).fetchall()

    def _wanted(self, table: Table) -> int:
        return self.world.rows.get(table.name, self.world.usual)


def _column(table: Table, name: str) -> Column:
    return next(column for column in table.columns if column.name == name)


def quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def _shown(statement: str, values: Sequence[str | None]) -> str:
    return statement.replace("%s", "{}").format(*("NULL" if each is None else f"'{each}'" for each in values))
