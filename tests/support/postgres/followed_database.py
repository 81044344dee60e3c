"""What tests of the stream share: a followed database, and waiting for a state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from connector.source.stream.postgres_source import PostgresSource
from connector.source.stream.session import StreamSettings


@dataclass(frozen=True, slots=True)
class Followed:
    """A database whose tables are published to a slot, both named after it."""

    dsn: str
    name: str

    def execute(self, *statements: str) -> None:
        """One commit a statement."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            for statement in statements:
                conn.execute(statement.encode())

    def ask(self, query: str) -> Any:
        """The first column of the first row."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            row = conn.execute(query.encode()).fetchone()
        return None if row is None else row[0]

    def slot(self, column: str) -> Any:
        return self.ask(f"SELECT {column} FROM pg_replication_slots WHERE slot_name = '{self.name}'")

    def source(self, **settings: Any) -> PostgresSource:
        return PostgresSource(self.dsn, self.name, self.name, StreamSettings(**settings))


def follow(dsn: str, name: str, ddl: str, tables: str) -> Followed:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(ddl.encode())
        conn.execute(
            sql.SQL("CREATE PUBLICATION {} FOR TABLE ").format(sql.Identifier(name)).as_string().encode()
            + tables.encode()
        )
        conn.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))
    return Followed(dsn, name)


async def eventually(condition: Callable[[], bool | Awaitable[bool]], within: float = 30.0) -> None:
    """Wait until it is so. Checks take half of the time at most."""
    deadline = time.monotonic() + within
    while True:
        began = time.monotonic()
        met = condition()
        if isinstance(met, Awaitable):
            met = await met
        if met:
            return
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(max(0.02, time.monotonic() - began))
