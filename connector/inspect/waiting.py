"""What waits for a person: dead letters and holds, as the store has them. Reads only; plain dicts for the verbs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final

from connector.checkpoints.opening import open_if_any, open_readonly
from connector.checkpoints.reading import ReadOnlyCheckpoints
from connector.model.errors import Problem
from connector.model.orders import OrderKey, delivery_id
from connector.pipeline.holds.endpoints import Change, compare
from connector.pipeline.ports.holds import Hold, HoldState, HoldSummary
from connector.pipeline.ports.records import DeadLetter, LetterGroup, Sweep, SweepKind
from connector.settings.config import Settings
from connector.wiring import factories

_PAGE: Final = 500
_SAMPLES: Final = 5
_SWEEPS: Final = 50
"""Finished sweeps that are looked through for the last reconcile."""


@asynccontextmanager
async def store_of(settings: Settings) -> AsyncIterator[ReadOnlyCheckpoints]:
    """The store, opened for reading. Raises ConfigurationError when there is none yet, CheckpointsUnwritable."""
    store = await asyncio.to_thread(open_readonly, factories.checkpoints(settings))
    try:
        yield store
    finally:
        await store.close()


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


async def dead_letters_of(settings: Settings, names: Sequence[str], limit: int) -> dict[str, Any]:
    """The same for these orders, as far as they have one, and for at most `limit` orders of each group among the
    names; `unknown` are the names that are neither."""
    async with store_of(settings) as store:
        groups = {one.group: one for one in await store.letter_groups()}
        found = {letter.key: letter for letter in await _letters(store, [OrderKey(name) for name in names])}
        # A key first: an order's number may look like a group's name.
        named = [name for name in dict.fromkeys(names) if name not in found and name in groups]
        more = [await _letters(store, await store.letter_keys(name, None, limit)) for name in named]
    found |= {letter.key: letter for letters in more for letter in letters}
    shown = _shown([found[key] for key in sorted(found)], groups.values())
    inside = {letter["group"] for letter in shown}
    return {
        "total": len(shown),
        "dead_letters": shown,
        "groups": [_group(one) for one in groups.values() if one.group in inside],
        "unknown": [name for name in dict.fromkeys(names) if name not in found and name not in named],
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
    return {**asdict(group), "samples": [*group.samples], "stores": [*group.stores]}


async def holds(settings: Settings) -> list[dict[str, Any]]:
    """All holds, oldest first: `number`, `kind`, `cause`, `state`, `opened_at`, `orders`, in how many orders each of
    `fields` differs (the most frequent first), and keys of some as `samples`."""
    async with store_of(settings) as store:
        return await holds_in(store)


async def holds_in(store: ReadOnlyCheckpoints) -> list[dict[str, Any]]:
    found = await store.holds()
    summaries = [await store.summarise(hold.number, _SAMPLES) for hold in found]
    # A hold may have been released between the two looks.
    return [_hold(hold, summary) for hold, summary in zip(found, summaries, strict=True) if summary is not None]


def _hold(hold: Hold, summary: HoldSummary) -> dict[str, Any]:
    fields = sorted(summary.fields.items(), key=lambda item: (-item[1], item[0]))
    return {**asdict(hold), "fields": dict(fields), "samples": [*summary.samples]}


def is_held(hold: dict[str, Any]) -> bool:
    """Whether it waits for a person, rather than for its own end."""
    return bool(hold["state"] == HoldState.HELD)


async def last_reconcile(settings: Settings) -> dict[str, Any] | None:
    """What the last finished reconcile found: None when there was none."""
    async with store_of(settings) as store:
        return await last_reconcile_in(store)


async def last_reconcile_in(store: ReadOnlyCheckpoints) -> dict[str, Any] | None:
    done = (sweep for sweep in await store.sweeps(_SWEEPS) if sweep.kind is SweepKind.RECONCILE)
    return next((_sweep(sweep) for sweep in done), None)


def _sweep(sweep: Sweep) -> dict[str, Any]:
    names = ("cause", "started_at", "finished_at", "scanned", "missed", "changed", "extra", "held")
    return {name: getattr(sweep, name) for name in names}


async def changed_endpoints(settings: Settings) -> Change | None:
    """How the settings' addresses and stores of Redo differ from those that the checkpoints count for; None where they
    don't, or there is no store. Raises ConfigurationError, CheckpointsUnwritable."""
    store = await open_if_any(factories.checkpoints(settings))
    if store is None:
        return None
    try:
        return compare(await store.endpoints(), factories.redo_endpoints(settings))
    finally:
        await store.close()


async def endpoint_problems(settings: Settings) -> list[Problem]:
    """What a start would do about it. Raises as `changed_endpoints`."""
    change = await changed_endpoints(settings)
    if change is None:
        return []
    hint = "`redo-connector run` compares every order with what was accepted there, and pushes what differs"
    if change.held:
        hint = (
            "`redo-connector run` takes them up, and pushes nothing there before `redo-connector approve` lets it;"
            " if the address is wrong, mend it: what each one accepted is kept apart"
        )
    return [Problem(f"another address or store than before: {change}", hint, "redo.base_url", warning=True)]
