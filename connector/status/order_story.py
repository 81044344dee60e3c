"""All there is to know about one order, for a person who asks about it. Pure data; values only where asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

from connector.model.changes import format_lsn
from connector.pipeline.ports.chronicle import Attempt, SourceChange
from connector.pipeline.ports.holds import Held
from connector.pipeline.ports.records import FAILING, Checkpoint, DeadLetter


def order_path(key: str, **query: object) -> str:
    """A key may hold any character; `/` too must stay inside its part of the path. Browsers and clients take `.` and
    `..` for folders, however they are written, and an empty part for none: the query names those."""
    by_query = key in ("", ".", "..")
    path = "/orders/" if by_query else "/orders/" + quote(key, safe="")
    terms = {"key": key, **query} if by_query else query
    return f"{path}?{urlencode(terms)}" if terms else path


@dataclass(frozen=True, slots=True)
class OrderPreview:
    """What the mapping says the order is now. `verdict`: `new`, `changed`, `unchanged`, `absent`, `invalid`,
    `unreadable`, `duplicate`, or `unknown` (it couldn't be read just now, `problems` say why).

    `warnings`: the rules that it breaks and is pushed with, in words.
    `shapes` tells of each top-level field what kind of value it has, never the value. `payload` (as it would be sent)
    and `values` (path, accepted, now) are None unless values may be shown.
    """

    verdict: str
    problems: tuple[str, ...] = ()
    changed_fields: tuple[str, ...] = ()
    shapes: Mapping[str, str] = field(default_factory=dict)
    payload: str | None = None
    values: tuple[tuple[str, str, str], ...] | None = None
    warnings: tuple[str, ...] = ()
    order_id: str = ""
    """As the mapping gives it; empty where that isn't known."""


@dataclass(frozen=True, slots=True)
class OrderStory:
    """`as_of`, `since`: seconds since 1970; `since` is when changes and attempts began to be remembered, None where no
    connector runs. `looked`: the story's mark when its projection was read."""

    key: str
    as_of: float
    projection: OrderPreview
    checkpoint: Checkpoint | None = None
    dead_letter: DeadLetter | None = None
    held: Held | None = None
    in_flight: bool = False
    changes: tuple[SourceChange, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    since: float | None = None
    looked: str | None = None
    url: str | None = None
    """The address of Redo that accepted the checkpoint."""
    also: Mapping[str, str] = field(default_factory=dict)
    """Other orders that the name which was asked for may mean: their ids at Redo, by key."""

    @property
    def order_id(self) -> str:
        """The order's id at Redo, as it was accepted, else as it was to be; empty where nobody knows."""
        known = (one.order_id for one in (self.checkpoint, self.dead_letter, self.held) if one is not None)
        return next((order_id for order_id in known if order_id), self.projection.order_id)

    @property
    def mark(self) -> str:
        """Another one after anything that the connector knows of the order has changed. No clocks are compared: the
        OMS's may differ from ours."""
        refused, held = self.dead_letter, self.held
        state = (
            self.checkpoint and (self.checkpoint.fingerprint, self.checkpoint.accepted_at, self.checkpoint.missing),
            refused and (refused.reason, refused.fingerprint, refused.last_seen),
            held and held.hold,
            self.changes[:1],
            self.attempts[:1],
        )
        return sha256(repr(state).encode()).hexdigest()[:16]

    @property
    def overtaken(self) -> bool:
        """Whether anything happened to the order since its projection was read."""
        return self.looked is not None and self.looked != self.mark

    @property
    def known(self) -> bool:
        """Whether anything remembers the order, or the mapping has it."""
        remembered = self.checkpoint or self.dead_letter or self.held or self.changes or self.attempts
        return bool(remembered) or self.in_flight or self.projection.verdict not in ("absent", "unreadable")

    @property
    def verdict(self) -> str:
        """How Redo's copy stands, in a sentence."""
        if self.dead_letter is not None:
            if self.dead_letter.reason == FAILING:
                return "Redo fails it again and again, and takes others; it is tried again by itself."
            return f"Refused: {_REFUSED.get(self.dead_letter.reason, self.dead_letter.reason)}."
        if self.held is not None:
            return f"Held for approval, with hold {self.held.hold}."
        if self.in_flight:
            return "On its way to Redo."
        if self.overtaken:
            accepted = self.checkpoint is not None and self.checkpoint.accepted_at > self.as_of
            return _ACCEPTED_SINCE if accepted else _CHANGED_SINCE
        return _SENTENCES.get(self.projection.verdict, _UNREAD)


_REFUSED = {
    "rejected": "Redo does not take it as it is",
    "invalid": "it breaks Redo's contract, so it wasn't sent",
    "mapping": "the mapping fails for its data",
    "slow": "reading it exceeds the database's limits; it is tried again ever more rarely, and when it changes",
    "duplicate": "the mapping returns several rows for it",
    "removal": "Redo did not let it be removed",
    "set_aside": "Redo failed it again and again, and it was set aside by hand",
}
_ACCEPTED_SINCE = "Redo has accepted it anew since this look."
_CHANGED_SINCE = "It has changed since this look."
_UNREAD = "It can't be read from the OMS just now."
_SENTENCES = {
    "unchanged": "Redo accepted this order as it is now.",
    "changed": "The OMS has a newer state than Redo accepted.",
    "new": "Redo has not accepted this order yet.",
    "absent": "The mapping has no row for this order.",
    "invalid": "As it is now, it breaks Redo's contract.",
    "unreadable": "The mapping can't be read for it.",
    "duplicate": "The mapping returns several rows for it.",
}


def shapes(payload: Mapping[str, Any]) -> dict[str, str]:
    """Of each field what kind of value it has: `text`, `number`, `list of 3`, `object of 5 fields`, `nothing`."""
    return {name: _shape(value) for name, value in payload.items()}


def _shape(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "yes or no"
        case str():
            return "text"
        case Mapping():
            return f"object of {len(value)} field{'' if len(value) == 1 else 's'}"
        case Sequence():
            return f"list of {len(value)}"
    return "number"


def as_json(story: OrderStory) -> dict[str, Any]:
    """Plain JSON types: no fingerprints' bytes, LSNs as Postgres prints them."""
    plain = asdict(story)
    del plain["looked"]
    if story.checkpoint is not None:
        names = ("accepted_at", "order_id", "store_id", "redo_id", "missing")
        plain["checkpoint"] = {name: getattr(story.checkpoint, name) for name in names}
        plain["checkpoint"]["fingerprint"] = story.checkpoint.fingerprint.hex()
    if story.dead_letter is not None:
        del plain["dead_letter"]["fingerprint"]
    for change in plain["changes"]:
        change["commit_lsn"] = format_lsn(change["commit_lsn"])
    judged = {"known": story.known, "verdict": story.verdict, "overtaken": story.overtaken}
    return {**judged, "order_id": story.order_id or None, **plain}
