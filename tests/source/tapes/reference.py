"""A second reading of a stream, written from the manual alone, slow and strict: what its bytes say, and what each is.

https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html, ...protocol-replication.html
Shares no code with connector.source. The decoder may never say anything else than this does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from connector.model.changes import (
    UNKNOWN,
    Changes,
    Image,
    Interest,
    Lsn,
    Operation,
    TableName,
    Transaction,
    Value,
)

FIXED: Final = "fixed"
"""A byte that is checked against others: no other value may pass."""
PART: Final = "part"
"""A letter that says which row follows: checked as well."""
MARK: Final = "mark"
"""The kind of a message or of a column: another one may pass where its layout is the same."""
RELATION: Final = "relation"
"""A table's number in a change: another one may pass where it is known and as wide."""
FREE: Final = "free"
"""Content: values, names, types, what is said once. No decoder can know it better."""

OPERATIONS: Final = {"I": Operation.INSERT, "U": Operation.UPDATE, "D": Operation.DELETE}
_EPOCH: Final = 946_684_800


class Refused(Exception):
    """The stream isn't one."""


class Bytes:
    """One frame, front to back, noting what each byte is."""

    def __init__(self, frame: bytes) -> None:
        self.left = frame
        self.roles: list[str] = []

    def take(self, size: int, role: str) -> bytes:
        demand(len(self.left) >= size)
        taken, self.left = self.left[:size], self.left[size:]
        self.roles += [role] * size
        return taken

    def number(self, size: int, role: str, signed: bool = False) -> int:
        return int.from_bytes(self.take(size, role), "big", signed=signed)

    def lsn(self, role: str) -> int:
        value = self.number(8, role)
        demand(value < 2**63)
        return value

    def letter(self, allowed: str, role: str = PART) -> str:
        letter = chr(self.number(1, role))
        demand(letter in allowed)
        return letter

    def name(self) -> str:
        end = self.left.find(b"\0")
        demand(end >= 0)
        name = text(self.take(end, FREE))
        self.take(1, FIXED)
        return name


@dataclass
class Table:
    name: TableName | None
    """None: nobody is interested."""
    whole: bool
    columns: list[str]


@dataclass
class Open:
    """A transaction that has begun."""

    final_lsn: int
    time: int
    xid: int
    changes: dict[tuple[int, Operation], tuple[TableName, list[Image], int]] = field(default_factory=dict)


def demand(it: bool) -> None:
    if not it:
        raise Refused


def text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Refused from None


