"""From uses to the key: which hold it themselves, and for each of the others the next use. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connector.projection.analysis.nodes import column_of
from connector.projection.analysis.scopes import Key, Node, Source
from connector.projection.catalog.columns import Column, comparable, same_text
from connector.projection.catalog.elements import elements, may_be_listed
from connector.projection.routes.equivalence import Equivalences
from connector.projection.routes.filters import filters_of
from connector.projection.routes.key import KeyUse
from connector.projection.routes.reverse_query import Chains, Step, table_of
from connector.projection.routes.walks import Walks


def chains_of(by_use: Mapping[Source, Equivalences], key: KeyUse) -> Chains:
    """`by_use`: what holds where a row of each use takes part."""
    uses = list(by_use)
    direct = {use: at for use in uses if (at := _key_columns(use, key, by_use[use])) is not None}
    filters = {use: filters_of(held) for use, held in by_use.items()}
    return Chains(direct, _steps(uses, by_use, set(direct)), filters)


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
    then one by columns rather than by expressions, then the nearest."""
    found = [
        Step(to, pairs) for to in reached if to in equivalences.present and (pairs := _pairs(use, to, equivalences))
    ]
    found += walks.steps(use, reached, equivalences)
    if by_key:
        found = [step for step in found if by_primary_key(use, step)]
    return max(found, key=_rank, default=None)


def _rank(step: Step) -> tuple[int, bool, bool, bool]:
    indexed = table_of(step.to).serves([theirs.indexed_as for _, theirs in step.pairs])
    plain = not any(column.parts for pair in step.pairs for column in pair)
    return len(step.pairs), step.walk is None, indexed, plain


def by_primary_key(use: Source, step: Step) -> bool:
    if step.walk is not None:
        return False
    mine = {column.name for column, _ in step.pairs if not column.parts}
    theirs = {column.name for _, column in step.pairs if not column.parts}
    one, other = set(table_of(use).primary_key), set(table_of(step.to).primary_key)
    return bool((one and one <= mine) or (other and other <= theirs))


def _pairs(use: Source, to: Source, equivalences: Equivalences) -> tuple[tuple[Column, Column], ...]:
    pairs = []
    ours = [(at, mine) for at, mine in _terms(use, equivalences) if mine.streamed]
    for theirs_at, theirs in _terms(to, equivalences):
        for mine_at, mine in ours:
            if equivalences.equal(mine_at, theirs_at) and _equatable(mine, theirs):
                pairs.append((mine, theirs))
                break
    return tuple(pairs)


def _equatable(mine: Column, theirs: Column) -> bool:
    if not comparable(mine, theirs) or (mine.many and theirs.many):
        return False
    return not (mine.many or theirs.many) or may_be_listed(*((theirs, mine) if mine.many else (mine, theirs)))


def _terms(use: Source, equivalences: Equivalences) -> Iterator[tuple[Node, Column]]:
    """The columns of a use, then the expressions over them that the mapping's conditions compare, then the elements of
    its arrays, and the expressions over those."""
    for name, column in table_of(use).columns.items():
        yield (use, name), column
    for key in sorted(use.computed, key=str):
        made = column_of((use, key))
        if made is not None:
            yield (use, key), made
    for source, at in use.elements:
        array, one = column_of((use, at)), source.element
        if one is None or array is None or source not in equivalences.present:
            continue
        if not equivalences.equal(one.array, (use, at)):
            continue
        values: list[Key] = [0, *sorted(source.computed, key=str)]
        for inner in values:
            value = column_of((source, inner))
            if value is not None:
                yield (source, inner), elements(array, one.kind, value)
