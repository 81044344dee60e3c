"""What a database error means to the connector, without the server's words, which may quote row values.

Each SQLSTATE is one of four: the database can't answer now (the same again later), a limit of the server's (fewer
orders at once may pass), the mapping no longer fits the database (nothing passes), or the data of some order.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import re

import psycopg
from psycopg import errors

from connector.model.errors import (
    ConnectorError,
    LimitExceeded,
    MappingBroken,
    OrderUnreadable,
    ReadingVoid,
    SourceUnavailable,
)

_UNAVAILABLE = ("08", "28", "3D", "40", "53", "55", "57", "58", "72", "F0", "HV")
_BROKEN = ("0A", "2B", "3F", "42")
_READ_ONLY = "25006"
_LIMITS = {"53200": "needs more memory than the server has", "53400": "exceeds a limit of the server's settings"}
"""temp_file_limit is the latter."""
_SHOWN_KEYS = 5


def translated(error: psycopg.Error, doing: str, timed_out: float | None = None) -> ConnectorError:
    """The connector's error. `doing` says what was run and for which keys. `timed_out`: the seconds of
    statement_timeout, when it ran for as long."""
    state = error.sqlstate
    if state is None:
        return SourceUnavailable(f"the connection to the database broke while {doing}")
    cause = f"{condition(state)} (SQLSTATE {state})"
    said = f"{cause} while {doing}"
    if state == "57014":
        return _cancelled(doing, timed_out)
    if state in _LIMITS:
        return LimitExceeded(f"{said}: it {_LIMITS[state]}", f"{_LIMITS[state]}: {cause}", "see the server's log")
    if state == "55P03":
        return SourceUnavailable(
            f"a table is locked by another session (DDL, VACUUM FULL, LOCK TABLE) while {doing}: will be tried again"
        )
    if state.startswith(_UNAVAILABLE) or (state.startswith("25") and state != _READ_ONLY):
        return SourceUnavailable(said)
    if would_filter(error):
        table = re.search(r"\W(\w+)\W*$", error.diag.message_primary or "")
        on = f" of {table[1]}" if table is not None else ""
        return ReadingVoid(f"row-level security{on} would hide rows from the role that orders are read as")
    if state.startswith(_BROKEN) or state == _READ_ONLY:
        return MappingBroken(f"{said}: the mapping no longer fits the database; run `redo-connector check`")
    return OrderUnreadable(said, state, cause)


def _cancelled(doing: str, timed_out: float | None) -> ConnectorError:
    """The server's message alone tells a time limit from pg_cancel_backend, and it may be in any language."""
    if timed_out is None:
        return SourceUnavailable(f"the query was cancelled (SQLSTATE 57014) while {doing}: will be tried again")
    limit = f"takes longer than source.statement_timeout ({timed_out:g} s)"
    hint = "raise it or add an index (`redo-connector check` names the tables read whole)"
    return LimitExceeded(f"statement timeout while {doing}, which {limit}: {hint}", limit, hint)


def would_filter(error: psycopg.Error) -> bool:
    """A policy of row security applies, and the session rather fails than reads without the rows that it hides. The
    code is that of a denied privilege; the server's source, unlike its words, isn't translated."""
    return error.sqlstate == "42501" and error.diag.source_function == "check_enable_rls"


def condition(sqlstate: str) -> str:
    """The error's name in words, from its code alone."""
    try:
        name = errors.lookup(sqlstate).__name__
    except KeyError:
        return "an error"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def shown(keys: list[str]) -> str:
    """Order keys for a message, the first few."""
    more = len(keys) - _SHOWN_KEYS
    return ", ".join(keys[:_SHOWN_KEYS]) + (f" and {more} more" if more > 0 else "")