class Stream:
    """Feed it frames in order. Raises Refused."""

    def __init__(self, interest: Interest) -> None:
        self.interest = interest
        self.tables: dict[int, Table] = {}
        self.open: Open | None = None
        self.began = False
        self.end = 0
        self.transactions: list[Transaction] = []

    def frame(self, frame: bytes) -> list[str]:
        """What each byte of it is."""
        at = Bytes(frame)
        if at.letter("wk") == "k":
            at.lsn(FREE)
            at.number(8, FREE)
            demand(at.number(1, FREE) <= 1)
        else:
            ends = frame[25:26] == b"C"
            start = at.lsn(FIXED if ends else FREE)
            at.lsn(FREE)
            at.number(8, FREE)
            began, self.began = self.began, False
            if at.left:
                self.message(at, start)
            else:
                demand(began)
        demand(not at.left)
        return at.roles

    def message(self, at: Bytes, start: int) -> None:
        kind = at.letter("BCORYIUDTM", MARK)
        if kind == "B":
            demand(self.open is None)
            begun = Open(at.lsn(FIXED), at.number(8, FIXED, signed=True), at.number(4, FREE))
            demand(begun.final_lsn >= self.end and begun.xid >= 3 and 0 < 2000 + begun.time // 31556952000000 < 9990)
            self.open, self.began = begun, True
            return
        if kind == "M":
            demand(at.number(1, FREE) <= 1)
            at.lsn(FREE)
            at.name()
            at.take(at.number(4, FIXED), FREE)
            return
        if self.open is None:
            raise Refused
        if kind == "C":
            self.commit(at, start, self.open)
        elif kind == "O":
            at.lsn(FREE)
            at.name()
        elif kind == "R":
            self.relation(at)
        elif kind == "Y":
            at.number(4, FREE)
            at.name()
            at.name()
        elif kind == "T":
            self.truncate(at, self.open)
        else:
            self.change(at, kind, self.open)

    def commit(self, at: Bytes, start: int, begun: Open) -> None:
        demand(at.number(1, FIXED) == 0)
        commit, end, time = at.lsn(FIXED), at.lsn(FIXED), at.number(8, FIXED, signed=True)
        demand((commit, time) == (begun.final_lsn, begun.time) and commit < end == start)
        self.open, self.end = None, end
        changes = [
            Changes(table, operation, rows, tuple(dict.fromkeys(images)))
            for (_, operation), (table, images, rows) in begun.changes.items()
        ]
        if changes:
            moment = _EPOCH + time / 1_000_000
            self.transactions.append(Transaction(begun.xid, Lsn(commit), Lsn(end), moment, tuple(changes)))

    def relation(self, at: Bytes) -> None:
        oid = at.number(4, FREE)
        name: TableName | None = TableName(at.name(), at.name())
        whole = at.letter("dnfi", FREE) == "f"
        columns = []
        for _ in range(at.number(2, FIXED)):
            demand(at.number(1, FREE) <= 1)
            columns.append(at.name())
            at.number(4, FREE)
            at.number(4, FREE)
        demand(len(set(columns)) == len(columns))
        if name not in self.interest:
            earlier = self.tables.get(oid)
            name = earlier.name if earlier is not None else None
        self.tables[oid] = Table(name, whole, columns)

    def known(self, at: Bytes) -> tuple[int, Table]:
        oid = at.number(4, RELATION)
        demand(oid in self.tables)
        return oid, self.tables[oid]

    def truncate(self, at: Bytes, begun: Open) -> None:
        count = at.number(4, FIXED)
        demand(at.number(1, FREE) <= 3 and len(at.left) == 4 * count)
        for _ in range(count):
            oid, table = self.known(at)
            if table.name is not None:
                begun.changes[oid, Operation.TRUNCATE] = (table.name, [], 1)

    def change(self, at: Bytes, kind: str, begun: Open) -> None:
        oid, table = self.known(at)
        if table.name is None:
            # Nobody looks at it, whatever it is.
            at.take(len(at.left), FREE)
            at.roles[25] = FREE
            return
        part = at.letter({"I": "N", "U": "KON", "D": "KO"}[kind])
        old = new = None
        if part != "N":
            demand((part == "O") == table.whole)
            old = self.row(at, table)
            if part == "K":
                old = {name: UNKNOWN if value is None else value for name, value in old.items()}
            if kind == "U":
                at.letter("N")
        if kind != "D":
            new = self.row(at, table)
            if old is not None:
                new = {name: old[name] if value is UNKNOWN else value for name, value in new.items()}
        wanted = self.interest[table.name]
        more = [tuple(row.get(name, UNKNOWN) for name in wanted) for row in (old, new) if row is not None]
        read = {kind: more}
        if len(more) == 2 and UNKNOWN in more[0] and any(a not in (UNKNOWN, b) for a, b in zip(*more, strict=True)):
            # Another identity than before.
            read = {"D": more[:1], "I": more[1:]}
        for kept, those in read.items():
            _, images, rows = begun.changes.get((oid, OPERATIONS[kept]), (table.name, [], 0))
            begun.changes[oid, OPERATIONS[kept]] = (table.name, images + those, rows + 1)

    def row(self, at: Bytes, table: Table) -> dict[str, Value]:
        demand(at.number(2, FIXED) == len(table.columns))
        row: dict[str, Value] = {}
        for name in table.columns:
            mark = at.letter("tnu", MARK)
            row[name] = None if mark == "n" else UNKNOWN
            if mark == "t":
                raw = at.take(at.number(4, FIXED), FREE)
                # Columns that nobody wants are passed over unread.
                row[name] = text(raw) if table.name and name in self.interest[table.name] else ""
        return row


def read(frames: Sequence[bytes], interest: Interest) -> list[Transaction]:
    """The transactions of a whole stream. Raises Refused."""
    stream = Stream(interest)
    for frame in frames:
        stream.frame(frame)
    return stream.transactions
