"""The other direction of connector.source.stream: messages to bytes, for property tests. Written from the manual:
https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import pack
from typing import TypeAlias

from connector.model.changes import UNKNOWN, Value
from connector.source.stream.pgoutput import (
    Begin,
    Column,
    Commit,
    Message,
    Origin,
    PgMessage,
    Relation,
    Truncate,
    Type,
    decode,
)
from connector.source.stream.rows import read_change, relation_of

Row: TypeAlias = tuple[Value, ...]
"""All columns in the relation's order; UNKNOWN stands for a TOAST value that the UPDATE left alone."""


@dataclass(frozen=True, slots=True)
class Insert:
    relation: int
    new: Row


@dataclass(frozen=True, slots=True)
class Update:
    """`old_kind`: `K` for the replica identity's columns alone, `O` for the whole old row."""

    relation: int
    old_kind: str | None
    old: Row | None
    new: Row


@dataclass(frozen=True, slots=True)
class Delete:
    relation: int
    old_kind: str
    old: Row


RowChange: TypeAlias = Insert | Update | Delete
AnyMessage: TypeAlias = PgMessage | RowChange


def decode_any(frame: bytes) -> AnyMessage:
    """As the connector reads it, with all of its columns."""
    if frame[:1] not in (b"I", b"U", b"D"):
        return decode(frame)
    width = int.from_bytes(frame[6:8], "big")
    kind, old, new = read_change(frame, range(width), width)
    relation, old_kind = relation_of(frame), chr(kind) if kind else None
    if new is None:
        assert old_kind is not None
        assert old is not None
        return Delete(relation, old_kind, tuple(old))
    if frame[:1] == b"I":
        return Insert(relation, tuple(new))
    return Update(relation, old_kind, None if old is None else tuple(old), tuple(new))


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def row(values: Row) -> bytes:
    parts = [pack(">H", len(values))]
    for value in values:
        if value is None:
            parts.append(b"n")
        elif value is UNKNOWN:
            parts.append(b"u")
        else:
            raw = value.encode()
            parts.append(b"t" + pack(">I", len(raw)) + raw)
    return b"".join(parts)


def column(value: Column) -> bytes:
    return pack(">B", value.key) + text(value.name) + pack(">Ii", value.type_oid, value.modifier)


def encode(message: AnyMessage) -> bytes:
    match message:
        case Begin(final_lsn, commit_time, xid):
            return b"B" + pack(">QqI", final_lsn, commit_time, xid)
        case Commit(flags, commit_lsn, end_lsn, commit_time):
            return b"C" + pack(">BQQq", flags, commit_lsn, end_lsn, commit_time)
        case Origin(lsn, name):
            return b"O" + pack(">Q", lsn) + text(name)
        case Relation(oid, schema, name, identity, columns):
            head = b"R" + pack(">I", oid) + text(schema) + text(name) + identity.encode()
            return head + pack(">H", len(columns)) + b"".join(map(column, columns))
        case Type(oid, schema, name):
            return b"Y" + pack(">I", oid) + text(schema) + text(name)
        case Truncate(relations, cascade, restart):
            return b"T" + pack(f">IB{len(relations)}I", len(relations), cascade | restart << 1, *relations)
        case Message(transactional, lsn, prefix, content):
            return b"M" + pack(">BQ", transactional, lsn) + text(prefix) + pack(">I", len(content)) + content
        case _:
            return encode_change(message)


def encode_change(message: RowChange) -> bytes:
    match message:
        case Insert(relation, new):
            return b"I" + pack(">I", relation) + b"N" + row(new)
        case Update(relation, kind, old, new):
            before = kind.encode() + row(old) if kind is not None and old is not None else b""
            return b"U" + pack(">I", relation) + before + b"N" + row(new)
        case Delete(relation, kind, old):
            return b"D" + pack(">I", relation) + kind.encode() + row(old)
