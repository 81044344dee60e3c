"""What follows from a table that a statement of ours reads whole: the index that lacks, or why one that is there isn't
used. In words for a DBA, each cause once. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.postgres.quoting import quoted
from connector.projection.assembly.plans.conditions import Term
from connector.projection.assembly.plans.planner import TableFacts, TableIndex

LARGE_ROWS: Final = 10_000
"""More rows must not be read whole for one order, one changed row or one page."""

_INSTEAD: Final = {**dict.fromkeys(("concat", "concat_ws", "format"), "||"), "convert_to": "decode(..., 'escape')"}
"""Of functions that no index may be on, what may be indexed."""
_COLUMN: Final = "compare with a column of its own, which the OMS fills"

Why: TypeAlias = Literal["no index", "unused index", "materialized", "no condition"]


@dataclass(frozen=True, slots=True)
class Read:
    """A table that a statement reads whole. `terms`: by what it is entered, `constants`: which rows of it are wanted at
    all, `rows`: read each time the statement runs. `unused`: an index could be used, but isn't. `cte`: the WITH query
    that keeps it from being entered."""

    facts: TableFacts
    statement: str
    line: int | None
    rows: float
    terms: tuple[Term, ...] = ()
    constants: tuple[str, ...] = ()
    unused: bool = False
    cte: str | None = None

    @property
    def sought(self) -> frozenset[tuple[str, bool]]:
        """What an index must be on, and whether for its elements; what is bounded doesn't count beside others."""
        terms = [term for term in self.terms if not term.bounded] or self.terms
        return frozenset((term.canonical(self.facts.strings), term.elements) for term in terms)


@dataclass(frozen=True, slots=True)
class WholeRead:
    """A table that is read whole, why, by which statements, and what to do. `columns`: what an index must be on.
    `rows`: the most that are read at once."""

    table: TableName
    columns: tuple[str, ...]
    why: Why
    statements: tuple[str, ...]
    line: int | None
    rows: float
    because: str
    hint: str

    @property
    def large(self) -> bool:
        return self.rows > LARGE_ROWS

    @property
    def what(self) -> str:
        on = f" ({', '.join(self.columns)})" if self.columns else ""
        lead = {
            "no index": f"no index serves {self.table}{on}",
            "unused index": f"{self.table}{on} is read whole though an index is there",
            "materialized": f"{self.table} is read whole",
            "no condition": f"{self.table} is read whole",
        }[self.why]
        cost = f"about {round(self.rows):,} rows are read for {'; for '.join(self.statements)}"
        return f"{lead}: {cost}{'. ' if self.because else ''}{self.because}"

    def problem(self, path: str) -> Problem:
        where = path if self.line is None else f"{path}:{self.line}"
        return Problem(self.what, self.hint, where, warning=True)

    def explained(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "table": str(self.table),
            "columns": list(self.columns),
            "why": self.why,
            "statements": list(self.statements),
            "line": self.line,
            "rows": round(self.rows),
            "what": self.what,
            "hint": self.hint,
        }


def whole_reads(reads: Sequence[Read]) -> list[WholeRead]:
    """Each cause once, the dearest first. Of a small table only that it has no index: it may grow."""
    found = [_cause(read) for read in _merged(reads)]
    told = [each for each in found if each is not None and (each.large or each.why == "no index")]
    return sorted(told, key=lambda each: (-each.rows, each.table, each.columns))


def _merged(reads: Iterable[Read]) -> list[tuple[Read, tuple[str, ...]]]:
    """Reads that one remedy mends, as one; with the statements of all."""
    merged: list[tuple[Read, tuple[str, ...]]] = []
    for read in sorted(reads, key=lambda each: (len(each.sought), -len(each.terms))):
        for at, (other, statements) in enumerate(merged):
            if _same_remedy(other, read):
                constants = tuple(text for text in other.constants if text in read.constants)
                whole = replace(other, constants=constants, rows=max(other.rows, read.rows))
                merged[at] = (whole, tuple(dict.fromkeys((*statements, read.statement))))
                break
        else:
            merged.append((read, (read.statement,)))
    return merged


def _same_remedy(one: Read, other: Read) -> bool:
    """An index on the terms of one serves the other, too, which may have more of them."""
    same = (one.facts.root, one.unused, one.cte) == (other.facts.root, other.unused, other.cte)
    return same and one.sought <= other.sought and bool(one.terms) == bool(other.terms)


def _cause(found: tuple[Read, tuple[str, ...]]) -> WholeRead | None:
    read, statements = found
    why, because, hint = _why(read)
    if why == "unused index" and read.rows <= LARGE_ROWS:
        return None
    columns = tuple(term.printed(read.facts.strings) for term in read.terms)
    return WholeRead(read.facts.root, columns, why, statements, read.line, read.rows, because, hint)


