"""The other direction of connector.source.pgoutput: messages to bytes, for property tests. Written from the manual:
https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
"""

from __future__ import annotations

from struct import pack

from connector.model.changes import UNKNOWN
from connector.source.stream.pgoutput import (
    Begin,
    Column,
    Commit,
    Delete,
    Insert,
    Message,
    Origin,
    PgMessage,
    Relation,
    Row,
    Truncate,
    Type,
    Update,
)


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


def encode(message: PgMessage) -> bytes:
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


def encode_change(message: Insert | Update | Delete) -> bytes:
    match message:
        case Insert(relation, new):
            return b"I" + pack(">I", relation) + b"N" + row(new)
        case Update(relation, kind, old, new):
            before = kind.encode() + row(old) if kind is not None and old is not None else b""
            return b"U" + pack(">I", relation) + before + b"N" + row(new)
        case Delete(relation, kind, old):
            return b"D" + pack(">I", relation) + kind.encode() + row(old)
