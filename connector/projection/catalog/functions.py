"""What the functions that a mapping calls may do: read tables whose changes nobody would follow, or answer anew on
each call. From pg_proc (https://www.postgresql.org/docs/current/catalog-pg-proc.html).

A call is whatever makes the server call one: `f(x)`, `(x).f` where there is no such column, an operator, an aggregate's
steps, a cast, a domain's CHECK, an argument's default. SQL functions are judged by their bodies, and so are the
functions that those call; bodies in other languages by what they are declared to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from psycopg import AsyncConnection
from sqlglot import exp

from connector.projection.sql.identifiers import Identifiers, identifiers_in
from connector.projection.sql.syntax import read_query

# `played`: types of which a value may turn up. An operator over other ones is none of the mapping's, whatever its name.
# `unary`: what may be called as a part of a row or a value; not where each column of the word that the part is taken
# from has one of the name. Parameters: names before parentheses, after `).`, after `word.`; operators; types; schemas;
# oids of tables, of functions; names of built-in readers; words in parentheses before a part, and these parts;
# all names.
_CALLS = """
WITH RECURSIVE named(oid) AS (
  SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE p.proname = ANY($1::text[]) AND (n.nspname = 'pg_catalog' OR n.nspname = ANY($6::text[]))
), played(oid) AS (
  SELECT t.oid FROM pg_type t WHERE t.typnamespace = 'pg_catalog'::regnamespace OR t.typname = ANY($12::text[])
  UNION SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = ANY($7::oid[]) AND a.attnum > 0
  UNION SELECT c.reltype FROM pg_class c WHERE c.oid = ANY($7::oid[])
  UNION SELECT p.prorettype FROM pg_proc p JOIN named ON named.oid = p.oid
  UNION SELECT part.oid FROM played JOIN pg_type t ON t.oid = played.oid
    CROSS JOIN LATERAL (VALUES (t.typelem), (t.typbasetype), (t.typarray)) AS part(oid) WHERE part.oid <> 0
), unary(name, oid, whole) AS (
  SELECT p.proname, p.oid, t.typtype <> 'b' AND t.typtype <> 'e' FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_type t ON t.oid = p.proargtypes[0]
  WHERE p.proname = ANY($2::text[] || $3::text[] || $11::text[])
    AND (n.nspname = 'pg_catalog' OR n.nspname = ANY($6::text[]))
    AND p.pronargs - p.pronargdefaults <= 1 AND NOT EXISTS (
      SELECT FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attname = p.proname AND NOT a.attisdropped)
), entry(kind, name, oid) AS (
  SELECT 'function', p.proname::text, p.oid FROM named JOIN pg_proc p ON p.oid = named.oid
  UNION ALL SELECT 'part', name::text, oid FROM unary WHERE name = ANY($2::text[]) OR whole
  UNION ALL SELECT 'field', g.word || '.' || g.part, u.oid FROM unnest($10::text[], $11::text[]) AS g(word, part)
    JOIN unary u ON u.name = g.part WHERE coalesce((
      SELECT NOT bool_and(EXISTS (SELECT FROM pg_attribute f JOIN pg_type t ON t.typrelid = f.attrelid
                                  WHERE t.oid = c.atttypid AND f.attname = g.part AND NOT f.attisdropped))
      FROM pg_attribute c WHERE c.attrelid = ANY($7::oid[]) AND c.attname = g.word), true)
  UNION ALL SELECT 'operator', o.oprname::text, o.oprcode::oid FROM pg_operator o
    JOIN pg_namespace n ON n.oid = o.oprnamespace
    WHERE o.oprname = ANY($4::text[]) AND n.nspname = ANY($6::text[])
    AND (o.oprleft = 0 OR o.oprleft IN (TABLE played)) AND (o.oprright = 0 OR o.oprright IN (TABLE played))
  UNION ALL SELECT 'cast', t.typname::text, c.castfunc FROM pg_cast c JOIN pg_type t ON t.oid = c.casttarget
    WHERE c.castfunc <> 0 AND c.castsource IN (TABLE played) AND c.casttarget IN (TABLE played)
    AND (t.typname = ANY($5::text[]) OR c.castcontext = 'i')
  UNION ALL SELECT 'cast', t.typname::text, d.refobjid FROM pg_type t JOIN pg_constraint c ON c.contypid = t.oid
    JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
      AND d.refclassid = 'pg_proc'::regclass WHERE t.typname = ANY($5::text[])
  UNION ALL SELECT 'oid', oid::text, oid FROM unnest($8::oid[]) AS given(oid)
)
SELECT e.kind, e.name, p.oid::bigint, p.proname, n.nspname, p.prokind::text, p.provolatile::text, l.lanname, p.prosrc,
  coalesce((SELECT substr(c, 13) FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%'), ''), NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
    AND d.refclassid = 'pg_class'::regclass),
  ARRAY(SELECT d.refobjid::bigint FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
        AND d.refclassid = 'pg_proc'::regclass)
  || ARRAY(SELECT step::oid::bigint FROM pg_aggregate a CROSS JOIN LATERAL unnest(ARRAY[a.aggtransfn, a.aggfinalfn,
        a.aggcombinefn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]) AS step
        WHERE a.aggfnoid = p.oid AND step <> 0),
  EXISTS (SELECT FROM pg_type t WHERE t.oid = p.proargtypes[0] AND (t.typnamespace = 'pg_catalog'::regnamespace
    OR (e.kind = 'operator' AND t.typtype IN ('d', 'e'))
    OR EXISTS (SELECT FROM pg_cast c WHERE c.casttarget = t.oid AND c.castcontext = 'i')))
FROM entry e JOIN pg_proc p ON p.oid = e.oid JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE n.nspname <> 'pg_catalog' OR p.provolatile = 'v' OR p.proname = ANY($9::text[])
"""

_BUILT_IN_READERS = frozenset(
    f"{what}_to_{form}" for what in ("query", "table", "cursor", "schema", "database") for form in ("xml", "xmlschema")
) | {"query_to_xml_and_xmlschema", "table_to_xml_and_xmlschema", "ts_stat", "dblink", "pg_read_file", "lo_get"}
_TOLD = "reads tables that it is told of"
_PART = "{}, a function and no column,"
_KINDS = {"function": "the function {}", "part": _PART, "field": _PART, "operator": "the operator {}"}
_CAST = "a cast to {}"
_PARTS = ("function", "part", "field")


@dataclass(frozen=True, slots=True)
class Suspect:
    """What may not stand in a mapping, because the server calls a function for it. `name`: as it is written there."""

    name: str
    what: str
    hint: str


@dataclass(frozen=True, slots=True)
class Functions:
    """`volatile`: names of functions that answer anew on each call; `called`: names of all, at any depth; `words`: what
    their bodies name besides; `overloaded`: names, operators and casts (`::type`) that may mean one of another schema
    than pg_catalog."""

    suspects: tuple[Suspect, ...] = ()
    volatile: frozenset[str] = frozenset()
    called: frozenset[str] = frozenset()
    words: Identifiers = field(default_factory=Identifiers)
    overloaded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Function:
    oid: int
    name: str
    schema: str
    kind: str
    volatility: str
    language: str
    body: str
    own_path: str
    names_no_table: bool
    calls: Sequence[int]
    takes_ours: bool

    @property
    def written(self) -> bool:
        """Its text is somebody's own."""
        return self.schema != "pg_catalog" and self.kind == "f" and self.language not in ("c", "internal")

    def words(self) -> Identifiers:
        """What its body names. In another language a word may be a table, too."""
        if not self.written:
            return Identifiers()
        found = identifiers_in(self.body)
        own_path = frozenset(name.strip(' "') for name in self.own_path.split(","))
        rows = found.rows if self.language == "sql" else found.types
        return replace(found, rows=rows, schemas=found.schemas | own_path)

    @property
    def volatile(self) -> bool:
        return self.volatility == "v" and (self.schema == "pg_catalog" or self.language != "sql")


_Key = tuple[str, str]
"""Kind and name of what is written, or `oid` and an oid."""


async def read_functions(
    connection: AsyncConnection[Any], words: Identifiers, tables: Sequence[int], path: Sequence[str]
) -> Functions:
    """Judge every function that these words may call in the schemas of a path, and those that SQL functions among them
    call. `tables`: oids. Raises psycopg.Error."""
    graph = _Graph()
    waiting, known = words, Identifiers()
    while graph.take(waiting):
        known = known | waiting
        asked = [waiting.functions, waiting.parts, waiting.columns, waiting.operators, known.rows]
        schemas = sorted({*path, *known.schemas, *waiting.schemas})
        split = [field.rpartition(".") for field in waiting.fields]
        fields = [[word for word, _, _ in split], [part for _, _, part in split]]
        lists = [
            *map(list, asked),
            schemas,
            list(tables),
            graph.asked,
            sorted(_BUILT_IN_READERS),
            *fields,
            [*known.types],
        ]
        waiting = graph.add(await (await connection.execute(_CALLS, lists)).fetchall())
    return graph.judged(words, known)


class _Graph:
    """Functions by oid, and which are meant by what is written."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self._found: dict[int, _Function] = {}
        self._meant: dict[_Key, set[int]] = {}
        self._reasons: dict[int, str] = {}
        self._bodies: dict[int, Identifiers] = {}
        self._waits: set[int] = set()
        self._seen: set[_Key] = set()

    def take(self, words: Identifiers) -> bool:
        """Whether there is anything to ask for."""
        self.asked = sorted(self._waits)
        self._waits = set()
        new = set(_keys(words)) - self._seen
        self._seen |= new
        return bool(new or self.asked)

    def add(self, rows: Iterable[Sequence[Any]]) -> Identifiers:
        """Returns what the bodies of those not known before name."""
        more = Identifiers()
        for kind, name, *row in rows:
            found = _Function(*row)
            self._meant.setdefault((kind, name), set()).add(found.oid)
            if found.oid in self._found:
                continue
            self._found[found.oid] = found
            self._waits |= {oid for oid in found.calls if oid not in self._found}
            body = found.words()
            # What a body in another language calls is watched, but not judged: a word in it may be anything.
            self._bodies[found.oid] = body if found.language == "sql" else Identifiers()
            reason = _reason(found)
            if reason is not None:
                self._reasons[found.oid] = reason
            more = more | body
        return more

    def judged(self, words: Identifiers, known: Identifiers) -> Functions:
        keys = list(_keys(words))
        keys += [key for key in self._meant if key[0] == "cast" and key not in keys]
        suspects = [suspect for key in keys for suspect in self._suspects(key)]
        volatile = frozenset(name for kind, name in keys if kind == "function" and self._is_volatile((kind, name)))
        called = frozenset({*known.functions, *(found.name for found in self._found.values())})
        return Functions(tuple(suspects), volatile, called, known, self._overloaded())

    def _overloaded(self) -> frozenset[str]:
        """A function of an extension's type (citext), or its `=`, is none that a value of a built-in type is passed
        to."""
        return frozenset(
            f"::{name}" if kind == "cast" else name
            for (kind, name), oids in self._meant.items()
            for found in map(self._found.__getitem__, oids)
            if found.schema != "pg_catalog" and (found.takes_ours or (kind != "function" and name not in ("=", "<>")))
        )

    def _suspects(self, key: _Key) -> Iterator[Suspect]:
        kind, name = key
        what = _KINDS.get(kind, _CAST).format(name.rpartition(".")[2] if kind == "field" else name)
        reader = next((oid for oid in self._reached(key) if oid in self._reasons), None)
        if reader is not None:
            own = kind in _PARTS and reader in self._meant[key]
            why = self._reasons[reader]
            said = why if own else f"calls {self._found[reader].name}, which {why}"
            hint = "write its tables into the mapping"
            if self._found[reader].schema != "pg_catalog":
                hint = f"declare it IMMUTABLE if it reads no table, or {hint}"
            yield Suspect(name, f"{what} may read tables whose changes could not be followed: it {said}", hint)
        elif kind != "function" and self._is_volatile(key):
            yield Suspect(
                name,
                f"{what} answers anew on each call: the order would differ at every look",
                "take it from a column instead",
            )

    def _is_volatile(self, key: _Key) -> bool:
        return any(self._found[oid].volatile for oid in self._reached(key))

    def _reached(self, key: _Key) -> list[int]:
        """The functions that are meant, and all that they call, at any depth."""
        found = sorted(self._meant.get(key, ()))
        for oid in found:
            inner = [self._meant.get(each, ()) for each in _keys(self._bodies[oid])]
            calls = [call for call in self._found[oid].calls if call in self._found]
            found += sorted({each for group in (*inner, calls) for each in group} - set(found))
        return found


def _keys(words: Identifiers) -> Iterator[_Key]:
    yield from (("function", name) for name in words.functions)
    yield from (("part", name) for name in {**words.columns, **words.parts})
    yield from (("field", name) for name in words.fields)
    yield from (("operator", name) for name in words.operators)
    yield from (("cast", name) for name in words.rows)


def _reason(found: _Function) -> str | None:
    """Why the function itself may read tables; None when it doesn't."""
    if not found.written:
        return _TOLD if found.name in _BUILT_IN_READERS else None
    declared = None if found.volatility == "i" else "is not IMMUTABLE"
    if found.language != "sql":
        return declared and f"is {found.language} and not IMMUTABLE"
    if not found.names_no_table:
        return "reads tables"
    if not found.body:
        # Its body is kept parsed (BEGIN ATOMIC, RETURN): the tables and functions in it are known to pg_depend.
        return declared
    query = read_query(found.body.strip().rstrip(";"))
    if query is None:
        return declared and f"{declared} and can't be read"
    ctes = {cte.alias for cte in query.find_all(exp.CTE)}
    named = (table for table in query.find_all(exp.Table) if isinstance(table.this, exp.Identifier))
    return "reads tables" if any(table.args.get("db") or table.name not in ctes for table in named) else None
