"""Our own queries along a route, taken apart: each table that one reads, and by what it is entered. No I/O.

So whether an index serves can be asked for each table by itself, whatever order of joins the planner takes today.
"""
# ruff: noqa: S608  names come quoted from the catalog, conditions are those of our own queries

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from connector.model.changes import TableName
from connector.postgres.quoting import quoted
from connector.projection.assembly.plans.conditions import Condition, Term, conjuncts, sought, split, without_parameters
from connector.projection.sql.identifiers import unquoted

_NAME = r'"(?:[^"]|"")+"'
_TABLE = re.compile(rf"({_NAME})\.({_NAME}) (?:AS )?(\w+)(?: ON (.*))?", re.DOTALL)
_WALK = re.compile(
    r"WITH RECURSIVE walk\([^()]*\) AS \(SELECT (?P<start>(?:(?! UNION ).)*) UNION SELECT (?:(?! FROM ).)* FROM "
    rf"(?P<schema>{_NAME})\.(?P<table>{_NAME}) w JOIN walk ON (?P<met>.*?)\) SELECT \* FROM walk",
    re.DOTALL,
)
"""As `Walk.written` writes one."""
_ANY_OF_SUBQUERY = re.compile(r"ANY \(\(SELECT (o\.[^()]*) FROM ([^()]*) o LIMIT 1\)\)")
_OF_ITS_ARRAY = r"ANY (ARRAY(SELECT pg_catalog.unnest(\1) FROM \2 o LIMIT 1))"
_GIVEN = re.compile(r"\bgiven\.c(\d+)")
_UNNESTED = r"(?:pg_catalog\.)?unnest\([^()]*\) AS given\([^()]*\)"
_GIVEN_ROWS = re.compile(rf" CROSS JOIN {_UNNESTED}")
"""As a lookup with bounds has its parameters."""
_GIVEN_VALUES = re.compile(rf" IN \(SELECT ((?:(?!SELECT ).)*?) FROM {_UNNESTED}\)")
_GIVEN_ELEMENTS = re.compile(rf"ARRAY\(SELECT ((?:(?!SELECT ).)*?) FROM {_UNNESTED}\)")
_GIVEN_ARRAYS = re.compile(rf" FROM {_UNNESTED} CROSS JOIN LATERAL ")
"""As others have them: of expressions, of arrays that are searched, and of arrays."""
_FIRST = r"($\1 ::text[])[1]"
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
    tables: dict[str, TableName] = {}
    conditions: list[Condition] = []
    query = _of_bounds(_without_walks(query, tables, conditions))
    body = split(query, " FROM ")[1]
    source, *where = split(body, " WHERE ")
    conditions += [each for text in where for each in conjuncts(text)]
    for part in split(source, " JOIN "):
        found = _TABLE.fullmatch(part.strip())
        if found is None:
            return []
        tables[found[3]] = TableName(unquoted(found[1]), unquoted(found[2]))
        conditions += conjuncts(found[4]) if found[4] else ()
    return list(_entered(tables, conditions))


def for_one_row(lookup: str) -> str:
    """A lookup as it is for one changed row: so the planner knows which values are sought, or between which ones. Where
    a walk begins with the values it is left as it is."""
    found = _of_bounds(lookup)
    if _WALK.search(found) is None:
        found = _GIVEN_VALUES.sub(r" IN ((\1))", found)
        found = _GIVEN_ELEMENTS.sub(r"ARRAY[\1]", found)
        found = _GIVEN_ARRAYS.sub(" FROM ", found)
    return lookup if found == lookup else _GIVEN.sub(_FIRST, found)


def _of_bounds(lookup: str) -> str:
    """The same of a lookup with bounds; others are left as they are."""
    found = _GIVEN_ROWS.sub("", lookup)
    return lookup if found == lookup else _GIVEN.sub(_FIRST, found)


def _without_walks(query: str, tables: dict[str, TableName], conditions: list[Condition]) -> str:
    """The query with the values that its walks begin with in the place of those that they lead to, which are of the
    same types; the tables that they go over are added to the others."""
    for number, walk in enumerate(_WALK.finditer(query)):
        starts = [_GIVEN.sub("$1", start) for start in split(split(walk["start"], " FROM ")[0], ", ")]
        tables[f"v{number}"] = TableName(unquoted(walk["schema"]), unquoted(walk["table"]))
        met = _placed(walk["met"], "walk", starts).replace('"w".', f'"v{number}".')
        conditions += conjuncts(met)
        lateral = re.search(rf" CROSS JOIN LATERAL \({re.escape(walk[0])}\) (w\d+)", query)
        if lateral is not None:
            query = _placed(query.replace(lateral[0], ""), lateral[1], starts)
    return query


def _placed(text: str, alias: str, starts: Sequence[str]) -> str:
    return re.sub(rf"\b{alias}\.x(\d+)\b", lambda found: starts[int(found[1]) - 1], text)


def _entered(tables: dict[str, TableName], conditions: list[Condition]) -> Iterator[Step]:
    reached: list[str] = []
    while True:
        following = [
            (alias, leading)
            for alias in tables
            if alias not in reached and sought(leading := _leading(alias, reached, conditions), alias)
        ]
        # What is equal leads to fewer rows.
        following = [each for each in following if any(map(_by_equality(each[0]), each[1]))] or following
        if not following:
            return
        for alias, leading in following:
            yield _step(alias, leading, tables, conditions)
            reached.append(alias)


def _by_equality(alias: str) -> Callable[[Condition], bool]:
    return lambda condition: bool(condition.entering(alias))


def _leading(alias: str, reached: list[str], conditions: list[Condition]) -> list[Condition]:
    those = (each for each in conditions if each.aliases <= {alias, *reached})
    return [each for each in those if each.entering(alias) or each.bounding(alias)]


def _step(alias: str, leading: list[Condition], tables: dict[str, TableName], conditions: list[Condition]) -> Step:
    constants = [each for each in conditions if each.is_constant(alias)]

    def written(owner: str, name: str) -> str:
        if owner == alias:
            return f"{_HERE}.{quoted(name)}"
        # A value of the type that the other column has; what is no table's is a name inside of a subquery of ours.
        other = tables.get(owner)
        return f"(SELECT o.{quoted(name)} FROM {quoted(other.schema, other.name)} o LIMIT 1)" if other else name

    texts = [without_parameters(each.with_columns(written)) for each in (*leading, *constants)]
    where = " AND ".join(f"({_ANY_OF_SUBQUERY.sub(_OF_ITS_ARRAY, text)})" for text in texts)
    return Step(tables[alias], sought(leading, alias), where)
