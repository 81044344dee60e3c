"""Former keys: what is stored of orders whose keys had another shape, until today's keys take it over.

It must not know what a key's shape is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from connector.checkpoints.engine import Session
from connector.checkpoints.tables.checkpoint import Payload, sealed
from connector.checkpoints.vault import Vault
from connector.model.orders import FORMER_KEYS, OrderKey, Place, former
from connector.pipeline.ports.records import UNKNOWN

STEP: Final = 5_000
"""Keys given another name in one transaction."""

_AFTER_FORMER: Final = FORMER_KEYS[:-1] + chr(ord(FORMER_KEYS[-1]) + 1)
"""The first text that comes after all former keys."""


def begin(session: Session, now: float) -> None:
    """Before the first step: places that Redo may hold an order at, without a checkpoint, get one."""
    session.run("checkpoint_of_leftovers", unknown=UNKNOWN, now=now, all_keys=True, keys=[])


def retire_some(session: Session, shape: int) -> bool:
    """Some of today's keys become former ones. False when there were none left."""
    keys = session.column("checkpoint_keys_before", bound=FORMER_KEYS, limit=STEP)
    if not keys:
        keys = session.column("checkpoint_keys_from", bound=_AFTER_FORMER, limit=STEP)
    if keys:
        _retire(session, keys, shape)
    return bool(keys)


def forget_waiting(session: Session) -> None:
    """What waits, is refused or held, and the lookups, whatever their keys."""
    for name in ("dead_letter_forget_all", "held_forget_all", "ledger_forget_all", "lookup_forget_all"):
        session.run(name)


def retire(session: Session, keys: Sequence[OrderKey], shape: int, now: float) -> None:
    """These keys become former ones, apart from their ledger entries, which are in work."""
    session.run("checkpoint_of_leftovers", unknown=UNKNOWN, now=now, all_keys=False, keys=[*keys])
    _retire(session, keys, shape)
    session.run("dead_letter_forget", keys=[*keys])
    session.run("held_forget", keys=[*keys])


def _retire(session: Session, keys: Sequence[OrderKey], shape: int) -> None:
    names = {key: former(key, shape) for key in keys}
    session.run("checkpoint_doubt", unknown=UNKNOWN, keys=[*names])
    session.run("checkpoint_forget", keys=[name for key, name in names.items() if name != key])
    _rename(session, [(was, now) for was, now in names.items() if was != now])


def _rename(session: Session, names: Sequence[tuple[OrderKey, OrderKey]]) -> None:
    """In the place of what has the new key already, and is the same otherwise."""
    session.run_rows("checkpoint_rename", names)
    for table in ("leftover", "line_item", "warning", "payload"):
        there = set(session.column(f"{table}_keys", keys=[key for pair in names for key in pair]))
        session.run_rows(f"{table}_give_way", [(was, now) for was, now in names if {was, now} <= there])
        session.run_rows(f"{table}_rename", [(was, now) for was, now in names if was in there])


def take_over(
    session: Session, claims: Mapping[OrderKey, Place], busy: frozenset[OrderKey], vault: Vault | None
) -> frozenset[OrderKey]:
    """See `pipeline.ports.store.CheckpointStore.take_over`."""
    taken = _assigned(session, claims, busy)
    if not taken:
        return frozenset()
    bodies = [] if vault is None else _sealed_anew(session, taken, vault)
    _rename(session, [*taken.items()])
    # The member rows were the former key's.
    session.run("checkpoint_forget_row", unknown=UNKNOWN, keys=[*taken.values()])
    session.run_rows("payload_put", bodies)
    for name in ("dead_letter_forget", "held_forget", "ledger_forget"):
        session.run(name, keys=[*taken])
    return frozenset(taken.values())


def _assigned(
    session: Session, claims: Mapping[OrderKey, Place], busy: frozenset[OrderKey]
) -> dict[OrderKey, OrderKey]:
    """Former keys, each with the first order that claims its place."""
    rows = [(key, place.store_id, place.order_id) for key, place in claims.items()]
    there: dict[OrderKey, list[OrderKey]] = {}
    for key, was in session.rows_of("checkpoint_former", rows, first=FORMER_KEYS, end=_AFTER_FORMER):
        there.setdefault(key, []).append(was)
    taken: dict[OrderKey, OrderKey] = {}
    for key in claims:
        was = next((one for one in there.get(key, ()) if one not in taken and one not in busy), None)
        if was is not None:
            taken[was] = key
    return taken


def _sealed_anew(session: Session, taken: Mapping[OrderKey, OrderKey], vault: Vault) -> list[Payload]:
    """The payloads of former keys, by the keys that take them over. What no key of the vault opens is left out."""
    rows = []
    for was, store_id, order_id, body in session.rows("payload_of", keys=[*taken]):
        place = Place(store_id, order_id)
        opened = vault.open(was, place, body)
        if opened is not None:
            rows.append(sealed(vault, taken[was], place, opened))
    return rows
