"""From pgoutput messages to Transactions: only the tables and columns of an Interest, distinct images, bounded parts.

Pure: frames in, `changes` out, no I/O. One instance reads one connection's stream, because relation ids are valid for
as long. Doesn't know what an image is good for, or when a transaction is done with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from connector.model.changes import UNKNOWN, Changes, Image, Interest, Lsn, Operation, TableName, Transaction, Value
from connector.source.stream.pgoutput import Begin, Commit, Message, Relation, Truncate, decode
from connector.source.stream.rows import DELETE, INSERT, KEY, OLD, UPDATE, Text, read_change, relation_of
from connector.source.stream.wire import ProtocolError, unix_seconds

_OPERATIONS: Final = {INSERT: Operation.INSERT, UPDATE: Operation.UPDATE, DELETE: Operation.DELETE}
_BEGIN: Final = ord("B")
_COMMIT: Final = ord("C")
_TRUNCATE: Final = ord("T")


_FIRST_XID: Final = 3
"""Smaller ones are never a transaction's (FirstNormalTransactionId)."""
_TIMES: Final = range(-63_000_000_000_000_000, 252_000_000_000_000_000)
"""Commit times, in microseconds since 2000, that are within the years 4 to 9985: others are no clock's."""


@dataclass(frozen=True, slots=True)
class CatalogFacts:
    """What the catalog says of tables of interest, beyond their names. `oids`: whose rows are followed under other
    names, too, because a table may be renamed and be back before anyone looks. `partial`: partitioned tables whose old
    rows come as whole ones, though some partitions send their key alone."""

    oids: Mapping[int, TableName] = field(default_factory=dict)
    partial: frozenset[TableName] = frozenset()


NO_CATALOG_FACTS: Final = CatalogFacts()


class _Plan:
    """How to read one relation's rows: the slot of each column in the image, -1 for a column nobody wants. `old_kind`:
    how an old row is marked, by the replica identity. `partial`: a NULL in an old row may be a value not sent."""

    __slots__ = ("old_kind", "partial", "slots", "table", "width")

    def __init__(self, relation: Relation, table: TableName, wanted: tuple[str, ...], partial: bool) -> None:
        self.partial = partial
        place = {name: slot for slot, name in enumerate(wanted)}
        self.old_kind = OLD if relation.replica_identity == "f" else KEY
        self.table = table
        self.slots = tuple(place.get(column.name, -1) for column in relation.columns)
        self.width = len(wanted)


class _Tally:
    """What one transaction did so far to one relation with one operation. A dict, because it keeps the order."""

    __slots__ = ("images", "operation", "rows", "table")

    def __init__(self, table: TableName, operation: Operation) -> None:
        self.table = table
        self.operation = operation
        self.rows = 0
        self.images: dict[Image, None] = {}

    def changes(self) -> Changes:
        return Changes(self.table, self.operation, self.rows, tuple(self.images))


