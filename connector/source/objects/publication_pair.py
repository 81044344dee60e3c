"""The two publications: one for tables followed whole, one for tables without a usable replica identity.

Postgres fails the UPDATEs and DELETEs of a table that has none as soon as a publication publishes them. So such tables
stand in a publication of their own, of INSERT and TRUNCATE alone. Decides which table belongs where; `publication`
knows a single one, `setup` acts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import psycopg
from psycopg import sql

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.postgres.connections import reading
from connector.source.objects.catalog import TableFacts
from connector.source.objects.publication import (
    EVERYTHING,
    GENERATED_SINCE,
    INSERTS,
    Publication,
    Target,
    drop_statement,
    options_statement,
    read_exposed,
    read_publications,
)

_SUFFIX: Final = "_inserts"
_LONGEST: Final = 63
_SHOWN: Final = 20


def inserts_name(publication: str) -> str:
    """What the second publication is called; shortened as the server would (names have at most 63 bytes)."""
    return publication.encode()[: _LONGEST - len(_SUFFIX)].decode(errors="ignore") + _SUFFIX


@dataclass(frozen=True, slots=True)
class PublicationPair:
    """Both publications as they are, None where there is none. `generated`: the server publishes stored generated
    columns only when told. Both are told alike, or a table that is in both for a moment would end the stream."""

    name: str
    main: Publication | None
    inserts: Publication | None
    generated: bool
    exposed: Mapping[str, frozenset[TableName]] = field(default_factory=dict)
    """By publication: what it covers without naming it, and what has no usable replica identity."""

    @property
    def inserts_name(self) -> str:
        return inserts_name(self.name)

    @property
    def existing(self) -> tuple[Publication, ...]:
        return tuple(each for each in (self.main, self.inserts) if each is not None)

    def covers(self, table: TableName) -> bool:
        return any(each.covers(table) for each in self.existing)

    def targets(self, facts: Sequence[TableFacts]) -> tuple[Target, Target]:
        """What the main publication shall carry, and the second one."""
        whole = [fact.table for fact in facts if fact.identified]
        keyless = [fact.table for fact in facts if not fact.identified]
        return (
            Target(self.name, self.main, whole, EVERYTHING, self.generated),
            Target(self.inserts_name, self.inserts, keyless, INSERTS, self.generated),
        )


async def read_pair(conn: psycopg.AsyncConnection[Any], publication: str) -> PublicationPair:
    names = (publication, inserts_name(publication))
    found = await read_publications(conn, names)
    generated = conn.info.server_version >= GENERATED_SINCE
    unnamed = [each.name for each in found.values() if each.covers_unnamed]
    exposed = await read_exposed(conn, unnamed) if unnamed else {}
    return PublicationPair(publication, found.get(names[0]), found.get(names[1]), generated, exposed)


async def published_tables(dsn: str, publication: str) -> tuple[TableName, ...]:
    """Those that the two name; empty when there is no main one. Raises SourceUnavailable."""
    async with reading(dsn) as conn:
        pair = await read_pair(conn, publication)
    if pair.main is None:
        return ()
    return tuple(sorted({table for each in pair.existing for table in each.listed}))


def pair_repairs(pair: PublicationPair, facts: Sequence[TableFacts]) -> list[sql.Composed]:
    """The statements that put each table where it belongs, none when all do; the most urgent first.

    Both publications are made together, before the slot, though the second is seldom needed: servers before 18 can't
    decode what was written before a publication existed.
    """
    main, inserts = pair.targets(facts)
    statements = urgent_repairs(pair)
    if not _would_expose(pair):
        statements += main.repairs()
    if inserts.tables or pair.main is None or (pair.inserts is not None and not pair.inserts.generated):
        statements += inserts.repairs()
    return statements + [drop_statement(pair.inserts_name, table) for table in gained(pair, main.tables)]


def urgent_repairs(pair: PublicationPair) -> list[sql.Composed]:
    """The statements that let every table be updated again. One a table, so that a lock on one is no other's trouble.
    Even tables that nobody maps are taken out: they may have been mapped under an earlier name."""
    statements = []
    if any(each.endangered - each.unidentified for each in pair.existing):
        statements = [
            options_statement(each.name, tuple(each.operations), generated=True)
            for each in pair.existing
            if not each.generated
        ]
    return statements + [drop_statement(each.name, table) for each, table in unidentified(pair)]


def unidentified(pair: PublicationPair) -> list[tuple[Publication, TableName]]:
    """What may not be in a publication that publishes updates. The main one needn't do so now: it shall."""
    return [
        (each, table)
        for each in pair.existing
        if each.needs_identities or each is pair.main
        for table in sorted(each.unidentified)
    ]


def pair_problems(pair: PublicationPair, facts: Sequence[TableFacts]) -> list[Problem]:
    """What keeps the two from carrying what can be carried of the tables, with the SQL that mends it."""
    main, inserts = pair.targets(facts)
    partitioned = frozenset(fact.table for fact in facts if fact.partitioned)
    late = gained(pair, main.missing) if pair.main is not None else []
    problems = danger_problems(pair, facts) + _unnamed_danger_problems(pair, facts)
    if not _would_expose(pair):
        problems += replace(main, tables=[table for table in main.tables if table not in late]).shortcomings(
            partitioned
        )
    if inserts.tables:
        problems += inserts.shortcomings(partitioned)
    return problems + [_late_problem(pair, replace(main, tables=[table])) for table in late]


def on_primary(pair: PublicationPair, facts: Sequence[TableFacts], where: str) -> Problem:
    """What to do where the server is a standby, and its primary has not the publications yet."""
    hint = " ".join(problem.hint for problem in pair_problems(pair, facts))
    what = "the server is a standby, where no publication can be made or changed"
    return Problem(what, f"run on the primary: {hint}", where)


