"""The mapping, restricted to some orders inside the query: edits of the user's own text.

The restriction at the top makes it right; those pushed into derived tables and CTEs only make it fast, as Postgres does
not carry `= ANY` through a join into a grouped one. Pushed only where rows of other orders can't matter. No I/O.
"""

# ruff: noqa: S608  names come quoted from the catalog, values as parameters

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector.model.errors import ConfigurationError
from connector.postgres.quoting import quoted
from connector.projection.analysis.coupling import coupling
from connector.projection.analysis.scopes import Node, Scope, Source
from connector.projection.routes.equivalence import Equivalences, exclusive
from connector.projection.routes.key import KeyUse
from connector.projection.sql.keys import among
from connector.projection.sql.mapping import Edit, Mapping

RESERVED = "__order_"
HIDDEN = "__order_key_"
_AROUND = "__order_rows"


def hidden_names(key: KeyUse) -> list[str]:
    return [f"{HIDDEN}{number}" for number in range(1, len(key.columns) + 1)]


def restricted(mapping: Mapping, top: Scope, keys: Sequence[KeyUse]) -> str:
    """The text with the order key as further output columns `__order_key_1`, ... and one array parameter for each.

    Raises ConfigurationError when the key can't be led to the top without changing what the mapping says."""
    if RESERVED in mapping.text:
        at = mapping.text.index(RESERVED)
        raise ConfigurationError(
            [mapping.problem(f"names with {RESERVED} are the connector's own", at, "give it another name")]
        )
    edits: dict[Edit, None] = {}
    for leaf in top.leaves():
        own = [key for key in keys if key.use.scope.within(leaf)]
        led = [_lead_up(mapping, leaf, key, edits) for key in own]
        if not led or any(expressions != led[0][0] for expressions, _ in led):
            what = "the order key is not at one place in this SELECT"
            hint = "read the order table once in it, or give the key at the same place in each branch of the union"
            raise ConfigurationError([mapping.problem(what, leaf.at, hint)])
        expressions, at = led[0]
        outputs = ", ".join(f"{e} AS {quoted(n)}" for e, n in zip(expressions, hidden_names(own[0]), strict=True))
        edits[mapping.more_output(at, outputs)] = None
        if not leaf.coupled:
            edits |= dict.fromkeys(mapping.restriction(at, among(expressions, _types(keys[0]))))
    for place, condition in [*_pushes(top, keys), *_partitions(top, keys)]:
        edits |= dict.fromkeys(mapping.restriction(place, condition))
    text = mapping.edited(list(edits))
    if not any(leaf.coupled for leaf in top.leaves()):
        return text
    # The rows of other orders in the same partition have been read by then.
    names = [quoted(_AROUND, name) for name in hidden_names(keys[0])]
    return f"SELECT * FROM (\n{text}\n) AS {quoted(_AROUND)} WHERE {among(names, _types(keys[0]))}"


def pushed_places(top: Scope, keys: Sequence[KeyUse]) -> list[int]:
    """Where, inside of CTEs and derived tables, only the asked orders are read."""
    return [place for place, _ in [*_pushes(top, keys), *_partitions(top, keys)]]


def key_columns(scope: Scope, keys: Sequence[KeyUse]) -> Iterator[tuple[int, list[str]]]:
    """Places in and below a scope where columns say which order a row belongs to, with the columns there."""
    for inner in scope.all_scopes():
        for key in keys:
            found = _pushed(inner, key) if inner.view is None and not inner.alternatives else None
            if found is not None:
                yield found


def _types(key: KeyUse) -> list[str]:
    return [column.asked_as for column in key.columns]


def _lead_up(mapping: Mapping, top: Scope, key: KeyUse, edits: dict[Edit, None]) -> tuple[list[str], int]:
    """Make every scope on the way up let the key out. Returns the key's expressions at the top and a place there."""
    nodes: list[Node] | None = key.nodes()
    expressions, source = [_written(node) for node in key.nodes()], key.use
    while source.scope is not top:
        scope, holder = source.scope, source.scope.holder
        assert holder is not None  # noqa: S101  # key.py found the use through FROM
        shown = [_shown(scope, node, holder) for node in nodes] if nodes else []
        if nodes and all(shown):
            nodes = [node for node in shown if node is not None]
            expressions = [] if holder.scope.alternatives else [_written(node) for node in nodes]
        else:
            _refuse_fixed(mapping, scope, holder, key)
            _refuse_whole_row(mapping, top, scope, key)
            names = hidden_names(key)
            outputs = ", ".join(f"{e} AS {quoted(n)}" for e, n in zip(expressions, names, strict=True))
            edits[mapping.more_output(source.at, outputs)] = None
            nodes, expressions = None, [quoted(holder.alias, name) for name in names]
        source = holder
    return expressions, source.at


