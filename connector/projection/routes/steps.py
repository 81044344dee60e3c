"""From uses to the key: which hold it themselves, and for each of the others the next use. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connector.projection.analysis.scopes import Key, Source, column_of
from connector.projection.catalog.columns import Column, comparable, same_text
from connector.projection.routes.equivalence import Equivalences
from connector.projection.routes.key import KeyUse
from connector.projection.routes.reverse_query import Chains, Step, table_of
from connector.projection.routes.walks import Walks


def chains_of(by_use: Mapping[Source, Equivalences], key: KeyUse) -> Chains:
    """`by_use`: the equalities for each use."""
    uses = list(by_use)
    direct = {use: at for use in uses if (at := _key_columns(use, key, by_use[use])) is not None}
    return Chains(direct, _steps(uses, by_use, set(direct)))


def _key_columns(use: Source, key: KeyUse, equivalences: Equivalences) -> tuple[Column, ...] | None:
    """The use's own columns that equal the order key's, with the same text; None unless all are there."""
    found = []
    for wanted, node in zip(key.columns, key.nodes(), strict=True):
        mine = [
            column
            for column in table_of(use).columns.values()
            if column.streamed and equivalences.equal((use, column.name), node) and same_text(column, wanted)
        ]
        if not mine:
            return None
        exact = [column for column in mine if use is key.use and column.name == wanted.name]
        carried = [column for column in mine if column.name in table_of(use).identity]
        found.append((exact or carried or mine)[0])
    return tuple(found)


def _steps(uses: list[Source], by_use: Mapping[Source, Equivalences], done: set[Source]) -> dict[Source, Step]:
    """For each use without the key its next use, breadth first. Joins by a primary key go before others: one by a
    tenant's number alone would lead to all orders of the tenant."""
    steps: dict[Source, Step] = {}
    reached = [use for use in uses if use in done]
    walks, by_key = Walks(), True
    while True:
        layer = {}
        for use in uses:
            if use not in done and use not in steps:
                step = _best_step(use, reached, by_use[use], walks, by_key=by_key)
                if step is not None:
                    layer[use] = step
        if not layer and not by_key:
            return steps
        by_key = bool(layer)
        steps |= layer
        reached = [*reached, *layer]


def _best_step(
    use: Source, reached: list[Source], equivalences: Equivalences, walks: Walks, *, by_key: bool
) -> Step | None:
    """The step that names the most columns; among equals one without a walk, then one whose columns begin an index,
    then the nearest."""
    found = [
        Step(to, pairs) for to in reached if to in equivalences.present and (pairs := _pairs(use, to, equivalences))
    ]
    found += walks.steps(use, reached, equivalences)
    if by_key:
        found = [step for step in found if by_primary_key(use, step)]
    return max(found, key=lambda step: (len(step.pairs), step.walk is None, _indexed(step)), default=None)


def by_primary_key(use: Source, step: Step) -> bool:
    if step.walk is not None:
        return False
    mine = {column.name for column, _ in step.pairs if not column.parts}
    theirs = {column.name for _, column in step.pairs if not column.parts}
    one, other = set(table_of(use).primary_key), set(table_of(step.to).primary_key)
    return bool((one and one <= mine) or (other and other <= theirs))


def _indexed(step: Step) -> bool:
    return table_of(step.to).serves([theirs.indexed_as for _, theirs in step.pairs])


def _pairs(use: Source, to: Source, equivalences: Equivalences) -> tuple[tuple[Column, Column], ...]:
    pairs = []
    for theirs_at, theirs in _terms(to):
        for mine_at, mine in _terms(use):
            if mine.streamed and comparable(mine, theirs) and equivalences.equal((use, mine_at), (to, theirs_at)):
                pairs.append((mine, theirs))
                break
    return tuple(pairs)


def _terms(use: Source) -> Iterator[tuple[Key, Column]]:
    """The columns of a use, then the expressions over them that the mapping's conditions compare."""
    yield from table_of(use).columns.items()
    for key in sorted(use.computed, key=str):
        column = column_of((use, key))
        if column is not None:
            yield key, column