class Transactions:
    """Collects a transaction's changes and gives them out when it commits, or earlier when they are many.

    At most `max_images` (plus one row's two) images are held, so a transaction of any size takes bounded memory.
    """

    def __init__(
        self,
        interest: Interest,
        max_images: int = 2000,
        facts: CatalogFacts = NO_CATALOG_FACTS,
        text: Text = bytes.decode,
    ) -> None:
        """`text` reads the bytes of a value or a name."""
        self._text = text
        self._interest = interest
        self._facts = facts
        self._max_images = max_images
        self._plans: dict[int, _Plan | None] = {}
        self._begin: Begin | None = None
        self._tallies: dict[tuple[int, int], _Tally] = {}
        self._held = 0
        self._parted = False
        self._fresh = False
        self.end_lsn = Lsn(0)
        """Where the last commit that was read ended, whether or not it had anything of interest."""

    @property
    def inside(self) -> bool:
        """True between a Begin and its Commit."""
        return self._begin is not None

    @property
    def held(self) -> int:
        """How many images are held now."""
        return self._held

    def feed(self, frame: bytes) -> Transaction | None:
        """Take one pgoutput message; what it completed, if anything. Raises ProtocolError.

        A transaction without anything of interest completes nothing, but moves `end_lsn`.
        """
        fresh, self._fresh = self._fresh, False
        if not frame:
            # Servers before 14 send an empty message in place of an Origin that they can't find (any more).
            if not fresh:
                raise ProtocolError(0, 0, "it is empty")
            return None
        kind = frame[0]
        if kind in _OPERATIONS:
            return self._change(kind, frame)
        message = decode(frame, self._text)
        if isinstance(message, Begin):
            self._start(message)
        elif isinstance(message, Commit):
            return self._commit(message)
        elif not isinstance(message, Message):
            self._inside(kind)
            if isinstance(message, Relation):
                self._plans[message.oid] = self._plan(message)
            elif isinstance(message, Truncate):
                self._truncate(message)
        return None

    def _start(self, begin: Begin) -> None:
        if self._begin is not None:
            raise ProtocolError(_BEGIN, 0, "the transaction before it has not ended")
        if begin.final_lsn < self.end_lsn:
            raise ProtocolError(_BEGIN, 1, "it commits before the transaction before it")
        if begin.xid < _FIRST_XID or begin.commit_time not in _TIMES:
            raise ProtocolError(_BEGIN, 9, "its transaction id or its time can't be one")
        self._begin = begin
        self._parted = False
        self._fresh = True

    def _commit(self, commit: Commit) -> Transaction | None:
        begin = self._begin
        if begin is None or (begin.final_lsn, begin.commit_time) != (commit.commit_lsn, commit.commit_time):
            raise ProtocolError(_COMMIT, 0, "it ends a transaction that did not begin")
        if commit.end_lsn <= commit.commit_lsn:
            raise ProtocolError(_COMMIT, 10, "it ends before it begins")
        finished = self._part(begin, commit.end_lsn) if self._tallies or self._parted else None
        self._begin = None
        self.end_lsn = commit.end_lsn
        return finished

    def _inside(self, kind: int) -> Begin:
        if self._begin is None:
            raise ProtocolError(kind, 0, "it stands outside a transaction")
        return self._begin

    def _change(self, kind: int, frame: bytes) -> Transaction | None:
        begin = self._inside(kind)
        oid = relation_of(frame)
        plan = self._plan_of(oid, kind)
        if plan is None:
            return None
        old_kind, old, new = read_change(frame, plan.slots, plan.width, self._text)
        if old is not None:
            if old_kind != plan.old_kind:
                raise ProtocolError(kind, 5, "its old row isn't marked as its relation's replica identity demands")
            if old_kind == KEY or plan.partial:
                _forget_nulls(old)
            if new is not None:
                _fill(new, old)
        if old is not None and new is not None and UNKNOWN in old and _moved(old, new):
            # Nobody knows the row by its new identity: as if it were another row.
            self._count(oid, DELETE, plan, old)
            self._count(oid, INSERT, plan, new)
        else:
            self._count(oid, kind, plan, old, new)
        return self._part(begin, None) if self._held >= self._max_images else None

    def _count(self, oid: int, kind: int, plan: _Plan, *rows: list[Value] | None) -> None:
        tally = self._tallies.get((oid, kind))
        if tally is None:
            tally = self._tallies[oid, kind] = _Tally(plan.table, _OPERATIONS[kind])
        tally.rows += 1
        before = len(tally.images)
        for row in rows:
            if row is not None:
                tally.images[tuple(row)] = None
        self._held += len(tally.images) - before

    def _truncate(self, truncate: Truncate) -> None:
        for oid in truncate.relations:
            plan = self._plan_of(oid, _TRUNCATE)
            if plan is not None:
                tally = self._tallies.setdefault((oid, _TRUNCATE), _Tally(plan.table, Operation.TRUNCATE))
                tally.rows = 1

    def _part(self, begin: Begin, end_lsn: Lsn | None) -> Transaction:
        changes = tuple(tally.changes() for tally in self._tallies.values())
        self._tallies.clear()
        self._held = 0
        self._parted = True
        return Transaction(begin.xid, begin.final_lsn, end_lsn, unix_seconds(begin.commit_time), changes)

    def _plan(self, relation: Relation) -> _Plan | None:
        table = TableName(relation.schema, relation.name)
        if table not in self._interest:
            # A table of interest that was renamed, perhaps for a moment: its rows may be back before anyone looks.
            earlier = self._plans.get(relation.oid)
            named = earlier.table if earlier is not None else self._facts.oids.get(relation.oid)
            if named is None or named not in self._interest:
                return None
            table = named
        return _Plan(relation, table, self._interest[table], table in self._facts.partial)

    def _plan_of(self, oid: int, kind: int) -> _Plan | None:
        try:
            return self._plans[oid]
        except KeyError:
            raise ProtocolError(kind, 1, "its relation was never announced") from None


def _forget_nulls(key: list[Value]) -> None:
    """A `K` row carries the replica identity only and NULL elsewhere. Identity columns are never NULL themselves
    (primary keys and identity indexes demand it), so NULL is what the stream did not carry. This holds better than
    the relation's key flags: a partition may have another identity than the root whose flags are sent."""
    for slot, value in enumerate(key):
        if value is None:
            key[slot] = UNKNOWN


def _moved(old: list[Value], new: list[Value]) -> bool:
    """Whether the row's identity is another one than before, as far as it is wanted."""
    return any(before is not UNKNOWN and before != after for before, after in zip(old, new, strict=True))


def _fill(new: list[Value], old: list[Value]) -> None:
    """A TOAST value that the UPDATE left alone is sent as unchanged: the old row may know it."""
    for slot, value in enumerate(new):
        if value is UNKNOWN:
            new[slot] = old[slot]
