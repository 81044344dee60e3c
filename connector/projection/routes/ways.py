"""How uses are led to the key where conditions leave a choice (OR, IN, coalesce, CASE) and in set operations.

Under each alternative of a choice more columns are equal. On every joined row one of them holds, so the ways found
under all of the alternatives, together, miss none. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from connector.projection.analysis.scopes import Alternative, Choice, Source
from connector.projection.routes.chains import Chains
from connector.projection.routes.equivalence import Equivalences
from connector.projection.routes.key import KeyUse
from connector.projection.routes.steps import by_primary_key, chains_of

MOST_CHOICES: Final = 4
"""On one way."""
_MOST_TRIED: Final = 200

_Chosen: TypeAlias = frozenset[Alternative]
"""Of some choices the alternative that is taken to hold."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What follows when some alternatives hold."""

    equivalences: Mapping[Source, Equivalences]
    chains: Chains


class Ways:
    """The chains that lead from uses to the orders of one key."""

    def __init__(self, uses: Sequence[Source], key: KeyUse, equivalences: type[Equivalences] = Equivalences) -> None:
        """`equivalences`: what is taken to be equal."""
        self._uses = uses
        self._key = key
        self._equivalences = equivalences
        self._known: dict[_Chosen, _Found] = {}

    def of(self, use: Source) -> list[Chains]:
        """One, or for each alternative of the choices that it takes one; none when not all of them lead to the key."""
        # A join by a tenant's number leads to all orders of the tenant: better a choice between primary keys.
        return self._under(use, frozenset(), frozenset(), precise=True) or self._under(
            use, frozenset(), frozenset(), precise=False
        )

    def equivalences(self, use: Source) -> Equivalences:
        """What is equal whatever is chosen."""
        found = self._when(frozenset())
        assert found is not None  # noqa: S101  # the first is always tried
        return found.equivalences[use]

    def _under(self, use: Source, chosen: _Chosen, passed: frozenset[Choice], *, precise: bool) -> list[Chains]:
        """`passed`: choices that don't help, as was found out."""
        found = self._when(chosen)
        if found is None:
            return []
        chains = found.chains
        if use in chains.direct or (
            use in chains.steps and not (precise and not by_primary_key(use, chains.steps[use]))
        ):
            return [chains]
        if len(chosen) == MOST_CHOICES:
            return []
        for choice in found.equivalences[use].choices():
            if choice not in passed:
                ways = self._each_of(use, choice, chosen, passed, precise=precise)
                if ways:
                    return ways
                passed |= {choice}
        return []

    def _each_of(
        self, use: Source, choice: Choice, chosen: _Chosen, passed: frozenset[Choice], *, precise: bool
    ) -> list[Chains]:
        ways: list[Chains] = []
        for alternative in choice.alternatives:
            more = self._under(use, chosen | {alternative}, passed, precise=precise)
            if not more:
                return []
            ways += more
        return ways

    def _when(self, chosen: _Chosen) -> _Found | None:
        """None when too much was tried already."""
        if chosen not in self._known and len(self._known) < _MOST_TRIED:
            by_use = {use: self._equivalences(use, self._key.use, chosen) for use in self._uses}
            self._known[chosen] = _Found(by_use, chains_of(by_use, self._key))
        return self._known.get(chosen)
