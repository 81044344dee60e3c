"""Untrusted objects: what a role without privileges put, or could put, where names of the mapping are looked up.

Postgres takes the function or operator whose types fit best, in whichever schema of the path it is: one for varchar in
`public` wins over pg_catalog's for text, and runs with our privileges. So each of a name that the mapping uses must
belong to somebody who may do with the mapped tables as they like anyhow, or to an extension of theirs. Casts need no
look: one is chosen for a function that takes its type, and that would have to be untrusted, too. Reads the catalog.
"""
# ruff: noqa: S608  both are this module's own words

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from connector.postgres.quoting import quoted
from connector.projection.sql.identifiers import OPERATORS, Identifiers

Ask: TypeAlias = Callable[[str, Sequence[object]], Awaitable[Sequence[tuple[Any, ...]]]]
"""Runs a query with parameters `$1`, `$2`, ... and gives its rows."""

# Parameters: schemas of the path, oids of the mapped tables, schemas that are written before names; then names of
# functions, operators, types, row types. `open`: others may create in it. What a schema named like the role holds,
# nobody put on the path.
_TRUSTED = """
WITH trusted(role) AS (
  SELECT r.oid FROM pg_roles r WHERE r.rolsuper OR r.rolname IN (current_user, 'pg_database_owner')
  UNION SELECT d.datdba FROM pg_database d WHERE d.datname = current_database()
  UNION SELECT c.relowner FROM pg_class c WHERE c.oid = ANY($2::oid[])
), looked(oid, name, owner, open) AS (
  SELECT n.oid, n.nspname, n.nspowner, (n.nspname = session_user AND n.nspowner NOT IN (TABLE trusted)) OR EXISTS (
    SELECT FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a WHERE a.privilege_type = 'CREATE'
    AND a.grantee <> n.nspowner AND a.grantee NOT IN (TABLE trusted))
  FROM pg_namespace n WHERE n.nspname <> 'pg_catalog' AND n.nspname = ANY($1::text[] || $3::text[])
)"""

_OPEN = _TRUSTED + " SELECT name FROM looked WHERE open ORDER BY name"

_CANDIDATES = (
    _TRUSTED
    + """, members(class, oid) AS (
  SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
  WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extowner IN (TABLE trusted)
), found(kind, class, oid, name, schema, owner, signature) AS (
  SELECT 'function', 'pg_proc'::regclass, p.oid, p.proname, p.pronamespace, p.proowner,
    '(' || oidvectortypes(p.proargtypes) || ')'
  FROM pg_proc p WHERE p.proname = ANY($4::text[]) AND p.prokind <> 'p'
  UNION ALL SELECT 'operator', 'pg_operator'::regclass, o.oid, o.oprname, o.oprnamespace, o.oprowner,
    ' (' || replace(concat_ws(', ', format_type(o.oprleft, NULL), format_type(o.oprright, NULL)), '-', 'NONE') || ')'
  FROM pg_operator o WHERE o.oprname = ANY($5::text[])
  UNION ALL SELECT 'type', 'pg_type'::regclass, t.oid, t.typname, t.typnamespace, t.typowner, ''
  FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid AND c.relkind <> 'c'
  WHERE t.typname = ANY(CASE WHEN c.oid IS NULL THEN $6::text[] ELSE $7::text[] END)
  UNION ALL SELECT 'collation', 'pg_collation'::regclass, l.oid, l.collname, l.collnamespace, l.collowner, ''
  FROM pg_collation l WHERE l.collname = ANY($6::text[])
), judged AS (
  SELECT f.*, l.name AS place, l.open, f.owner IN (TABLE trusted) OR (f.owner = l.owner AND NOT l.open)
    OR (f.class, f.oid) IN (TABLE members) AS trusted,
    EXISTS (SELECT FROM found r WHERE r.kind = f.kind AND r.name = f.name AND r.oid <> f.oid AND r.owner <> f.owner
            AND (r.schema IN (SELECT oid FROM looked)
              OR (r.schema = 'pg_catalog'::regnamespace AND f.kind IN ('function', 'operator'))))
      AS rival
  FROM found f JOIN looked l ON l.oid = f.schema
)
-- A type takes the place of no other but of its own name, so that one alone is the one that is meant.
SELECT kind, name::text, place::text, signature, pg_get_userbyid(owner)::text, open,
  NOT trusted AND (rival OR (open AND kind IN ('function', 'operator')))
FROM judged WHERE open OR (NOT trusted AND rival) ORDER BY 7 DESC, kind, place, name, signature
"""
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A function, operator, type or collation that a name of the mapping may mean. `open`: in a schema that others may
    create in; `refused`: by its owner, it is not trusted."""

    kind: str
    name: str
    schema: str
    signature: str
    owner: str
    open: bool
    refused: bool

    @property
    def what(self) -> str:
        return _printable(
            f"{self.kind} {self.schema}.{self.name}{self.signature} belongs to {self.owner}, who owns none of the"
            " mapped tables, and may be taken for what the mapping means: nothing is read, since it would run with our"
            " privileges"
        )

    @property
    def hint(self) -> str:
        name = f"{quoted(self.schema)}.{self.name}" if self.kind == "operator" else quoted(self.schema, self.name)
        kind = "ROUTINE" if self.kind == "function" else self.kind.upper()  # an aggregate, perhaps
        shown = f"{kind} {name}{self.signature}"
        revoke = f" Then: {revoked(self.schema)}" if self.open else ""
        return _printable(
            f"let a DBA look at it and run: DROP {shown}; or, if it is meant, ALTER {shown} OWNER TO the tables' owner."
            f"{revoke}"
        )


def _printable(text: str) -> str:
    """Names are somebody else's: none of them moves a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


@dataclass(frozen=True, slots=True)
class LookedUpNames:
    """What is looked up by the path when the mapping runs. `tables`: their oids."""

    path: tuple[str, ...]
    tables: tuple[int, ...]
    functions: tuple[str, ...]
    operators: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[str, ...]
    schemas: tuple[str, ...]

    async def candidates(self, ask: Ask) -> list[Candidate]:
        """Those in schemas that others may create in, and whatever else is refused, which comes first. Raises what
        `ask` raises."""
        lists = (self.path, self.tables, self.schemas, self.functions, self.operators, self.types, self.rows)
        return [Candidate(*row) for row in await ask(_CANDIDATES, [list(each) for each in lists])]

    async def open_schemas(self, ask: Ask) -> tuple[str, ...]:
        """Those of the path that others may create in. Raises what `ask` raises."""
        return tuple(row[0] for row in await ask(_OPEN, [list(self.path), list(self.tables), []]))


def looked_up_names(words: Identifiers, path: Sequence[str], tables: Sequence[int]) -> LookedUpNames:
    parts = [each.rpartition(".")[2] for each in words.fields]
    return LookedUpNames(
        tuple(path),
        tuple(sorted(tables)),
        tuple(sorted({*words.functions, *words.parts, *words.columns, *parts})),
        tuple(sorted({*words.operators, *OPERATORS})),
        tuple(sorted(words.types)),
        tuple(sorted(words.rows)),
        tuple(sorted(words.schemas)),
    )


def revoked(schema: str) -> str:
    return f"REVOKE CREATE ON SCHEMA {quoted(schema)} FROM PUBLIC;"
