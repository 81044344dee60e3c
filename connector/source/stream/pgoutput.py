"""The pgoutput messages of Postgres's logical replication stream, protocol version 1, except changes of rows, which
`rows` reads: bytes in, frozen data out. No I/O.

https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from connector.model.changes import Lsn
from connector.source.stream.rows import Text
from connector.source.stream.wire import I32, I64, U8, U16, U32, Cursor, ProtocolError


@dataclass(frozen=True, slots=True)
class Begin:
    final_lsn: Lsn
    """Where the commit record starts: the same as the Commit message's `commit_lsn`."""
    commit_time: int
    """Microseconds since 2000-01-01, as on the wire; see `unix_seconds`."""
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    flags: int
    commit_lsn: Lsn
    end_lsn: Lsn
    commit_time: int


@dataclass(frozen=True, slots=True)
class Origin:
    lsn: Lsn
    name: str


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type_oid: int
    modifier: int
    key: bool


@dataclass(frozen=True, slots=True)
class Relation:
    oid: int
    schema: str
    """Empty for pg_catalog."""
    name: str
    replica_identity: str
    """As in pg_class.relreplident: `d`, `n`, `f` or `i`."""
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Type:
    oid: int
    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class Truncate:
    relations: tuple[int, ...]
    cascade: bool
    restart_identity: bool


@dataclass(frozen=True, slots=True)
class Message:
    """What `pg_logical_emit_message` wrote. Sent only when asked for (option `messages`, Postgres 14)."""

    transactional: bool
    lsn: Lsn
    prefix: str
    content: bytes


PgMessage: TypeAlias = Begin | Commit | Origin | Relation | Type | Truncate | Message


def decode(frame: bytes, text: Text = bytes.decode) -> PgMessage:
    """`text` reads the bytes of names. Raises ProtocolError, also for a type that protocol version 1 doesn't have."""
    cursor = Cursor(frame, text)
    decoder = _DECODERS.get(cursor.kind)
    if decoder is None:
        raise ProtocolError(cursor.kind, 0, "its type is unknown")
    message = decoder(cursor)
    cursor.end()
    return message


def _begin(cursor: Cursor) -> Begin:
    return Begin(cursor.lsn(), cursor.number(I64), cursor.number(U32))


def _commit(cursor: Cursor) -> Commit:
    return Commit(cursor.flags(0), cursor.lsn(), cursor.lsn(), cursor.number(I64))


def _origin(cursor: Cursor) -> Origin:
    return Origin(cursor.lsn(), cursor.text())


def _relation(cursor: Cursor) -> Relation:
    oid, schema, name, identity = cursor.number(U32), cursor.text(), cursor.text(), chr(cursor.number(U8))
    if identity not in "dnfi":
        cursor.at -= 1
        raise cursor.fail("its replica identity is unknown")
    columns = tuple(_column(cursor) for _ in range(cursor.number(U16)))
    if len({column.name for column in columns}) != len(columns):
        raise cursor.fail("two of its columns have one name")
    return Relation(oid, schema, name, identity, columns)


def _column(cursor: Cursor) -> Column:
    key = cursor.flag()
    return Column(cursor.text(), cursor.number(U32), cursor.number(I32), key)


def _type(cursor: Cursor) -> Type:
    return Type(cursor.number(U32), cursor.text(), cursor.text())


def _truncate(cursor: Cursor) -> Truncate:
    count, flags = cursor.number(U32), cursor.flags(3)
    if count * 4 != len(cursor.frame) - cursor.at:
        raise cursor.fail("it does not list as many relations as it says")
    return Truncate(tuple(cursor.number(U32) for _ in range(count)), bool(flags & 1), bool(flags & 2))


def _message(cursor: Cursor) -> Message:
    transactional, lsn, prefix = cursor.flag(), cursor.lsn(), cursor.text()
    return Message(transactional, lsn, prefix, cursor.take(cursor.number(U32)))


_DECODERS: Final[dict[int, Callable[[Cursor], PgMessage]]] = {
    ord("B"): _begin,
    ord("C"): _commit,
    ord("O"): _origin,
    ord("R"): _relation,
    ord("Y"): _type,
    ord("T"): _truncate,
    ord("M"): _message,
}
