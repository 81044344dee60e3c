"""Plan every statement that assembly runs, and find what each reads whole.

Our own queries along routes are asked table by table, whether an index serves; the mapping, which may join as it likes,
as a whole. What is read for one order, one changed row and one page comes from plans for values that there are.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg

from connector.model.changes import TableName
from connector.model.orders import OrderKey
from connector.projection.assembly import statements
from connector.projection.assembly.plans import planner
from connector.projection.assembly.plans.conditions import Term
from connector.projection.assembly.plans.own_queries import Step, for_one_row, steps
from connector.projection.assembly.plans.plan_tree import Node, Scan, ctes_read, scans
from connector.projection.assembly.plans.planner import TableFacts
from connector.projection.assembly.plans.whole_reads import Read, WholeRead, defined_at, inlined, whole_reads
from connector.projection.assembly.projection import Projection, Use
from connector.projection.assembly.sessions import Session
from connector.projection.routes.route import marked
from connector.projection.sql.keys import array_literal, decode

_MAPPING = "assembling an order"
_SEVERAL = "assembling several orders"
_LARGEST = 2**24
_PAGE = 1000
"""Keys of a page."""
_FEW = 10
"""To find more orders than that, reading a table whole may be the best there is."""


@dataclass(frozen=True, slots=True)
class Plans:
    """`fan_outs`: about how many orders a changed row leads to, by the name of its route; None: not known. `changing`:
    tables of which rows were changed."""

    whole_reads: tuple[WholeRead, ...]
    fan_outs: Mapping[str, float | None]
    changing: frozenset[TableName]


@dataclass(frozen=True, slots=True)
class _Own:
    """A query of ours along a route. `planned`: the statement that runs it, for values that there are, if there are
    any. `found`: rows that it gives, about."""

    words: str
    line: int | None
    steps: tuple[Step, ...]
    planned: tuple[Node, ...]
    found: float | None = 1.0


async def look(session: Session, projection: Projection, key: OrderKey | None) -> Plans:
    """`key` is any order's, to plan for; None when there are no orders. Raises psycopg.Error."""
    looker = _Looker(session, projection, key)
    tables = sorted({use.route.table.name for use in projection.uses})
    fan_outs = await looker.fan_outs()
    reads = [*await looker.of_mapping(), *await looker.of_own(await looker.own(fan_outs))]
    return Plans(tuple(whole_reads(reads)), fan_outs, await planner.changing(session, tables))


