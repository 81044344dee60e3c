"""How the mapping does on some of its orders: how many of them Redo would refuse and why, and whether it answers for
single orders as it does for all. Changes nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from connector.contract.order_builder import RedoContract
from connector.inspect.orders.compare_mappings import SAME_ID, Answer, MappingReader
from connector.inspect.orders.sampling import none_in_mapping, sample_orders
from connector.model.checklist import Findings
from connector.model.errors import OrderUnreadable, Problem
from connector.model.orders import OrderKey, Place, typed
from connector.pipeline.holds.limits import nearly_all
from connector.projection import Assembler

_SAMPLE: Final = 20
"""Orders that are looked at."""
_CAUSES: Final = 5


async def check_sample(assembler: Assembler, contract: RedoContract, orders: Findings) -> None:
    """Raises as the assembler does, but not for what is wrong with single orders."""
    reader = MappingReader(assembler, contract, time.time())
    answers: dict[OrderKey, Answer] = {}

    async def in_mapping(keys: Sequence[OrderKey]) -> Mapping[OrderKey, Answer]:
        found = {key: answer for key, answer in (await reader.answers(keys)).items() if not answer.absent}
        answers.update(found)
        return found

    sample = await sample_orders(assembler, _SAMPLE, in_mapping)
    if (none := none_in_mapping(sample, assembler.projection)) is not None:
        orders.problems.append(none)
        return
    if not sample.keys:
        orders.fine.append(f"{assembler.projection.order_table} is empty: there is no order to look at yet")
        return
    sampled = _told_apart({key: answers[key] for key in sample.keys})
    orders.found([*_refusals(sampled), *_warnings(sampled)], f"{len(sampled):,} sampled orders: all fit")
    if readable := [key for key, answer in sampled.items() if not answer.unread]:
        fine = f"read one by one, {len(readable):,} of them are as in the mapping run as a whole"
        orders.found(await _cross_check(assembler, readable), fine)


def _told_apart(sampled: Mapping[OrderKey, Answer]) -> dict[OrderKey, Answer]:
    """Of orders with the same place at Redo only the first is taken there."""
    places: set[Place] = set()
    found: dict[OrderKey, Answer] = {}
    for key, answer in sampled.items():
        place = None if answer.order is None else answer.order.place
        found[key] = replace(answer, order=None, wrong=(SAME_ID,)) if place in places else answer
        places |= {place} if place is not None else set()
    return found


def _refusals(sampled: Mapping[OrderKey, Answer]) -> list[Problem]:
    """A problem where nearly all would be refused, so that it is the mapping that is wrong; a warning about some."""
    refused = {key: answer for key, answer in sampled.items() if answer.wrong}
    if not refused:
        return []
    causes = Counter(cause for answer in refused.values() for cause in {it.cause for it in answer.wrong})
    serious = nearly_all(len(refused), len(sampled))
    named = "; ".join(f"{orders:,} because {cause}" for cause, orders in causes.most_common(_CAUSES))
    more = f"; and {len(causes) - _CAUSES:,} more causes" if len(causes) > _CAUSES else ""
    most = causes.most_common(1)[0][0]
    key = next(key for key, answer in refused.items() if most in {it.cause for it in answer.wrong})
    what = f"{len(refused):,} of {len(sampled):,} sampled orders would become dead letters: {named}{more}"
    shown = "--all` shows them" if most == SAME_ID.cause else f"{typed(key)}` shows one"
    hint = f"`redo-connector preview {shown}; mend the mapping" + ("" if serious else ", or the orders")
    return [Problem(what, hint, "mapping.path", warning=not serious)]


def _warnings(sampled: Mapping[OrderKey, Answer]) -> Iterator[Problem]:
    """The rules that orders break, and are pushed with."""
    rules: dict[str, dict[OrderKey, str]] = {}
    for key, answer in sampled.items():
        for found in answer.order.warnings if answer.order is not None else ():
            rules.setdefault(found.kind, {}).setdefault(key, found.message)
    for rule, broken in sorted(rules.items()):
        key, message = next(iter(broken.items()))
        what = f"{len(broken):,} of {len(sampled):,} sampled orders would be pushed with a warning ({rule}); {key}:"
        hint = f"`redo-connector preview {typed(key)}` shows it; docs/rules.md says what becomes of it"
        yield Problem(f"{what} {message}", hint, "mapping.path", warning=True)


async def _cross_check(assembler: Assembler, keys: Sequence[OrderKey]) -> list[Problem]:
    try:
        return await assembler.cross_check(keys)
    except OrderUnreadable as error:
        what = f"the mapping as written fails for some order, so its answers were not compared: {error}"
        hint = "mend the mapping for such data (NULLIF, a CASE), or that order"
        return [Problem(what, hint, assembler.projection.path, warning=True)]