def _refuse_fixed(mapping: Mapping, scope: Scope, holder: Source, key: KeyUse) -> None:
    """No output can be added to a view, nor to one branch of a set operation."""
    names = ", ".join(f"{key.use.alias}.{name}" for name in key.names)
    if scope.view is not None:
        what = f"the view {scope.view} does not show the order key {names}"
        raise ConfigurationError([mapping.problem(what, scope.at, "read its tables instead")])
    if scope.alternatives or holder.scope.alternatives:
        what = f"the order key {names} must be among the columns of every branch, at the same place"
        raise ConfigurationError([mapping.problem(what, scope.at, "select it in each")])


def _shown(scope: Scope, node: Node, holder: Source) -> Node | None:
    for number, output in enumerate(scope.outputs):
        if node in output.nodes and number in holder.columns.values():
            grouping = holder.scope.grouping
            if grouping is None or (holder, number) in grouping:
                return holder, number
    return None


def _refuse_whole_row(mapping: Mapping, top: Scope, scope: Scope, key: KeyUse) -> None:
    """A further output of a derived table would show where the whole of it is read."""
    for other in top.all_scopes():
        holder = other.holder
        if other.select is scope.select and holder is not None and holder in holder.scope.whole_rows:
            names = ", ".join(f"{key.use.alias}.{name}" for name in key.names)
            what = f"the order key must be among the columns of {holder.alias}, which is read as a whole"
            raise ConfigurationError([mapping.problem(what, holder.at, f"select {names} in it")])


def _pushes(top: Scope, keys: Sequence[KeyUse]) -> Iterator[tuple[int, str]]:
    """Places inside derived tables and CTEs, with a condition on the columns there that equal the key. A text that is
    read in several places is restricted only when all of them allow the same."""
    leaves = set(top.leaves())
    for scopes in _instances(top).values():
        if any(scope in leaves or scope.alternatives or scope.view is not None for scope in scopes):
            continue
        found = [_push(scope, [key for key in keys if not exclusive(scope, key.use.scope)]) for scope in scopes]
        first = found[0]
        if first is not None and all(other == first for other in found):
            yield first[0], among(first[1], _types(keys[0]))


def _instances(top: Scope) -> dict[int, list[Scope]]:
    instances: dict[int, list[Scope]] = {}
    for scope in top.all_scopes():
        instances.setdefault(id(scope.select), []).append(scope)
    return instances


def _push(scope: Scope, keys: Sequence[KeyUse]) -> tuple[int, list[str]] | None:
    """The same columns must equal the key by whichever use it comes."""
    found = [_pushed(scope, key) for key in keys]
    return found[0] if found and all(other == found[0] for other in found) else None


def _pushed(scope: Scope, key: KeyUse) -> tuple[int, list[str]] | None:
    if _in_coupled(scope):
        return None
    if scope is key.use.scope:
        return key.use.at, [_written(node) for node in key.nodes()]
    holder = scope.holder
    if holder is None or holder not in holder.scope.sources:
        return None
    equivalences = Equivalences(holder, key.use)
    nodes = []
    for wanted in key.nodes():
        equal = [
            output.node
            for number, output in enumerate(scope.outputs)
            if output.node is not None
            and output.node[0].scope is scope
            and coupling(scope, output.node) is None
            and equivalences.equal((holder, number), wanted)
        ]
        if not equal:
            return None
        nodes.append(equal[0])
    return nodes[0][0].at, [_written(node) for node in nodes]


def _in_coupled(scope: Scope | None) -> bool:
    while scope is not None and not scope.coupled:
        scope = scope.parent
    return scope is not None


def _partitions(top: Scope, keys: Sequence[KeyUse]) -> Iterator[tuple[int, str]]:
    """Where a window sees several orders, only the partitions of the asked ones need to be read. Only when the
    partition is by columns of the key's own table, and all windows have the same."""
    for scopes in _instances(top).values():
        main = [scope for scope in scopes if scope.coupled and not _in_coupled(scope.parent)]
        others = [scope for scope in scopes if not (scope.self_join and scope.parent in main)]
        key = next((key for key in keys if [key.use.scope] == main == others), None)
        seconds = [holder.inner for holder in main[0].holders if holder.inner and holder.inner.self_join] if key else []
        if key is None or len(seconds) != 1 or main[0].view is not None:
            continue
        [second] = seconds
        place = key.use.scope.sources.index(key.use)
        columns = [o.node[1] for o in second.outputs if o.node and o.node[0] is second.sources[place]]
        if columns and len(columns) == len(second.outputs):
            ours = ", ".join(_written((key.use, column)) for column in columns)
            theirs = ", ".join(quoted(_AROUND, str(column)) for column in columns)
            table = quoted(key.table.name.schema, key.table.name.name)
            those = among([quoted(_AROUND, name) for name in key.names], _types(key))
            rows = f"SELECT {theirs} FROM {table} AS {quoted(_AROUND)} WHERE {those}"
            yield key.use.at, f"({ours}) IN ({rows})"


def _written(node: Node) -> str:
    source, key = node
    return quoted(source.alias, source.visible(key))
