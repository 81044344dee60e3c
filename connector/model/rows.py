"""What the mapping says of orders: rows, as the database sent them. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b

from connector.model.changes import Snapshot
from connector.model.errors import OrderUnreadable
from connector.model.off_loop import pausing
from connector.model.orders import Document, Members, OrderKey

_UNREADABLE = "it holds a whole number of more than 4,300 digits, or is nested too deeply to be read"


@dataclass(frozen=True, slots=True)
class Row:
    """`text`: the row as JSON; it is parsed only when asked, because most rows are known by their digest."""

    key: OrderKey
    text: str = field(repr=False)

    def document(self) -> Document:
        """Numbers stay exact. Takes about a millisecond for 64 KB. Raises OrderUnreadable."""
        try:
            found: Document = json.loads(self.text, parse_float=Decimal, object_hook=pausing(len(self.text)))
        except (ValueError, RecursionError):
            raise OrderUnreadable(f"{_UNREADABLE}: order {self.key}", "22023", _UNREADABLE) from None
        return found

    def digest(self, members: Members, salt: bytes) -> bytes:
        """16 bytes that change with the row, with the child rows that it is made of, and with the salt (64 bytes at
        most). The child rows follow the text, which ends where its JSON ends, so that neither is taken for the other.
        """
        hashed = blake2b(self.text.encode("utf-8", "surrogatepass"), digest_size=16, key=salt)
        for name in sorted(members):
            hashed.update(repr((name, sorted(members[name]))).encode())
        return hashed.digest()


@dataclass(frozen=True, slots=True)
class Assembly:
    """The mapping's answer for some keys in one snapshot. A key without rows isn't in the mapping, unless it is
    `oversized`: then these are the bytes of rows that are larger than what was asked for. `misfits`: keys whose texts
    are none of the order key's, as its columns and types are today; of course they have no rows."""

    snapshot: Snapshot
    rows: Mapping[OrderKey, tuple[Row, ...]]
    members: Mapping[OrderKey, Members] = field(default_factory=dict)
    oversized: Mapping[OrderKey, int] = field(default_factory=dict)
    misfits: frozenset[OrderKey] = frozenset()
