"""What happens to an order on its way to Redo, in terms that every room shares.

Leaf module: frozen data, no I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from shlex import quote
from typing import Any, Final, NewType, TypeAlias

from connector.model.changes import Snapshot
from connector.model.texts import is_storable

_PLACES = re.compile(r"\[\d+\]")

OrderKey = NewType("OrderKey", str)
"""The order's primary key in the OMS: its text form, or a JSON list of text forms when the key is composite."""


def typed(key: str) -> str:
    """A key as a person types it after a command: a composite one has quotes and brackets of its own."""
    return f"{'-- ' if key.startswith('-') else ''}{quote(key)}"


LONGEST_KEY: Final = 2600
"""Bytes of a key in UTF-8. An index of Postgres's holds 2,704 at most: the OMS's, and the checkpoint database's."""


def named_key(text: object) -> OrderKey:
    """The key that a person or another program names. Every command, page and request comes through here; whether the
    text fits the order key's columns is the database's to say. Raises ValueError, which quotes nothing of it."""
    if not isinstance(text, str):
        raise ValueError("an order key is a text")
    if not is_storable(text):
        raise ValueError("no order key holds a zero byte or half a character")
    if len(text) > LONGEST_KEY or len(text.encode()) > LONGEST_KEY:
        raise ValueError(f"no order key is longer than {LONGEST_KEY:,} bytes")
    return OrderKey(text)


def encoded(texts: Sequence[str]) -> OrderKey:
    """The text of a key (or of a row's identity) of one or several columns."""
    if len(texts) == 1:
        return OrderKey(_AS_IT_IS + texts[0] if texts[0].startswith(_LIKE_FORMER) else texts[0])
    return OrderKey(json.dumps(list(texts), separators=(",", ":"), ensure_ascii=False))


_LIKE_FORMER: Final = "<former key"
_AS_IT_IS: Final = "<former key> "
"""Stands before the text of an order's key that looks like a former one, and is none."""
_FORMER: Final = "<former key "


def single(key: str) -> str:
    """The text that `encoded` made the key of."""
    return key.removeprefix(_AS_IT_IS)


def former(key: OrderKey, shape: int) -> OrderKey:
    """A key of an earlier shape of the order key, told apart from every key of today. `shape`: how many changes of the
    shape it has seen. One that is former already stays as it is."""
    return key if is_former(key) else OrderKey(f"{_FORMER}{shape}> {key}")


def is_former(key: OrderKey) -> bool:
    return key.startswith(_FORMER)


def as_was(key: OrderKey) -> OrderKey:
    """The key as it was before it became a former one."""
    return OrderKey(key.partition("> ")[2]) if is_former(key) else key


FORMER_KEYS = OrderKey(_FORMER)
"""All former keys, and no others, come right after this one in the order of keys."""


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column of the order key. `form`: the same for types whose values have the same texts (int and bigint, varchar
    and text). `labels`: an enum's. `number`: the column's own in its table, whatever it is called."""

    name: str
    form: str
    labels: tuple[str, ...] = ()
    number: int = 0

    def continues(self, before: KeyColumn, same_table: bool) -> bool:
        """Whether it has the values of the column before, in the same texts."""
        if (self.name, self.form) != (before.name, before.form) or not _in_order(before.labels, self.labels):
            return False
        return self.number == before.number or not same_table

    def __str__(self) -> str:
        return f"{self.name} {self.form}" + (f" ({', '.join(self.labels)})" if self.labels else "")


@dataclass(frozen=True, slots=True)
class KeyShape:
    """What the texts of order keys stand for: the columns of a table, which `table` names with its schema, and whose
    `oid` is another one once it was made anew."""

    table: str
    columns: tuple[KeyColumn, ...]
    oid: int = 0

    def __str__(self) -> str:
        return f"{self.table} ({', '.join(map(str, self.columns))})"

    def continues(self, before: KeyShape) -> bool:
        """Whether keys of the shape before name the same orders by the same texts. An enum may have more labels now,
        but labels in another order were given other names."""
        if self.table != before.table or len(self.columns) != len(before.columns):
            return False
        same = self.oid == before.oid
        return all(now.continues(was, same) for was, now in zip(before.columns, self.columns, strict=True))


def _in_order(some: Sequence[str], among: Sequence[str]) -> bool:
    rest = iter(among)
    return all(label in rest for label in some)


Document: TypeAlias = Mapping[str, Any]
"""One row of the mapping as parsed JSON. Numbers with a fraction are Decimal, never float."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """A changed row whose orders only a query can tell: the route's name and the row's columns, in text form."""

    route: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Affected:
    """Which orders to look at again. `sweep` says why only looking at all of them is enough, None when it isn't so.
    `own`: those of which the changed row is the order's own."""

    keys: frozenset[OrderKey] = frozenset()
    lookups: frozenset[Lookup] = frozenset()
    sweep: str | None = None
    own: frozenset[OrderKey] = frozenset()


