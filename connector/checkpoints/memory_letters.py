"""Dead letters and warnings of the store in memory: the same answers as the SQL of `letters` and `suspicions`."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace

from connector.checkpoints import suspicions
from connector.checkpoints.letters import SAMPLES, letter_group
from connector.model.orders import OrderKey, Suspicion, WarningKind
from connector.pipeline.ports.records import DeadLetter, LetterGroup, Settlement, Warned


class LetterRows:
    def __init__(self) -> None:
        self._letters: dict[OrderKey, DeadLetter] = {}

    def settle(self, settlement: Settlement) -> None:
        if settlement.clear_dead_letter:
            self._letters.pop(settlement.entry.key, None)
        if letter := settlement.dead_letter:
            earlier = self._letters.get(letter.key)
            self._letters[letter.key] = letter if earlier is None else _joined(earlier, letter)

    def forget(self, key: OrderKey | None = None) -> None:
        """The order's letter, or all."""
        for one in [*self._letters] if key is None else [key]:
            self._letters.pop(one, None)

    def move(self, store_id: str, into: LetterRows) -> None:
        """Those of a store."""
        for key in [key for key, letter in self._letters.items() if letter.store_id == store_id]:
            into._letters.setdefault(key, self._letters.pop(key))

    def forget_nameless(self) -> None:
        """Of orders that Redo refused, nobody knows where."""
        for key in [key for key, one in self._letters.items() if not one.store_id and one.fingerprint is not None]:
            del self._letters[key]

    def of_keys(self, keys: Iterable[OrderKey]) -> Mapping[OrderKey, DeadLetter]:
        return {key: self._letters[key] for key in keys if key in self._letters}

    def page(self, after: OrderKey | None, limit: int) -> list[DeadLetter]:
        return [self._letters[key] for key in sorted(self._letters) if key > (after or "")][:limit]

    def counts(self) -> Mapping[str, int]:
        return dict(Counter(letter.reason for letter in self._letters.values()))

    def groups(self) -> list[LetterGroup]:
        found: dict[str, list[DeadLetter]] = {}
        for _, letter in sorted(self._letters.items()):
            found.setdefault(_group(letter), []).append(letter)
        groups = [_summed(group, letters) for group, letters in found.items()]
        return sorted(groups, key=lambda group: (-group.orders, group.group))

    def keys(self, group: str | None, after: OrderKey | None, limit: int) -> list[OrderKey]:
        some = (
            key
            for key, letter in self._letters.items()
            if key > (after or "") and (group is None or _group(letter) == group)
        )
        return heapq.nsmallest(limit, some)


class WarningRows:
    def __init__(self) -> None:
        self._warned: dict[tuple[OrderKey, WarningKind], Warned] = {}

    def forget(self, keys: Container[OrderKey]) -> None:
        self._warned = {name: row for name, row in self._warned.items() if name[0] not in keys}

    def settle(self, settlement: Settlement, now: float) -> None:
        for found in settlement.warnings:
            self._warn(settlement.entry.key, found, now)
        for row in self.latest(len(self._warned))[suspicions.KEPT :]:
            del self._warned[row.key, row.kind]

    def _warn(self, key: OrderKey, found: Suspicion, now: float) -> None:
        before = self._warned.get((key, found.kind)) or Warned(key, found.kind, "", now, now, 0)
        self._warned[key, found.kind] = replace(before, message=found.message, last_seen=now, times=before.times + 1)

    def rename(self, was: OrderKey, now: OrderKey) -> None:
        """What was said of an order is said of another key."""
        for key, kind in [row for row in self._warned if row[0] == was]:
            self._warned[now, kind] = replace(self._warned.pop((key, kind)), key=now)

    def latest(self, limit: int) -> list[Warned]:
        return heapq.nlargest(limit, self._warned.values(), key=lambda row: (row.last_seen, row.key, row.kind))

    def counts(self) -> Mapping[str, int]:
        return dict(Counter(row.kind.value for row in self._warned.values()))


def _group(letter: DeadLetter) -> str:
    return letter_group(letter.reason, letter.cause)


def _joined(earlier: DeadLetter, letter: DeadLetter) -> DeadLetter:
    return replace(letter, first_seen=earlier.first_seen, attempts=earlier.attempts + letter.attempts)


def _summed(group: str, letters: list[DeadLetter]) -> LetterGroup:
    return LetterGroup(
        group,
        letters[0].reason,
        letters[0].cause,
        len(letters),
        sum(letter.attempts for letter in letters),
        min(letter.first_seen for letter in letters),
        max(letter.last_seen for letter in letters),
        tuple(letter.key for letter in letters[:SAMPLES]),
        tuple(sorted({letter.store_id for letter in letters if letter.store_id})),
    )
