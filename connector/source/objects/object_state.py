"""The state of the source's objects in a form that can be stored and compared with a later one.

Tables with their columns, identities and partitions, and what publishes them. No I/O.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from connector.model.changes import TableName
from connector.source.objects.catalog import TableFacts
from connector.source.objects.publication_pair import PublicationPair


@dataclass(frozen=True, slots=True)
class TableState:
    """Of one wanted table; as in TableFacts. `published`: in which publications it stands, and since when."""

    kind: str | None
    persistence: str | None
    oid: int | None
    columns: str | None
    identity: str | None
    identified: bool
    partitions: str | None
    children: str
    published: str
    row_security: str = ""

    def analysed_alike(self, other: TableState) -> bool:
        """No difference to the analysis of a mapping that reads it."""
        return self._analysed() == other._analysed()

    def _analysed(self) -> tuple[object, ...]:
        return (self.kind, self.persistence, self.oid, self.columns, self.identity, self.children, self.row_security)


@dataclass(frozen=True, slots=True)
class State:
    """`publications`: another text once an option of one was altered, or one was made anew."""

    tables: Mapping[TableName, TableState]
    publications: str

    def dump(self) -> str:
        tables = [[name.schema, name.name, asdict(state)] for name, state in sorted(self.tables.items())]
        return json.dumps({"tables": tables, "publications": self.publications}, separators=(",", ":"))


def load(text: str) -> State | None:
    """None for what another version wrote."""
    try:
        found = json.loads(text)
        tables = {TableName(schema, name): TableState(**state) for schema, name, state in found["tables"]}
        return State(tables, str(found["publications"]))
    except (KeyError, TypeError, ValueError):
        return None


def state_of(facts: Sequence[TableFacts], pair: PublicationPair) -> State:
    tables = {fact.table: _state_of(fact, _published(pair, fact.table)) for fact in facts}
    return State(tables, ",".join(each.stamp for each in pair.existing))


def _state_of(fact: TableFacts, published: str) -> TableState:
    same = {each.name: getattr(fact, each.name) for each in fields(TableState) if each.name != "published"}
    return TableState(**{**same, "children": ",".join(fact.children)}, published=published)


def _published(pair: PublicationPair, table: TableName) -> str:
    covering = [each for each in pair.existing if each.covers(table)]
    return ",".join(f"{each.name}:{each.listed.get(table, 'unnamed')}" for each in covering)
