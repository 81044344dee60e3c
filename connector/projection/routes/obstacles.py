"""Why no route is found for some uses: what stands in the way, said once, and what to write instead. No I/O.

Asked only when a mapping is refused. What would lead to the key if one thing were otherwise shows that this is it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from connector.model.errors import Problem
from connector.projection.analysis.conditions.unfollowed import PRINTED, unfollowed, written
from connector.projection.analysis.coupling import Coupling, coupling, shown
from connector.projection.analysis.scopes import Key, Node, Scope, Source
from connector.projection.routes.chains import table_of
from connector.projection.routes.cross_joins import mentioned, terms_of
from connector.projection.routes.equivalence import Equivalences
from connector.projection.routes.key import KeyUse
from connector.projection.routes.steps import pairs
from connector.projection.routes.ways import Ways
from connector.projection.sql.mapping import Mapping
from connector.projection.sql.syntax import name_of, own_windows


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """`part`: the identity of what it is about in the mapping's tree; of a view's or a CTE's text the same wherever
    that is read."""

    why: str
    rewrite: str
    part: int


class _Uncoupled(Equivalences):
    """As if no LIMIT, window or the like put the rows of several orders together."""

    def _lets_out(self, scope: Scope, node: Node) -> bool:
        return True


class _Alike(Equivalences):
    """As if equal values were alike in everything."""

    def _merges(self, scope: Scope, part: Node, key: Key) -> bool:
        return False


def no_route_problems(
    mapping: Mapping, unrouted: Sequence[Source], uses: Sequence[Source], key: KeyUse
) -> list[Problem]:
    """One for each obstacle, with the uses that it keeps from the key."""
    found = _Obstacles(unrouted, uses, key)
    kept: dict[tuple[int, str], tuple[_Obstacle, list[Source]]] = {}
    for use in unrouted:
        obstacle = found.of(use)
        kept.setdefault((obstacle.part, obstacle.why), (obstacle, []))[1].append(use)
    return [_problem(mapping, obstacle, those) for obstacle, those in kept.values()]


def _problem(mapping: Mapping, obstacle: _Obstacle, uses: Sequence[Source]) -> Problem:
    *names, last = dict.fromkeys(map(_name, uses))
    listed = f"{', '.join(names)} or {last}" if names else last
    view = uses[0].scope.view
    inside = f" (in view {view})" if view is not None else ""
    what = f"no way leads from a changed row of {listed} to the orders that it changes{inside}: {obstacle.why}"
    tables = ", ".join(f'"{name}"' for name in dict.fromkeys(table_of(use).name for use in uses))
    sweep = f"or list {tables} in mapping.sweep_tables, and every order is looked at when a row there changes"
    return mapping.problem(what, uses[0].at, f"{obstacle.rewrite}; {sweep}")


def _name(use: Source) -> str:
    name = table_of(use).name
    return f"{name} (alias {use.alias})" if use.alias != name.name else str(name)


class _Obstacles:
    def __init__(self, unrouted: Sequence[Source], uses: Sequence[Source], key: KeyUse) -> None:
        self._unrouted = unrouted
        self._key = key
        self._uncoupled = Ways(uses, key, _Uncoupled)
        self._alike = Ways(uses, key, _Alike)
        self._held = {use: Equivalences(use, key.use) for use in unrouted}
        self._own = {use: self._of_one(use) for use in unrouted}

    def of(self, use: Source) -> _Obstacle:
        """Its own, or that of one to which it is joined: a way from one of them is a way from all."""
        joined = self._joined(use)
        own = (self._own[each] for each in joined)
        missing = (found for each in joined for found in self._missing_side(each, joined))
        return next((found for found in (*own, *missing) if found is not None), _unjoined(joined[0], self._key))

    def _joined(self, use: Source) -> list[Source]:
        """The uses without a route that are joined to it by way of each other, and itself."""
        found = [use]
        for one in found:
            others = (other for other in self._unrouted if other not in found)
            found += [other for other in others if self._leads(one, other) or self._leads(other, one)]
        return sorted(found, key=self._unrouted.index)

    def _leads(self, use: Source, to: Source) -> bool:
        return to in self._held[use].present and bool(pairs(use, to, self._held[use]))

    def _of_one(self, use: Source) -> _Obstacle | None:
        second = next((scope for scope in _around(use) if scope.self_join), None)
        if second is not None:
            return _window(second)
        if self._alike.of(use):
            return _unlike(use)
        if self._uncoupled.of(use) or any(scope.opaque_grouping for scope in _around(use)):
            return _competing(use)
        return next(self._conditions(use), None) or next(_rounds(use), None)

    def _conditions(self, use: Source) -> Iterator[_Obstacle]:
        for scope, term in _terms(use, self._key):
            found = unfollowed(scope, term)
            if found is not None:
                yield _Obstacle(found.why, found.rewrite, id(term))
        yield from self._generated(use)
        yield from _listed(use)

    def _generated(self, use: Source) -> Iterator[_Obstacle]:
        equal = self._held[use].classes()
        for name, column in table_of(use).columns.items():
            if column.generated and any(node[0] is not use for node in equal.get((use, name), ())):
                why = (
                    f"{shown((use, name))} is a generated column, not streamed before Postgres 18, and from then on"
                    " only if it is stored and the publication says so"
                )
                rewrite = f"write its expression in the place of {shown((use, name))}: {column.generated}"
                yield _Obstacle(why, rewrite, id(use.scope.select))

    def _missing_side(self, use: Source, joined: Sequence[Source]) -> Iterator[_Obstacle]:
        """It is joined, but only on rows that need not be there."""
        for scope, term in _terms(use, self._key):
            others = {source for source in mentioned(scope, term) if source not in joined}
            if others and isinstance(term, exp.EQ):
                why = (
                    f"{written(term)} joins it by a row of an outer join, and any order may see it where there is none"
                )
                rewrite = "join it by a column of the order, or of a table that an inner join joins to the order"
                if term.find(*PRINTED) is not None:
                    rewrite = f"write || in the place of concat or format: it is NULL where there is none; or {rewrite}"
                yield _Obstacle(why, rewrite, id(term))


def _unjoined(use: Source, key: KeyUse) -> _Obstacle:
    table, columns = table_of(use), ", ".join(f"{key.use.alias}.{name}" for name in key.names)
    rows = f" (it has about {round(table.rows):,})" if table.rows > 0 and not table.few else ""
    why = f"no = of columns joins it to the order, which only a table of few rows can do without{rows}"
    return _Obstacle(why, f"join it with = to the order ({columns}) or to a table joined so", id(use.scope.select))


def _around(use: Source) -> Iterator[Scope]:
    scope: Scope | None = use.scope
    while scope is not None:
        yield scope
        scope = scope.parent


def _terms(use: Source, key: KeyUse) -> Iterator[tuple[Scope, exp.Expr]]:
    """The conditions that relate the use, or what its rows become in the scopes around, to something else."""
    source: Source | None = use
    for scope in _around(use):
        for inner in scope.all_scopes() if source is not None else ():
            for term in terms_of(inner):
                sources = set(mentioned(inner, term))
                if source in sources and len(sources) > 1:
                    yield inner, term
                    yield from _around_subqueries(inner, scope)
        if scope.parent is not None:
            yield from _around_subqueries(scope, scope.parent)
        source = scope.holder if scope.holder is not None and scope.holder in scope.holder.scope.sources else None
        if key.use.scope.within(scope):
            return


def _around_subqueries(scope: Scope, outer: Scope) -> Iterator[tuple[Scope, exp.Expr]]:
    """The IN, EXISTS, ANY or ALL that a subquery is in, and those around it up to a scope."""
    while scope is not outer and scope.parent is not None:
        around, inner = scope.select.parent, scope
        scope = scope.parent
        while isinstance(around, (exp.Subquery, exp.Paren, exp.Any, exp.All)):
            around = around.parent
        if isinstance(around, (exp.In, exp.Exists, exp.EQ, exp.NEQ)) and inner.holder not in scope.sources:
            negated = around.parent
            while isinstance(negated, exp.Paren):
                negated = negated.parent
            yield scope, negated if isinstance(negated, exp.Not) else around


def _listed(use: Source) -> Iterator[_Obstacle]:
    """By a column of VALUES, or of a function in FROM, whose columns aren't followed."""
    for scope, term in [(around, term) for around in _around(use) for term in terms_of(around)]:
        names = {name_of(column.args["table"]) for column in term.find_all(exp.Column) if column.args.get("table")}
        made = any(source.open and source.alias in names for source in scope.sources)
        if made and isinstance(term, exp.EQ) and use in mentioned(scope, term):
            why = f"{written(term)} joins it by a row that no table has, and no lookup goes from one to the order"
            rewrite = "keep the list in a table, or take it from a column by unnest or jsonb_array_elements"
            yield _Obstacle(why, rewrite, id(term))