@dataclass(slots=True)
class _Looker:
    session: Session
    projection: Projection
    key: OrderKey | None
    _facts: dict[TableName, TableFacts] = field(default_factory=dict)
    _rows: dict[TableName, float] = field(default_factory=dict)

    # how many orders

    async def fan_outs(self) -> dict[str, float | None]:
        return {name: await self._fan_out(use) for name, use in self._lookups().items()}

    def _lookups(self) -> dict[str, Use]:
        """One use of each route that is looked up."""
        return {use.route.name: use for use in reversed(self.projection.uses) if use.route.lookup is not None}

    async def _fan_out(self, use: Use) -> float | None:
        assert use.route.lookup is not None  # noqa: S101  # that is what `_lookups` gives
        plans = await self._planned(for_one_row(use.route.lookup.sql), await self._values(use))
        return round(statistics.median(plan["Plan Rows"] for plan in plans), 1) if plans else None

    async def _values(self, use: Use) -> list[list[object]]:
        """Parameters of a lookup for one changed row each."""
        lookup = use.route.lookup
        assert lookup is not None  # noqa: S101  # that is what `_lookups` gives
        nullable = lookup.nullable or (False,) * len(lookup.value_types)
        rows: Sequence[Sequence[str | None]]
        if not (lookup.bounded or lookup.computes):
            first = lookup.hops[0]
            columns = [column.name for column in first.columns]
            rows = await planner.common_values(self.session, first.table.name, columns)
        else:
            # Values of one row belong together, or are only a part of what is compared.
            wanted = {column.name: null for column, null in zip(use.route.columns, nullable, strict=True)}
            rows = await planner.some_rows(self.session, use.route.table.name, wanted)
        return [
            [array_literal([marked(text) if null else text or ""]) for text, null in zip(row, nullable, strict=True)]
            for row in rows
        ]

    async def _planned(self, query: str, values: Sequence[Sequence[object]]) -> list[Node]:
        """A plan for each of the values."""
        try:
            return [await planner.plan_for(self.session, query, row) for row in values]
        except psycopg.DataError:  # texts of the column that aren't any of what it is compared with
            return []

    # our own queries

    async def own(self, fan_outs: Mapping[str, float | None]) -> list[_Own]:
        found = [await self._lookup(use, fan_outs[name]) for name, use in self._lookups().items()]
        for name, index in self.projection.indexes.items():
            use = next(use for use in self.projection.uses if use.route.index_name == name)
            plans = await self._plans_for_orders(statements.members(index, name))
            words = f"the reverse index of {use.route.table.name}"
            found.append(_Own(words, use.line, tuple(steps(index.sql)), tuple(plans)))
        present, page = statements.present(self.projection), statements.page(self.projection, None, True)
        entered, position = tuple(steps(present)), [[*self._texts(), _PAGE]] if self.key else []
        plans = await self._planned(present, self._arrays())
        found.append(_Own("whether orders are still there", None, entered, tuple(plans)))
        return [*found, _Own("a page of a sweep", None, entered, tuple(await self._planned(page, position)))]

    async def _lookup(self, use: Use, orders: float | None) -> _Own:
        assert use.route.lookup is not None  # noqa: S101  # that is what `_lookups` gives
        lookup = use.route.lookup
        values = [[*row, _PAGE] for row in (await self._values(use))[:1]]
        plans = await self._planned(statements.page(self.projection, lookup, False), values)
        words = f"the orders of a changed {use.route.table.name}"
        return _Own(words, use.line, tuple(steps(lookup.sql)), tuple(plans), orders)

    def _texts(self) -> Sequence[str]:
        return () if self.key is None else decode(self.key, len(self.projection.key))

    def _arrays(self) -> list[list[object]]:
        """Parameters of what is asked for an order; none when there are no orders."""
        return [[array_literal([text]) for text in self._texts()]] if self.key is not None else []

    async def of_own(self, own: Sequence[_Own]) -> list[Read]:
        """What of our own queries no index serves."""
        lacking = await self._unserved(list(dict.fromkeys(step for each in own for step in each.steps)))
        reads: list[Read] = []
        for each in own:
            run = await self._read_whole(each.planned)
            unserved = {step: lacking[step] for step in each.steps if step in lacking}
            for step, found in unserved.items():
                same = [scan for scan in run if self._root(scan) == self._root(found[0])]
                read = self._read(same or found, each.words, each.line)
                reads.append(replace(read, terms=_terms(step, found[0]), constants=found[0].constants()))
            served = {step.table for step in each.steps} - {step.table for step in unserved}
            others = [scan for scan in run if scan.index is None and self._root(scan) in served]
            reads += self._unused(each, others)
        return reads

    async def _unserved(self, every: Sequence[Step]) -> dict[Step, list[Scan]]:
        """Steps that no index serves, and how each reads its table then."""
        aliases = {step: f"p{number}" for number, step in enumerate(every, 1)}
        probes = " UNION ALL ".join(step.probe(alias) for step, alias in aliases.items())
        probed = scans(await planner.plan_by_index(self.session, probes)) if probes else []
        whole = await self._whole([replace(scan, led=True) for scan in probed])
        found = {step: _of_alias(whole, alias) for step, alias in aliases.items()}
        return {
            step: read for step, read in found.items() if read and not await self._is_there(read, _terms(step, read[0]))
        }

    async def _is_there(self, read: Sequence[Scan], terms: Sequence[Term]) -> bool:
        """An index by which they need not read whole: the planner took another, which costs the same while the table
        is small. An index that gives all wanted rows in the order of what leads to some is one for these, too."""
        return all([scan.index is not None and await self._is_served(scan, terms) for scan in read])

    async def _is_served(self, scan: Scan, terms: Sequence[Term]) -> bool:
        facts = self._facts[scan.table]
        for term in terms:
            leading = {index.name for index in facts.leading([term.printed(facts.strings)])}
            if leading and not term.elements:
                plan = await planner.plan_by_index(self.session, scan.in_order_of(term), sorting=False)
                if leading & {each.index for each in scans(plan)}:
                    return True
        return False

    def _unused(self, own: _Own, run: Sequence[Scan]) -> Iterable[Read]:
        for root in dict.fromkeys(map(self._root, run)):
            read = self._read([scan for scan in run if self._root(scan) == root], own.words, own.line)
            if own.found is None or own.found <= _FEW or not read.facts.analysed:
                yield replace(read, unused=True)

    # the mapping

    async def of_mapping(self) -> list[Read]:
        reads: list[Read] = []
        query = statements.order_rows(self.projection)
        served, beyond, by_index = await self._plans_of_mapping(query)
        for name in dict.fromkeys(scan.cte for scan in await self._whole(scans(by_index)) if _is_barred(scan)):
            assert name is not None  # noqa: S101
            try:
                plans = await self._plans_of_mapping(inlined(query, name))
            except psycopg.ProgrammingError:  # the name stands for something else there
                continue
            if name not in ctes_read(plans[-1]) and name in ctes_read(by_index):
                reads += self._barred(served, name)
                query, (served, beyond, by_index) = inlined(query, name), plans
        lacking = await self._whole(scans(by_index))
        for use in dict.fromkeys(map(self._use, lacking)):
            found = [scan for scan in lacking if self._use(scan) == use]
            same = [scan for scan in served if self._use(scan) == use]
            if same and not await self._is_there(found, found[0].terms()):
                read = self._read(same, _MAPPING, self._line(same[0]))
                reads.append(replace(read, terms=found[0].terms(), constants=found[0].constants()))
        known = {(scan.table, scan.alias) for scan in lacking}
        for words, run in ((_MAPPING, served), (_SEVERAL, beyond)):
            for scan in run:
                # A merge join that reads by an index stops where the other side ends.
                if scan.index is None and (scan.table, scan.alias) not in known:
                    reads.append(replace(self._read([scan], words, self._line(scan)), unused=True))
        return reads

    async def _plans_of_mapping(self, query: str) -> tuple[list[Scan], list[Scan], Node]:
        """What it reads whole for one order, what for several only, and the plan by indexes where there are any."""
        by_index = await planner.plan_by_index(self.session, query)
        plans = await self._plans_for_orders(query, _LARGEST) or [by_index]
        served = await self._read_whole(plans[:1])
        return served, (await self._read_whole(plans))[len(served) :], by_index

    async def _plans_for_orders(self, query: str, *more: object) -> list[Node]:
        """Of a part of what assembles orders: for one order, and for several; none when there are no orders. `more`:
        its further parameters."""
        if self.key is None:
            return []
        if self.projection.pruned:
            return await self._planned(query, [[*arrays, *more] for arrays in self._arrays()])
        width = len(self.projection.key)
        queries = (statements.of_one_order(query, width), query)
        return [await planner.plan_once(self.session, each) for each in queries]

    def _barred(self, served: Sequence[Scan], name: str) -> list[Read]:
        line = defined_at(self.projection.statement, name)
        return [replace(self._read([scan], _MAPPING, line), cte=name) for scan in served if scan.cte == name]

    def _line(self, scan: Scan) -> int | None:
        """Where the mapping names the table."""
        uses = [use for use in self.projection.uses if use.route.table.name == self._root(scan)]
        exact = [use for use in uses if use.alias in (scan.alias, scan.alias.rpartition("_")[0])]
        return next((use.line for use in (*exact, *uses)), None)

    # tables

    async def _read_whole(self, plans: Sequence[Node]) -> list[Scan]:
        """Those that read a table whole, or an index of it, as in the first of a statement's plans that has them."""
        found: list[Scan] = []
        for plan in plans:
            known = {(scan.table, scan.alias) for scan in found}
            found += [each for each in await self._whole(scans(plan)) if (each.table, each.alias) not in known]
        return found

    async def _whole(self, found: Sequence[Scan]) -> list[Scan]:
        """Those that read a table whole, or an index of it."""
        unknown = sorted({scan.table for scan in found} - self._facts.keys())
        self._facts |= await planner.facts_of(self.session, unknown)
        known = [scan.of_partial(self._predicate(scan)) for scan in found if scan.table in self._facts]
        whole = [scan for scan in known if self._rows_of(scan) is not None]
        uncounted = sorted({scan.table for scan in whole} - self._rows.keys())
        self._rows |= await planner.row_counts(self.session, uncounted)
        return whole

    def _predicate(self, scan: Scan) -> str | None:
        return next((each.predicate for each in self._facts[scan.table].indexes if each.name == scan.index), None)

    def _rows_of(self, scan: Scan) -> float | None:
        """Rows that are read at once where all are; None where single ones are sought."""
        if scan.index is None:
            return self._rows.get(scan.table, 0.0)
        index = next((each for each in self._facts[scan.table].indexes if each.name == scan.index), None)
        if index is None:
            return None
        # By constants alone an index leads to what all wanted rows have: it is as good as the table, unless to one row.
        sought = scan.sought if index.single or not scan.is_led() else scan.entered
        # Sought in an index that begins with another column: cheap only if that has few values (from Postgres 18 on).
        if sought & index.columns or (sought and scan.cost < index.pages):
            return None
        return index.rows if index.rows >= 0 else self._rows.get(scan.table, 0.0)

    def _use(self, scan: Scan) -> tuple[TableName, str]:
        """The use of a table that a scan is for. Partitions have its alias with a number."""
        root = self._root(scan)
        return root, scan.alias if scan.table == root else scan.alias.rpartition("_")[0]

    def _root(self, scan: Scan) -> TableName:
        return self._facts[scan.table].root

    def _read(self, found: Sequence[Scan], words: str, line: int | None) -> Read:
        rows = sum((self._rows_of(scan) or 0.0) * scan.times for scan in found)
        return Read(self._facts[found[0].table], words, line, rows)


def _terms(step: Step, scan: Scan) -> tuple[Term, ...]:
    """As the plan has them. What a semi-join asks of its outer side isn't there as a condition of that."""
    ours = (replace(term, text=term.text.replace("pg_catalog.", "")) for term in step.terms)
    return scan.terms() or tuple(ours)


def _of_alias(found: Sequence[Scan], alias: str) -> list[Scan]:
    """Those of a table by its alias, and of its partitions, whose aliases begin with it."""
    return [scan for scan in found if scan.alias == alias or scan.alias.startswith(f"{alias}_")]


def _is_barred(scan: Scan) -> bool:
    return scan.cte is not None and not scan.terms()
