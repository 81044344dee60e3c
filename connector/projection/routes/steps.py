"""From uses to the key: which hold it themselves, and for each of the others the next use. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connector.projection.analysis.nodes import column_of
from connector.projection.analysis.scopes import Inequality, Key, Node, Source, is_matched
from connector.projection.catalog.columns import Column, comparable, extremes, ordered, same_text
from connector.projection.catalog.elements import elements, may_be_listed
from connector.projection.routes.chains import Bound, Chains, Step, names_of, table_of, tables_of
from connector.projection.routes.equivalence import Equivalences
from connector.projection.routes.filters import filters_of, null_below
from connector.projection.routes.key import KeyUse
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
    """The step that names the most columns; among equals one without a walk, then the one with the most bounds, then
    one whose columns begin an index, then one by columns rather than by expressions, then the nearest."""
    found = [
        Step(to, equal, bounds=_bounds(use, to, equal, equivalences))
        for to in reached
        if to in equivalences.present and (equal := pairs(use, to, equivalences))
    ]
    found += walks.steps(use, reached, equivalences)
    if by_key:
        found = [step for step in found if by_primary_key(use, step)]
    return max(found, key=_rank, default=None)


def _rank(step: Step) -> tuple[int, bool, int, bool, bool]:
    indexed = table_of(step.to).serves([theirs.indexed_as for _, theirs in step.pairs])
    plain = not any(column.parts for pair in step.pairs for column in pair)
    return len(step.pairs), step.walk is None, len(step.bounds), indexed, plain


def by_primary_key(use: Source, step: Step) -> bool:
    if step.walk is not None:
        return False
    mine = {column.name for column, _ in step.pairs if not column.parts}
    theirs = {column.name for _, column in step.pairs if not column.parts}
    one, other = set(table_of(use).primary_key), set(table_of(step.to).primary_key)
    return bool((one and one <= mine) or (other and other <= theirs))


def pairs(use: Source, to: Source, equivalences: Equivalences) -> tuple[tuple[Column, Column], ...]:
    """Columns of a use, each with one of `to` that equals it."""
    found = []
    ours = [(at, mine) for at, mine in _terms(use, equivalences) if mine.streamed]
    for theirs_at, theirs in _terms(to, equivalences):
        for mine_at, mine in ours:
            if equivalences.equal(mine_at, theirs_at) and _equatable(mine, theirs):
                found.append((mine, theirs))
                break
    return tuple(found)


def _bounds(
    use: Source, to: Source, pairs: tuple[tuple[Column, Column], ...], equivalences: Equivalences
) -> tuple[Bound, ...]:
    """What the inequalities of the mapping say of the use's columns and those of `to`. Not of elements of arrays, of
    which one may meet them and another not."""
    if any(column.many for pair in pairs for column in pair):
        return ()
    found: list[Bound] = []
    for fact in equivalences.facts():
        if isinstance(fact, Inequality):
            sign = "<" if fact.strict else "<="
            found += _bound(use, to, equivalences, fact, (fact.lower, sign, fact.upper))
            found += _bound(use, to, equivalences, fact, (fact.upper, sign.replace("<", ">"), fact.lower))
    there = {bound.theirs for bound in found if _is_filled(bound.theirs) or not bound.nullable}
    kept = [bound for bound in found if bound.theirs in there]
    return _carried(use, pairs, tuple(dict.fromkeys(kept)))


def _bound(
    use: Source, to: Source, held: Equivalences, fact: Inequality, sides: tuple[Node, str, Node]
) -> Iterator[Bound]:
    """`sides`: a column that may be the use's, how it compares, and one that may be that of `to`. One that is nullable
    must be the use's, and NULL nowhere but on rows of the use that have it so."""
    one, sign, other = sides
    mine = [(at, column) for at, column in _ordered(use) if column.streamed and held.equal(at, one)]
    theirs = [column for at, column in _ordered(to) if held.equal(at, other)]
    if fact.nullable is not None:
        below = set(null_below(held, one)) if fact.nullable == one and is_matched(one[0].region, fact.guard) else set()
        mine = [(at, column) for at, column in mine if at in below and extremes(column) is not None]
    columns = [column for _, column in mine]
    columns = [column for column in columns if names_of([column]) <= table_of(use).identity] or columns
    if columns and theirs and ordered(columns[0], theirs[0]):
        yield Bound(columns[0], sign, theirs[0], fact.nullable is not None)


def _carried(use: Source, pairs: tuple[tuple[Column, Column], ...], bounds: tuple[Bound, ...]) -> tuple[Bound, ...]:
    """Those by which no order of an old row is missed, and for which the reverse index doesn't grow without need: of
    columns that the replica identity lacks it must tell the old rows, and an order may have many rows that are bounded
    on one side alone."""
    tables = tables_of(use)
    carried = tuple(bound for bound in bounds if all(names_of([bound.mine]) <= table.identity for table in tables))
    if len(carried) == len(bounds) or not all(table.tells_rows for table in tables):
        return carried
    names = names_of(mine for mine, _ in pairs)
    indexed = any(not names <= table.identity for table in tables)
    both_sides = any(one.theirs == other.theirs and one.sign[0] != other.sign[0] for one in bounds for other in bounds)
    return bounds if indexed or both_sides else carried


def _stored(use: Source) -> Iterator[tuple[Node, Column]]:
    for name, column in table_of(use).columns.items():
        yield (use, name), column


def _ordered(use: Source) -> Iterator[tuple[Node, Column]]:
    """The columns of a use, then the days of its time stamps that the mapping's conditions compare."""
    yield from _stored(use)
    yield from ((at, column) for at, column in _expressions(use) if column.is_day)


def _is_filled(column: Column) -> bool:
    return all(stored.not_null for stored in column.stored)


def _expressions(use: Source) -> Iterator[tuple[Node, Column]]:
    for key in sorted(use.computed, key=str):
        made = column_of((use, key))
        if made is not None:
            yield (use, key), made


def _equatable(mine: Column, theirs: Column) -> bool:
    if not comparable(mine, theirs) or (mine.many and theirs.many):
        return False
    return not (mine.many or theirs.many) or may_be_listed(*((theirs, mine) if mine.many else (mine, theirs)))


def _terms(use: Source, equivalences: Equivalences) -> Iterator[tuple[Node, Column]]:
    """The columns of a use, then the expressions over them that the mapping's conditions compare, then the elements of
    its arrays, and the expressions over those."""
    yield from _stored(use)
    yield from _expressions(use)
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