Members: TypeAlias = Mapping[str, Set[str]]
"""The child rows that an order is made of, for the reverse index: by index name, the rows' replica identity columns in
text form, a JSON list when there are several. Only tables whose deletes and moves the stream can't route by itself."""
NO_MEMBERS: Final[Members] = {}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What of the mapping fails whichever orders are asked for: its name and place for people, and the order whose row
    is at fault, where that was found."""

    part: str
    order: OrderKey | None = None


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Some order keys in key order. `cursor` continues after the last one; None: there are no more."""

    snapshot: Snapshot
    keys: tuple[OrderKey, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that Redo would not accept. Neither part ever holds the field's value."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message

    @property
    def cause(self) -> str:
        """The same for every place in a list: what dead letters are grouped by."""
        return str(Violation(_PLACES.sub("[]", self.path), self.message))


@dataclass(frozen=True, slots=True)
class Place:
    """Where Redo holds an order: a store, and the order's id there (Redo's external id, ours)."""

    store_id: str
    order_id: str


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What is to be warned of an order that is pushed all the same. `kind`: the rule that it breaks. `message` names
    fields, and ids of line items and refunds at most, never other values."""

    kind: str
    message: str


EVENTS: Final = ("line_item_id_changed", "line_item_id_reused", "refunds_shrunk")
"""Kinds that tell what happened to an order, not what it is like: they are remembered when it comes without them."""


@dataclass(frozen=True, slots=True)
class Order:
    """A complete order as Redo takes it. `order_id` is Redo's external id, `body` the JSON to send, `fingerprint` the
    same for orders that are the same to Redo, `digest` a short one of each field, to name those that differ.

    `traits` is what a later version of the order is held against (its line items and refunds, in short, no customer's
    data): opaque bytes that only the contract reads. `warnings`: the rules that it breaks.
    """

    order_id: str
    body: bytes
    fingerprint: bytes
    digest: bytes = b""
    store_id: str = ""
    traits: bytes = b""
    warnings: tuple[Suspicion, ...] = ()

    @property
    def place(self) -> Place:
        return Place(self.store_id, self.order_id)


LONGEST_ID: Final = 255
"""Characters of an order's id at Redo."""


def order_id_of(value: object) -> str:
    """A row's `id`, for people to know the order by: text or a whole number. Empty where it is none that can be shown
    (or kept)."""
    text = str(value) if type(value) in (str, int) else ""
    return text if len(text) <= LONGEST_ID and text.isprintable() and is_storable(text) else ""


def delivery_id(fingerprint: bytes | None) -> str | None:
    """Names a delivery in the log, in few letters: the same for the same state of an order, whatever the attempt. None
    for one without a payload. Of a hash, so that it tells nothing of the order."""
    return None if fingerprint is None else fingerprint.hex()[:12]


class OutcomeKind(StrEnum):
    """What Redo's answer means, apart from what to do about it."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """This order is refused as it is (400, 413, 422)."""
    REFUSED = "refused"
    """Everything is refused: token, scope or store (401, 403, 404)."""
    THROTTLED = "throttled"
    """429."""
    UNAVAILABLE = "unavailable"
    """408, 5xx, an answer outside the contract, or the request surely never reached Redo."""
    UNKNOWN = "unknown"
    """The request may have been taken: it timed out or the connection was cut after sending began."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Redo's answer to one push. `reason` is short and enumerable (`http_503`, `timeout`): fit for a metric label."""

    kind: OutcomeKind
    status: int | None = None
    reason: str = ""
    message: str = ""
    """For people; redacted: field paths and Redo's words, no values of ours."""
    retry_after: float | None = None
    """Seconds that Redo asked to wait."""
    violations: tuple[Violation, ...] = field(default=())
    redo_id: str | None = None
