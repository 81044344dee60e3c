"""Errors of a connection in plain words, and what to do about them.

Why a server let nobody in is told by its English words: of a connection that never came to be, libpq gives no SQLSTATE.
Words in another language (`lc_messages`) are passed on without a remedy. No message made here holds a password, a DSN
or a row.
"""

from __future__ import annotations

import os
import re
from typing import Final

import psycopg
from psycopg import sql

from connector.model.errors import SourceUnavailable, scarcity
from connector.postgres import pooler
from connector.postgres.dsn import describe, user_of
from connector.postgres.quoting import quoted

CONNECTIONS_NEEDED: Final = 4
"""Ordinary connections that a running connector has at most, reading included: see docs/hosting.md."""

_LOGIN: Final = re.compile(r'role "(.+)" is not permitted to log in')
_ROLE_FULL: Final = re.compile(r'too many connections for role "(.+)"')
_DATABASE_FULL: Final = re.compile(r'too many connections for database "(.+)"')
_SERVER_FULL: Final = re.compile(r"remaining connection slots are reserved|too many clients already")
_CONNECT: Final = re.compile(r'permission denied for database "(.+)"')
_CLOSED: Final = re.compile(r'database "(.+)" is not currently accepting connections')
_UNKNOWN: Final = re.compile(r'role "(.+)" does not exist')
_PASSWORD: Final = re.compile(r'password authentication failed for user "(.+)"')
_NO_PASSWORD: Final = re.compile(r"no password supplied")
_NEXT: Final = {
    r"no pg_hba\.conf entry for": "let a DBA add our address, user and database to pg_hba.conf, and reload",
    r'database ".+" does not exist': "check the database's name; `psql -l` lists those of the server",
    r"Connection refused": "check host and port, that the server runs, and that it listens there (listen_addresses)",
    r"failed to resolve host|could not translate host name": "check the host's name, and DNS",
    r"timeout expired": "check host, port and firewalls: nobody answered",
    r'on socket ".+" failed': "a DSN without a host means this machine's socket: name the host",
    r"server does not support SSL": (
        "the server takes no TLS: let a DBA set ssl = on; on this machine or a network that you trust leave sslmode out"
    ),
    r"root certificate file|certificate verify failed": (
        "name the authority that signed the server's certificate: sslrootcert=FILE, or, for a public one, "
        "sslrootcert=system"
    ),
    r"invalid (?:sslmode|port)|definition of service": "mend it in the connection string",
}
"""What to do next, by the server's or libpq's words."""
# What PgBouncer before 1.23 and RDS Proxy answer to a replication connection.
_NO_STREAMS: Final = re.compile(
    r"unsupported startup parameter: replication|doesn't support streaming replication mode"
)


def explain(error: psycopg.Error) -> str:
    """One line for people: the server's main sentence and SQLSTATE. No DETAIL and no context: they may quote rows."""
    if error.diag.message_primary:
        return f"{error.diag.message_primary} (SQLSTATE {error.sqlstate})"
    return " ".join(str(error).split()) or type(error).__name__


def unavailable(dsn: str, error: psycopg.Error) -> SourceUnavailable:
    why, hint = explain(error), ""
    if error.sqlstate is None and (ours := _no_descriptor()) is not None:
        why, hint = f"{ours.strerror}, in this process", scarcity(ours) or ""
    return SourceUnavailable(f"the database {describe(dsn)} is not available: {why}", hint or remedy(why, user_of(dsn)))


def _no_descriptor() -> OSError | None:
    """Why this process could open no socket just now: libpq's words don't tell."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error
    return None


def connections_exhausted(words: str) -> bool:
    """The server has no connection left for us, so that one of those we have must do."""
    return any(each.search(words) for each in (_ROLE_FULL, _DATABASE_FULL, _SERVER_FULL))


def remedy(words: str, role: str) -> str:
    """The next step, with the SQL for a DBA; empty where the words say nothing that we know. `role`: who logs in."""
    if _NO_STREAMS.search(words):
        return f"a connection pooler stands before it: {pooler.HINT}"
    if found := _LOGIN.search(words):
        return f"the role may not log in; let a DBA run: {_alter('ROLE', found[1], 'LOGIN')}"
    if found := _ROLE_FULL.search(words):
        return f"all connections that the role may have are in use: {_room('ROLE', found[1], 'usename')}"
    if found := _DATABASE_FULL.search(words):
        return f"all connections that the database allows are in use: {_room('DATABASE', found[1], 'datname')}"
    if _SERVER_FULL.search(words):
        return f"end sessions that nobody needs, or raise max_connections (needs a restart); {_need()}"
    if found := _CONNECT.search(words):
        return f"let a DBA run: GRANT CONNECT ON DATABASE {quoted(found[1])} TO {quoted(role)};"
    if found := _CLOSED.search(words):
        return f"let a DBA run: {_alter('DATABASE', found[1], 'ALLOW_CONNECTIONS true')}"
    if found := _UNKNOWN.search(words):
        return f"check the user name; `redo-connector grants` prints how {found[1]} is made"
    if _PASSWORD.search(words):
        return "check the password, and that it hasn't expired (pg_roles.rolvaliduntil)"
    if _NO_PASSWORD.search(words):
        return (
            "it wants a password, and none was given: set PGPASSWORD, or put it into ~/.pgpass (or where PGPASSFILE "
            "says), or the whole connection string with it into a file that CONNECTOR_SOURCE__DSN_FILE names"
        )
    return next((hint for said, hint in _NEXT.items() if re.search(said, words)), "")


def _room(what: str, name: str, column: str) -> str:
    who = sql.SQL("SELECT pid, application_name, state FROM pg_stat_activity WHERE {} = {};")
    seen = who.format(sql.Identifier(column), sql.Literal(name)).as_string()
    alter = _alter(what, name, "CONNECTION LIMIT n")
    return f"end some ({seen}), or let a DBA run, n being how many may be: {alter} {_need()}"


def _need() -> str:
    return f"the connector needs {CONNECTIONS_NEEDED} at most, besides its stream"


def _alter(what: str, name: str, how: str) -> str:
    return f"ALTER {what} {quoted(name)} {how};"
