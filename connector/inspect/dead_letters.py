"""Dead letters, as the store has them; plain dicts for the verbs. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

from connector.checkpoints.store import ReadOnlyCheckpoints
from connector.inspect.order_names import orders_named
from connector.inspect.store import store_of
from connector.model.orders import OrderKey, delivery_id
from connector.pipeline.ports.records import DeadLetter, LetterGroup
from connector.settings.config import Settings

_PAGE: Final = 500


async def dead_letters(settings: Settings, limit: int, group: str | None = None) -> dict[str, Any]:
    """`total`, the first `limit` as `dead_letters`, in key order, and all `groups`, the largest first; of one group
    when asked for. Times are seconds since 1970."""
    async with store_of(settings) as store:
        groups = await store.letter_groups()
        if group is None:
            letters = await store.dead_letters(None, limit)
        else:
            groups = [one for one in groups if one.group == group]
            letters = await _letters(store, await store.letter_keys(group, None, limit))
    total = sum(one.orders for one in groups)
    return {"total": total, "dead_letters": _shown(letters, groups), "groups": [_group(one) for one in groups]}


async def dead_letters_of(
    settings: Settings, names: Sequence[str], limit: int, *, keys_only: bool = False
) -> dict[str, Any]:
    """The same for these orders, as far as they have one, and for at most `limit` orders of each group among the
    names. `named`: which orders each name means, by key or by id at Redo; `keys_only`: by key. `unknown` are the names
    that mean neither an order nor a group."""
    async with store_of(settings) as store:
        groups = {one.group: one for one in await store.letter_groups()}
        meant = await orders_named(None if keys_only else store, names)
        keys = [*dict.fromkeys(key for name in names for key in meant[name])]
        found = {letter.key: letter for letter in await _letters(store, keys)}
        named = {name: [key for key in meant[name] if key in found] for name in names}
        # Orders first: an order's number may look like a group's name.
        of_groups = [name for name in dict.fromkeys(names) if not named[name] and name in groups]
        more = [await _letters(store, await store.letter_keys(name, None, limit)) for name in of_groups]
    found |= {letter.key: letter for letters in more for letter in letters}
    shown = _shown([found[key] for key in sorted(found)], groups.values())
    inside = {letter["group"] for letter in shown}
    return {
        "total": len(shown),
        "dead_letters": shown,
        "groups": [_group(one) for one in groups.values() if one.group in inside],
        "named": {name: keys for name, keys in named.items() if keys},
        "unknown": [name for name in dict.fromkeys(names) if not named[name] and name not in of_groups],
    }


async def _letters(store: ReadOnlyCheckpoints, keys: Sequence[OrderKey]) -> list[DeadLetter]:
    found: list[DeadLetter] = []
    for at in range(0, len(keys), _PAGE):
        page = keys[at : at + _PAGE]
        known = (await store.known(page)).dead_letters
        found += [known[key] for key in page if key in known]
    return found


def _shown(letters: Iterable[DeadLetter], groups: Iterable[LetterGroup]) -> list[dict[str, Any]]:
    names = {(one.reason, one.cause): one.group for one in groups}
    shown = []
    for letter in letters:
        plain = {name: value for name, value in asdict(letter).items() if name != "fingerprint"}
        plain |= {"paths": [*letter.paths], "delivery": delivery_id(letter.fingerprint)}
        shown.append({**plain, "group": names.get((letter.reason, letter.cause))})
    return shown


def _group(group: LetterGroup) -> dict[str, Any]:
    return {**asdict(group), "samples": [*group.samples], "stores": [*group.stores], "order_ids": dict(group.order_ids)}
