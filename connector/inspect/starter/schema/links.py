"""How tables refer to each other: by their foreign keys, and by the names of their columns where none is declared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from connector.inspect.starter.schema.facts import ForeignKey, Schema, TableFacts
from connector.inspect.starter.schema.names import concepts, singular, words
from connector.model.changes import TableName
from connector.projection.catalog.columns import comparable

_KEYS = frozenset({"key", "number", "sku"})
"""What the words mean that say only that a column tells a row."""


def linked(schema: Schema, prefixes: frozenset[str]) -> Schema:
    """The same with the references that names suggest. A table that declares its foreign keys is believed about the
    columns that they cover."""
    entities, holders = _entities(schema, prefixes), _by_key_column(schema)
    found = {}
    for name, facts in schema.items():
        covered = {column for key in facts.keys for column in key.columns}
        guessed = {(key.columns, key.table): key for key in _by_name(schema, facts, entities, holders)}
        more = [key for key in guessed.values() if not covered & set(key.columns)]
        found[name] = replace(facts, keys=(*facts.keys, *more))
    return found


def _entities(schema: Schema, prefixes: frozenset[str]) -> dict[str, list[TableName]]:
    """Tables by what one row of them is called: `oscar_order_lines` is an order_line."""
    found: dict[str, list[TableName]] = {}
    for table in schema:
        found.setdefault(_entity(table.name, prefixes), []).append(table)
    return found


def _entity(name: str, prefixes: frozenset[str]) -> str:
    kept = [word for word in words(name) if word not in prefixes] or list(words(name))
    spoken = [word for word in kept if concepts(word) not in ({"header"}, frozenset())] or kept
    return singular("_".join(spoken))


def _by_key_column(schema: Schema) -> dict[str, list[TableFacts]]:
    """Tables by the first telling column of their primary key."""
    found: dict[str, list[TableFacts]] = {}
    for facts in schema.values():
        telling = [column for column in facts.identity if not _plain(column)]
        if telling:
            found.setdefault(telling[0], []).append(facts)
    return found


def _by_name(
    schema: Schema,
    facts: TableFacts,
    entities: dict[str, list[TableName]],
    holders: dict[str, list[TableFacts]],
) -> Iterator[ForeignKey]:
    for other in (each for column in facts.columns for each in holders.get(column, ())):
        key = other.identity
        if other.name != facts.name and _holds_key(facts, other):
            yield ForeignKey(key, other.name, key, declared=False)
    for column in facts.columns:
        target = _named_after(facts, column, schema, entities)
        if target is not None:
            yield ForeignKey((column,), target.name, target.identity, declared=False)


def _holds_key(facts: TableFacts, other: TableFacts) -> bool:
    """Whether all columns of the other's primary key are here under the same names, and not as a whole key of this
    table, which would be another table of the same things."""
    key = other.identity
    within = all(column in facts.columns and comparable(facts.columns[column], other.columns[column]) for column in key)
    return within and set(facts.identity) != set(key)


def _plain(column: str) -> bool:
    """`id`, `no`, `code`, `line_no`: a name that many tables have."""
    return concepts(column) <= {"key", "number", "line", "name"}


def _named_after(
    facts: TableFacts, column: str, schema: Schema, entities: dict[str, list[TableName]]
) -> TableFacts | None:
    """The one table whose row `customer_id` names, when its type fits."""
    spoken = words(column)
    if len(spoken) > 1 and _says_key(spoken[-1]):
        spoken, last = spoken[:-1], spoken[-2]
    elif len(spoken) > 1 and _says_key(spoken[0]):
        # `id_cliente`, `kLieferAdresse`, `id_direccion_envio`: the entity is first or last of what is left.
        spoken = spoken[1:]
        last = spoken[-1] if entities.get(singular(spoken[-1])) else spoken[0]
    else:
        return None
    targets = entities.get(singular("_".join(spoken))) or entities.get(singular(last)) or _alike(spoken, schema)
    near = [target for target in targets if target.schema == facts.name.schema] or targets
    if len(near) != 1 or near[0] == facts.name:
        return None
    target = schema[near[0]]
    key = target.identity
    if len(key) != 1 or not comparable(facts.columns[column], target.columns[key[0]]):
        return None
    return target


def _says_key(word: str) -> bool:
    """`id`, `code`, `no`; and the `k` before the names of key columns."""
    return (bool(concepts(word)) and concepts(word) <= _KEYS) or word in ("k", "fk")


def _alike(spoken: tuple[str, ...], schema: Schema) -> list[TableName]:
    """Tables that mean the same in another word or language."""
    wanted = concepts("_".join(spoken))
    if any(word.endswith("?") for word in wanted):
        return []
    return [table for table in schema if concepts(table.name) - {"header"} == wanted]