def conflicts(pair: PublicationPair, facts: Sequence[TableFacts]) -> list[Problem]:
    """What can't be mended by adding a table or taking one out."""
    found = [problem for target in pair.targets(facts) for problem in target.conflicts()]
    return found + _unnamed_danger_problems(pair, facts)


def danger_problems(pair: PublicationPair, facts: Sequence[TableFacts]) -> list[Problem]:
    """Tables whose own UPDATEs and DELETEs fail because a publication names them: `urgent_repairs` would help."""
    wanted = frozenset(fact.table for fact in facts)
    what = "its own UPDATEs and DELETEs fail now: it has no usable replica identity, and publication {} publishes them"
    found = []
    for each in pair.existing:
        for table in sorted(each.endangered):
            mend = drop_statement(each.name, table)
            if table not in each.unidentified:
                mend = options_statement(each.name, tuple(each.operations), generated=True)
            hint = f"{mend.as_string()};"
            found.append(Problem(what.format(each.name), hint, str(table), warning=table not in wanted))
    return found


def _unnamed_danger_problems(pair: PublicationPair, facts: Sequence[TableFacts]) -> list[Problem]:
    """The same of tables that a publication covers without naming them, so that they can't be taken out. Such a
    publication is a DBA's, for more than us: it is left as it is."""
    hint = _LIST_THEM
    found = [] if not _would_expose(pair) else [_narrow_problem(pair)]
    for each in _endangering(pair):
        hidden = [f for f in facts if not f.identified and each.covers(f.table) and f.table not in each.listed]
        if hidden:
            which = f"it covers {', '.join(str(fact.table) for fact in hidden)} without naming them"
            what = f"{which}, and their own UPDATEs and DELETEs fail, because they have no usable replica identity"
            found.append(Problem(what, hint, f"publication {each.name}"))
        if others := pair.exposed.get(each.name, frozenset()) - {fact.table for fact in facts}:
            what = (
                f"it covers tables that nobody maps, too, and UPDATEs and DELETEs of {_some(others)} fail for it: they"
                " have no usable replica identity"
            )
            found.append(Problem(what, hint, f"publication {each.name}", warning=True))
    return found


_LIST_THEM: Final = (
    "give them replica identities (a primary key, or ALTER TABLE ... REPLICA IDENTITY FULL), or make the publication"
    " anew so that it lists its tables"
)


def _narrow_problem(pair: PublicationPair) -> Problem:
    what = (
        "it covers tables without naming them, and not all of their changes; publishing UPDATE and DELETE, too, would"
        f" make those of {_some(pair.exposed[pair.name])} fail, which have no usable replica identity"
    )
    return Problem(what, _LIST_THEM, f"publication {pair.name}")


def _would_expose(pair: PublicationPair) -> bool:
    """To have the main publication publish everything would make the OMS fail where it doesn't now."""
    return pair.main is not None and not pair.main.needs_identities and bool(pair.exposed.get(pair.name))


def exposed(pair: PublicationPair, facts: Sequence[TableFacts]) -> frozenset[TableName]:
    """Tables that nobody maps and whose UPDATEs and DELETEs fail now, because a publication of ours that somebody else
    made covers them without naming them."""
    failing = [pair.exposed.get(each.name, frozenset()) for each in _endangering(pair)]
    return frozenset().union(*failing) - {fact.table for fact in facts}


def _some(tables: Iterable[TableName]) -> str:
    names = sorted(map(str, tables))
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def endangered(pair: PublicationPair, facts: Sequence[TableFacts]) -> frozenset[TableName]:
    """Tables, mapped or not, whose own UPDATEs and DELETEs fail now because a publication of ours has them."""
    named = [each.endangered for each in pair.existing]
    covered = [f.table for f in facts if not f.identified and any(each.covers(f.table) for each in _endangering(pair))]
    return frozenset(covered).union(*named)


def insert_only(pair: PublicationPair, facts: Sequence[TableFacts]) -> tuple[TableName, ...]:
    """Tables whose updates and deletes the stream doesn't carry."""
    main = pair.main
    return tuple(fact.table for fact in facts if not fact.identified or main is None or not main.covers(fact.table))


def _endangering(pair: PublicationPair) -> list[Publication]:
    return [each for each in pair.existing if each.needs_identities]


def narrowed(pair: PublicationPair, facts: Sequence[TableFacts]) -> tuple[str, ...]:
    """Publications that carry less of their tables' changes than they should. Of the second one only when needed."""
    partitioned = {fact.table for fact in facts if fact.partitioned}
    found = []
    for target in pair.targets(facts):
        each = target.publication
        if each is None or not target.tables:
            continue
        lacking = not each.operations.issuperset(target.operations)
        by_partition = not each.via_root and not partitioned.isdisjoint(target.tables)
        if lacking or by_partition or not each.row_filters.isdisjoint(target.tables):
            found.append(each.name)
    return tuple(found)


def gained(pair: PublicationPair, whole: Sequence[TableName]) -> list[TableName]:
    """Tables that have a replica identity by now and are still named by the second publication."""
    return [] if pair.inserts is None else [table for table in whole if table in pair.inserts.listed]


def _late_problem(pair: PublicationPair, target: Target) -> Problem:
    [table] = target.tables
    drop = f"{drop_statement(pair.inserts_name, table).as_string()};"
    what = "it has a replica identity by now, but its updates and deletes are not published yet"
    return Problem(what, f"{target.mending()} {drop}".strip(), str(table), warning=True)