def _unlike(use: Source) -> _Obstacle:
    why = (
        "it is joined by what an expression makes of a column after rows with equal values of that were put together,"
        " and equal numbers may have several texts (1 and 1.00)"
    )
    rewrite = "give the expression a name in a subquery below, and group, choose or partition by that"
    together = (it for it in _around(use) if it.distinct or it.partitions or it.grouping or it.distinct_on)
    return _Obstacle(why, rewrite, id(next(together, use.scope).select))


def _competing(use: Source) -> _Obstacle | None:
    """The innermost scope around that puts the rows of several orders together."""
    for scope in _around(use):
        found = _coupled(scope)
        if found is not None:
            return _Obstacle(found.why, found.rewrite, id(scope.select))
    return None


def _coupled(scope: Scope) -> Coupling | None:
    """By the columns that the scope around joins it by, where it does."""
    holder = scope.holder
    joined: list[Node | None] = []
    for condition in holder.scope.conditions if holder is not None else ():
        for source, key in (condition.left, condition.right):
            if source is holder and isinstance(key, int) and key < len(scope.outputs):
                joined += scope.outputs[key].nodes
    return next((found for node in joined or [None] if (found := coupling(scope, node)) is not None), None)


def _window(second: Scope) -> _Obstacle:
    """A window above the order sees orders that no equality finds."""
    select = second.select
    windows = list(own_windows(select)) if isinstance(select, exp.Select) else []
    distinct = select.args.get("distinct")
    on = distinct.args.get("on") if distinct is not None else None
    part = next((window for window in windows if not window.args.get("partition_by")), None)
    if on is not None and windows:
        why = "DISTINCT ON and a window put rows of several orders together, by different columns"
        return _Obstacle(why, "name the same columns in DISTINCT ON and in each PARTITION BY", id(select))
    if on is None and part is not None:
        why = f"{written(part)} sees the rows of all orders, as it has no PARTITION BY"
        return _Obstacle(
            why, "write OVER (PARTITION BY ...) with a column that is never NULL, or with the order key", id(select)
        )
    word = "PARTITION BY" if on is None else "DISTINCT ON"
    columns = [on] if on is not None else windows[0].args["partition_by"] if windows else []
    listed = ", ".join(column.sql(dialect="postgres").strip("()") for column in columns)
    why = f"{word} {listed} puts orders together, those too in which it is NULL, and no lookup finds a NULL"
    return _Obstacle(why, f"add WHERE {listed} IS NOT NULL, or name the order key in {word}, too", id(select))


def _rounds(use: Source) -> Iterator[_Obstacle]:
    for scope in _around(use):
        if scope.recursive:
            why = "it is in a recursive CTE whose rounds can't be walked back to the orders"
            rewrite = (
                "let each round give plain columns of inner joins (whole numbers or uuid: a row's parent, the order),"
                " and join everything else outside of the recursion"
            )
            yield _Obstacle(why, rewrite, id(scope.select))
