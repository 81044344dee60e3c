"""Our own queries along a route, taken apart: each table that one reads, and by what it is entered. No I/O.

So whether an index serves can be asked for each table by itself, whatever order of joins the planner takes today.
"""
# ruff: noqa: S608  names come quoted from the catalog, conditions are those of our own queries

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from connector.model.changes import TableName
from connector.postgres.quoting import quoted
from connector.projection.assembly.plans.conditions import Condition, Term, conjuncts, split, without_parameters
from connector.projection.sql.identifiers import unquoted

_NAME = r'"(?:[^"]|"")+"'
_TABLE = re.compile(rf"({_NAME})\.({_NAME}) (?:AS )?(\w+)(?: ON (.*))?", re.DOTALL)


_HERE = "\0"
"""Where the alias of a step's own table belongs."""


@dataclass(frozen=True, slots=True)
class Step:
    """`terms`: what the table is entered by. `where`: that, and the conditions that all rows wanted of it meet."""

    table: TableName
    terms: tuple[Term, ...]
    where: str

    def probe(self, alias: str) -> str:
        """A query that enters this table alone in the same way, under an alias."""
        where = self.where.replace(_HERE, alias)
        return f"SELECT 1 FROM {quoted(self.table.schema, self.table.name)} {alias} WHERE {where}"


def steps(query: str) -> list[Step]:
    """In the order in which the tables are entered, from the parameters on."""
    body = split(query, " FROM ")[1]
    source, *where = split(body, " WHERE ")
    tables: dict[str, TableName] = {}
    conditions = [each for text in where for each in conjuncts(text)]
    for part in split(source, " JOIN "):
        found = _TABLE.fullmatch(part.strip())
        if found is None:
            return []
        tables[found[3]] = TableName(unquoted(found[1]), unquoted(found[2]))
        conditions += conjuncts(found[4]) if found[4] else ()
    return list(_entered(tables, conditions))


def _entered(tables: dict[str, TableName], conditions: list[Condition]) -> Iterator[Step]:
    reached: list[str] = []
    while True:
        following = [
            (alias, leading)
            for alias in tables
            if alias not in reached and (leading := _leading(alias, reached, conditions))
        ]
        if not following:
            return
        for alias, leading in following:
            yield _step(alias, leading, tables, conditions)
            reached.append(alias)


def _leading(alias: str, reached: list[str], conditions: list[Condition]) -> list[Condition]:
    return [each for each in conditions if each.entering(alias) and each.aliases <= {alias, *reached}]


def _step(alias: str, leading: list[Condition], tables: dict[str, TableName], conditions: list[Condition]) -> Step:
    constants = [each for each in conditions if each.is_constant(alias)]

    def written(owner: str, name: str) -> str:
        if owner == alias:
            return f"{_HERE}.{quoted(name)}"
        # A value of the type that the other column has; what is no table's is a name inside of a subquery of ours.
        other = tables.get(owner)
        return f"(SELECT o.{quoted(name)} FROM {quoted(other.schema, other.name)} o LIMIT 1)" if other else name

    where = " AND ".join(f"({without_parameters(each.with_columns(written))})" for each in (*leading, *constants))
    terms = tuple(dict.fromkeys(term for each in leading for term in each.entering(alias)))
    return Step(tables[alias], terms, where)
