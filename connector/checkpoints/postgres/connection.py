"""Opening connections to the checkpoint database, and saying in plain words what is wrong with it.

The one place that reads its URL. No message made here holds a password, the URL or a row. It must not know any table.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.types.string import StrDumper

from connector.checkpoints.address import SETTING, Address
from connector.model.errors import CheckpointsUnwritable, ConfigurationError, Problem, SourceUnavailable
from connector.postgres import dsn, pooler
from connector.postgres.bounded import NoAnswer
from connector.postgres.errors import explain
from connector.postgres.session import settings_statement

RV = TypeVar("RV")

STATEMENT: Final = 30.0
"""Seconds that the server may work on one statement."""
ANSWER: Final = STATEMENT + 10.0
"""Seconds within which each answer must come, else the server counts as gone."""

# The server looks for us as we look for it: the session of a connector whose machine is gone must let go of its lock.
# Every query here walks along an index. The planner can't know: a plan that was made while a table was empty would read
# all of it for each batch of a backfill, until somebody analyses it.
_SESSION: Final = {
    "statement_timeout": f"{STATEMENT:.0f}s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30s",
    "client_min_messages": "warning",
    "synchronous_commit": "on",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}

_OLDER: Final = "an older version made it: start `redo-connector run` of this version, which upgrades it"
_HINTS: Final = {
    "53100": "the disk there is full: free space, a running connector goes on by itself",
    "25006": "it takes no writes (a standby or read-only): name the primary, a running connector goes on by itself",
    "57014": "it took too long: look for what else runs there, a running connector goes on by itself",
    "55P03": "another session keeps a table locked: end it, a running connector goes on by itself",
    "53300": "it has no connection left: raise max_connections, or end other sessions there",
    "3D000": "create that database, or name another one",
    "42501": "grant the connector's role what docs/security.md lists for the checkpoint database",
    "42703": _OLDER,
    "42P01": _OLDER,
    "28P01": "check the user and password",
    "28000": "check the user, pg_hba.conf and TLS settings",
}
_UNREADABLE: Final = Problem(
    "the URL can't be read",
    "write postgresql://user@host:5432/database, with @ : / % in names and password percent-encoded",
    SETTING,
)
_READ_ONLY: Final = "session is read-only"
_AWAY: Final = "check that it runs and can be reached; a running connector goes on by itself once it does"


class StoreConnection(psycopg.Connection[Any]):
    """Gives up by itself on a server that says nothing for `patience` seconds: no time limit of the server's own ends
    that, nor does the kernel notice a server that is stopped."""

    patience: float = ANSWER

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        began = time.monotonic()
        try:
            return super().wait(gen, interval, self.patience)
        except psycopg.OperationalError:
            if self.closed or time.monotonic() - began < self.patience:
                raise
            self.pgconn.finish()
            raise NoAnswer(f"no answer for {self.patience:.3g} s") from None


class _Text(StrDumper):
    """Postgres has no NUL in text; an error's words of somebody else's may."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\ufffd"))


def conninfo(address: Address, *, read_only: bool) -> str:
    """The URL with our defaults where it is silent. Raises ConfigurationError, without quoting any of it."""
    # Of several hosts the one that takes writes, whichever that is by now.
    wanted = {} if read_only else {"target_session_attrs": "read-write"}
    return dsn.conninfo(address.url, defaults=wanted, unreadable=_UNREADABLE)


def describe(address: Address) -> str:
    """Host, port, database and schema, fit for messages. Raises as `conninfo` does."""
    return f"{dsn.describe(conninfo(address, read_only=True))}, schema {address.schema}"


def connect(address: Address, *, read_only: bool) -> StoreConnection:
    """An autocommit connection, with the schema as its search path, whether or not there is one.

    Raises ConfigurationError for a URL, a pooler or a database that won't do, and CheckpointsUnwritable.
    """
    info = conninfo(address, read_only=read_only)
    try:
        connection = StoreConnection.connect(info, autocommit=True)
    except psycopg.Error as error:
        raise unwritable(address, error) from None
    with closed_on_failure(address, connection):
        _refuse_lent(address, connection, info)
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            what, hint = f"the database {describe(address)} is in {encoding}", "name a database whose encoding is UTF8"
            raise ConfigurationError([Problem(what, hint, SETTING)])
        _set_up(address, connection, read_only)
    connection.adapters.register_dumper(str, _Text)
    return connection


@contextmanager
def closed_on_failure(address: Address, connection: StoreConnection) -> Iterator[None]:
    """Raises CheckpointsUnwritable for psycopg.Error, and else what was raised inside."""
    try:
        yield
    except BaseException as error:  # whatever it was, a connection would be left open, and may hold the lock
        connection.close()
        if isinstance(error, psycopg.Error):
            raise unwritable(address, error) from None
        raise


def _set_up(address: Address, connection: StoreConnection, read_only: bool) -> None:
    quoted = '"' + address.schema.replace('"', '""') + '"'
    # First, and by a statement that looks nothing up. pg_catalog comes before what is listed; tables are made in what
    # is listed first.
    connection.execute(f"SET search_path TO {quoted}, pg_temp".encode())
    settings = {**_SESSION, "default_transaction_read_only": "on" if read_only else "off"}
    connection.execute(settings_statement(settings))


def _refuse_lent(address: Address, connection: StoreConnection, info: str) -> None:
    """A pooler in transaction mode keeps neither a session's lock nor its settings. Nothing was set so far."""
    row = connection.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
    if row is not None and row[0] == connection.info.backend_pid:
        return

    async def look() -> None:
        async def another() -> psycopg.AsyncConnection[Any]:
            return await psycopg.AsyncConnection.connect(info, autocommit=True)

        async with await another() as first:
            await pooler.refuse_lent(first, another)

    try:
        asyncio.run(look())
    except SourceUnavailable as error:
        hint = "give the address of Postgres itself, or of a pooler in session mode (docs/hosting.md)"
        raise ConfigurationError([Problem(str(error), hint, SETTING)]) from None


def unwritable(address: Address, error: psycopg.Error) -> CheckpointsUnwritable:
    """The same error for people: where, what happened, what to do."""
    words = explain(error)
    state = "25006" if _READ_ONLY in words else error.sqlstate or ""
    away = not state or state.startswith(("08", "57P"))
    hint = _HINTS.get(state, _AWAY if away else "see the message above")
    return CheckpointsUnwritable(f"checkpoint database {describe(address)}: {words}; {hint}")
