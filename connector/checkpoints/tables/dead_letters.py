"""Dead letters: orders refused for good, one by one and by cause."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from connector.checkpoints.engine import Session
from connector.model.orders import OrderKey
from connector.pipeline.ports.records import DeadLetter, LetterGroup, Settlement

SAMPLES: Final = 5
"""Keys shown of each group."""


def letter_group(reason: str, cause: str) -> str:
    """The short name of the group of dead letters of one reason and cause: 8 hex digits, the same in every store."""
    return hashlib.blake2b(f"{reason}\0{cause}".encode(), digest_size=4).hexdigest()


def settle(session: Session, settlements: Sequence[Settlement]) -> None:
    """Store what was refused, forget what no longer is."""
    if cleared := [one.entry.key for one in settlements if one.clear_dead_letter]:
        session.run("dead_letter_forget", keys=cleared)
    session.run_rows("dead_letter_bury", [_row(one.dead_letter) for one in settlements if one.dead_letter is not None])


def by_key(rows: Iterable[Sequence[Any]]) -> Mapping[OrderKey, DeadLetter]:
    """Rows of the table as records."""
    return {row[0]: _letter(row) for row in rows}


def page(session: Session, after: OrderKey | None, limit: int) -> list[DeadLetter]:
    """Dead letters in key order."""
    return [_letter(row) for row in session.rows("dead_letter_page", after=after or "", limit=limit)]


def groups(session: Session) -> list[LetterGroup]:
    """All groups, the largest first."""
    found = sorted(session.rows("letter_groups"), key=lambda group: (-group[1], group[0]))
    samples: dict[str, list[Any]] = {}
    for name, *sample in session.rows_of("letter_samples", [(group[0],) for group in found], limit=SAMPLES):
        samples.setdefault(name, []).append(sample)
    return [_group(samples.get(group[0], ()), *group) for group in found]


def keys(session: Session, group: str | None, after: OrderKey | None, limit: int) -> list[OrderKey]:
    """Keys of a group's letters, or of all, in key order."""
    if group is None:
        return session.column("letter_keys", after=after or "", limit=limit)
    return session.column("letter_group_keys", name=group, after=after or "", limit=limit)


def _group(
    samples: Sequence[Any], group: str, orders: int, attempts: int, first_seen: float, last_seen: float, stores: str
) -> LetterGroup:
    # Beside a writer the group may be gone between the two questions.
    reason, cause = samples[0][1:3] if samples else ("", "")
    some = tuple(key for key, *_ in samples)
    ids = {key: order_id for key, *_, order_id in samples if order_id}
    named = tuple(sorted(store for store in orjson.loads(stores) if store))
    return LetterGroup(group, reason, cause, orders, attempts, first_seen, last_seen, some, named, ids)


def _row(letter: DeadLetter) -> tuple[Any, ...]:
    paths, group = orjson.dumps(letter.paths).decode(), letter_group(letter.reason, letter.cause)
    what = (letter.key, letter.reason, letter.message, paths, letter.fingerprint)
    seen = (letter.first_seen, letter.last_seen, letter.attempts, letter.status)
    return (*what, *seen, letter.cause, letter.store_id, group, letter.order_id)


def _letter(row: Sequence[Any]) -> DeadLetter:
    key, reason, message, paths, *seen, _, order_id = row
    return DeadLetter(key, reason, message, tuple(orjson.loads(paths)), *(*seen, order_id))
