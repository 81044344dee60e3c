"""Connection strings, with our defaults where they are silent, and described without their secrets.

The one place that reads one. No message made here quotes any of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from connector.model.errors import ConfigurationError, Problem

SILENCE: Final = 60.0
"""Seconds within which a peer that vanished without a word is noticed, unless said otherwise."""

_UNREADABLE: Final = Problem(
    "the connection string can't be read",
    "write postgresql://user@host:5432/database, with @ : / % in names and password percent-encoded, "
    "or host=... dbname=... user=...",
    "source.dsn",
)


def conninfo(
    dsn: str,
    silence: float = SILENCE,
    *,
    defaults: Mapping[str, str] | None = None,
    unreadable: Problem = _UNREADABLE,
    **override: str,
) -> str:
    """The DSN with our defaults (and `defaults`) where it is silent, so that a peer that vanished is noticed in less
    than `silence` seconds. Raises ConfigurationError with `unreadable`."""
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise ConfigurationError([unreadable]) from None
    # libpq would quote a password whose special characters split the URI in the wrong place.
    ports = str(given.get("port") or "").replace(",", "")
    if (ports and not ports.isdigit()) or "@" in str(given.get("host") or ""):
        raise ConfigurationError([unreadable])
    own = {name: str(value) for name, value in given.items() if value is not None}
    return make_conninfo(**{**_defaults(silence), **(defaults or {}), **own, "client_encoding": "UTF8", **override})


def connect_timeout(silence: float) -> int:
    """Seconds that opening a connection may take, unless the DSN says otherwise; libpq takes whole ones, from 2 on."""
    return min(10, max(2, round(silence / 6)))


def _defaults(silence: float) -> dict[str, str]:
    """Kernel and libpq look for a vanished peer in about two thirds of the time; what they can't see, we see."""
    sixth = str(max(1, round(silence / 6)))
    return {
        "application_name": "redo-connector",
        "connect_timeout": str(connect_timeout(silence)),
        "keepalives_idle": sixth,
        "keepalives_interval": sixth,
        "keepalives_count": "3",
        "tcp_user_timeout": str(round(500 * silence)),
    }


def describe(dsn: str) -> str:
    """Host, port and database, fit for messages."""
    parts = conninfo_to_dict(conninfo(dsn))
    host = parts.get("host") or parts.get("hostaddr") or "local socket"
    return f"{host}:{parts.get('port') or 5432}/{parts.get('dbname') or parts.get('user') or ''}"


def without_password(dsn: str) -> str:
    """The same without what must not be written down: as it is where nothing of it must not, else as `key=value` words.
    Raises ConfigurationError."""
    conninfo(dsn)
    if not {*_SECRETS} & conninfo_to_dict(dsn).keys():
        return dsn
    kept = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if name not in _SECRETS}
    return make_conninfo(**kept)


_SECRETS: Final = ("password", "sslpassword")
_OF_LIBPQ: Final = {
    "PGHOST": "host",
    "PGPORT": "port",
    "PGDATABASE": "dbname",
    "PGUSER": "user",
    "PGSERVICE": "service",
}


def of_libpq(environment: Mapping[str, str]) -> str | None:
    """What libpq's own variables say where the database is; None where they don't."""
    given = {key: environment[name] for name, key in _OF_LIBPQ.items() if environment.get(name)}
    return make_conninfo(**given) if {"host", "dbname", "service"} & set(given) else None


def user_of(dsn: str) -> str:
    """Who logs in, for the SQL that a DBA is to run."""
    return str(conninfo_to_dict(dsn).get("user") or "...")
