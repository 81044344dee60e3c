"""The mapping, restricted to some orders inside the query: edits of the user's own text.

The restriction at the top makes it right; those pushed into derived tables and CTEs only make it fast, as Postgres does
not carry `= ANY` through a join into a grouped one. Pushed only where rows of other orders can't matter. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterator

from connector.errors import ConfigurationError
from connector.projection.influence import Influence
from connector.projection.key import KeyUse
from connector.projection.keys import quoted
from connector.projection.mapping import Edit, Mapping
from connector.projection.paths import asked
from connector.projection.scopes import Node, Scope, Source

RESERVED = "__order_"
HIDDEN = "__order_key_"


def hidden_names(key: KeyUse) -> list[str]:
    return [f"{HIDDEN}{number}" for number in range(1, len(key.columns) + 1)]


def restricted(mapping: Mapping, top: Scope, key: KeyUse) -> str:
    """The text with the order key as further output columns `__order_key_1`, ... and one array parameter for each.

    Raises ConfigurationError when the key can't be led to the top without changing what the mapping says."""
    if RESERVED in mapping.text:
        at = mapping.text.index(RESERVED)
        raise ConfigurationError([mapping.problem(f"names with {RESERVED} are the connector's own", at)])
    types = [column.type_name for column in key.columns]
    edits: dict[Edit, None] = {}
    expressions, at = _lead_up(mapping, top, key, edits)
    outputs = ", ".join(f"{e} AS {quoted(n)}" for e, n in zip(expressions, hidden_names(key), strict=True))
    edits[mapping.more_output(at, outputs)] = None
    for edit in mapping.restriction(at, asked(expressions, types)):
        edits[edit] = None
    for place, columns in _pushes(top, key):
        for edit in mapping.restriction(place, asked(columns, types)):
            edits[edit] = None
    return mapping.edited(list(edits))


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
            expressions = [_written(node) for node in nodes]
        else:
            _refuse_whole_row(mapping, top, scope, key)
            names = hidden_names(key)
            outputs = ", ".join(f"{e} AS {quoted(n)}" for e, n in zip(expressions, names, strict=True))
            edits[mapping.more_output(source.at, outputs)] = None
            nodes, expressions = None, [quoted(holder.alias, name) for name in names]
        source = holder
    return expressions, source.at


def _shown(scope: Scope, node: Node, holder: Source) -> Node | None:
    for number, output in enumerate(scope.outputs):
        if output.node == node and number in holder.columns.values():
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


def _pushes(top: Scope, key: KeyUse) -> Iterator[tuple[int, list[str]]]:
    """Places inside derived tables and CTEs, with the columns there that equal the key. A text that is read in several
    places is restricted only when all of them allow the same."""
    instances: dict[int, list[Scope]] = {}
    for scope in top.all_scopes():
        if scope is not top:
            instances.setdefault(id(scope.select), []).append(scope)
    for scopes in instances.values():
        found = [_push(scope, key) for scope in scopes]
        first = found[0]
        if first is not None and all(other == first for other in found):
            yield first


def _push(scope: Scope, key: KeyUse) -> tuple[int, list[str]] | None:
    if scope is key.use.scope:
        return key.use.at, [_written(node) for node in key.nodes()]
    holder = scope.holder
    if holder is None or holder not in holder.scope.sources:
        return None
    influence = Influence(holder, key.use)
    nodes = []
    for wanted in key.nodes():
        equal = [
            output.node
            for number, output in enumerate(scope.outputs)
            if output.node is not None
            and output.node[0].scope is scope
            and scope.why_coupled(output.node) is None
            and influence.equal((holder, number), wanted)
        ]
        if not equal:
            return None
        nodes.append(equal[0])
    return nodes[0][0].at, [_written(node) for node in nodes]


def _written(node: Node) -> str:
    source, key = node
    return quoted(source.alias, source.visible(key))