def _why(read: Read) -> tuple[Why, str, str]:
    """And what a person should know, and do."""
    facts, terms = read.facts, [term.printed(read.facts.strings) for term in read.terms]
    if read.cte is not None:
        return "materialized", *_materialized(read.cte)
    if read.unused:
        return "unused index", *_unused(facts)
    if not terms:
        hint = "ask there for the rows of one order: join by its key inside, as a LATERAL or a scalar subquery does"
        return "no condition", "No condition that leads to single rows reaches it there", hint
    equal = [term for term in read.terms if not term.bounded] or read.terms
    there = facts.leading([term.printed(facts.strings) for term in equal if not term.elements])
    if usable := [index for index in there if index.valid and index.predicate is None]:
        because = f"{usable[0].name} is on them, but in another type or collation than what they are compared with"
        return "unused index", because, "compare values of the column's own type and collation, without a cast"
    if broken := [index for index in there if not index.valid]:
        name = quoted(facts.root.schema, broken[0].name)
        return (
            "unused index",
            f"{broken[0].name} is on them, but it is not valid",
            f"REINDEX INDEX CONCURRENTLY {name};",
        )
    return "no index", _near(there, read), create_index(read)


def _unused(facts: TableFacts) -> tuple[str, str]:
    analyse = f"ANALYZE {_name(facts)};"
    if not facts.analysed:
        return "The planner has no statistics of it", analyse
    because = "The planner takes reading it whole for cheaper"
    return because, f"{analyse} -- if that isn't enough, look at the plan: random_page_cost decides it"


def _materialized(name: str) -> tuple[str, str]:
    because = f"WITH {name} is computed for all orders first, because several places read it, or it says MATERIALIZED"
    return because, f"write: {name} AS NOT MATERIALIZED (...)"


def _near(there: Sequence[TableIndex], read: Read) -> str:
    """An index that nearly serves."""
    if partial := next((index for index in there if index.predicate is not None), None):
        return f"{partial.name} only has rows WHERE {partial.predicate}, which the mapping doesn't say of them"
    cast = [term for term in read.terms if term.column and not term.is_column(read.facts.strings)]
    if other := next(iter(read.facts.leading([term.column for term in cast])), None):
        return f"{other.name} is on the column itself, not on its cast"
    return ""


def create_index(read: Read) -> str:
    facts = read.facts
    terms = [term for term in read.terms if term.may_be_indexed(facts.strings, facts.unsettled, facts.mutable)]
    if not terms and (day := next((term.column for term in read.terms if term.cast == "date"), None)):
        add = f"add the range, which one on {day} serves: AND {day} >= day AND {day} < day + 1"
        return f"no index can be on a day that depends on the time zone; {add}"
    if not terms and (mutable := sorted(name for term in read.terms for name in term.calls & facts.mutable)):
        instead = f"write {_INSTEAD[mutable[0]]} in its place" if mutable[0] in _INSTEAD else _COLUMN
        return f"no index can be on {mutable[0]}, which is not IMMUTABLE; {instead}"
    if not terms:
        return f"none can be made that fails for no value; {_COLUMN}"
    # One kind of index for arrays, another for all else: the latter leads to fewer rows.
    plain = [term for term in terms if not term.elements]
    chosen = plain or terms[:1]
    listed = ", ".join(dict.fromkeys(term.indexed(read.facts.strings) for term in chosen))
    kind = "" if plain else "USING gin "
    all_of = read.constants if len(read.constants) == 1 else [f"({text})" for text in read.constants]
    only = f" WHERE {' AND '.join(all_of)}" if read.constants else ""
    # https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
    concurrently = "" if read.facts.partitioned else "CONCURRENTLY "
    notes = ["CONCURRENTLY only on each partition, before this"] if read.facts.partitioned else []
    if not all(term.is_column(read.facts.strings) for term in chosen):  # of an expression there are no statistics yet
        notes.append(f"then ANALYZE {_name(read.facts)};")
    remark = f" -- {', '.join(notes)}" if notes else ""
    return f"CREATE INDEX {concurrently}ON {_name(read.facts)} {kind}({listed}){only};{remark}"


def _name(facts: TableFacts) -> str:
    return quoted(facts.root.schema, facts.root.name)


def inlined(query: str, name: str) -> str:
    """The query with NOT MATERIALIZED for its WITH query of that name."""
    return _definition(name).sub(r"\g<1>NOT MATERIALIZED (", query)


def defined_at(query: str, name: str) -> int | None:
    """The line where the WITH query begins."""
    found = _definition(name).search(query)
    return None if found is None else query.count("\n", 0, found.start()) + 1


def _definition(name: str) -> re.Pattern[str]:
    written = f"(?:(?i:{re.escape(name)})|{re.escape(quoted(name))})"
    return re.compile(rf'((?<![\w"]){written}\s*(?:\([^()]*\)\s*)?(?i:AS)\s+)(?i:MATERIALIZED\s*)?\(')
