"""What a reading depends on: the relations that the mapping reads, their policies, partitions and view queries, the
functions it calls, the role, the server. Rows can vanish or change with any of these, without a row being written.

`Dependencies.stamp` is asked after each reading, in a later snapshot: the same answer as before the reading means that
nothing was altered meanwhile. Otherwise `Dependencies.read` says what, and `difference` whether rows may have vanished.
Reads the catalog only. Must not know what is read, nor what becomes of a reading that doesn't count.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from connector.model.errors import ReadingVoid
from connector.projection.catalog.untrusted import Ask
from connector.projection.sql.keys import array_literal

State: TypeAlias = Mapping[str, Any]
"""As `_STATE` gives it. Plain data, so that it can be kept as JSON."""

# Relations whose rows are read as a part of others': children of children are found through these.
_TREE: Final = """
WITH RECURSIVE below(oid) AS (
  SELECT unnest($1::oid[]) UNION SELECT h.inhrelid FROM below b JOIN pg_inherits h ON h.inhparent = b.oid)
SELECT DISTINCT h.inhparent::bigint FROM pg_inherits h JOIN below b ON b.oid = h.inhparent
"""

# Of a primary. A standby tells none that is always up to date.
_TIMELINE: Final = "CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END"
_TIMELINE_TOLD: Final = """
SELECT has_function_privilege('pg_walfile_name(pg_lsn)', 'EXECUTE')
  AND has_function_privilege('pg_current_wal_insert_lsn()', 'EXECUTE')
"""

# Who may see what with row security depends on roles and memberships too.
_GUARDS: Final = """(
  SELECT string_agg(concat_ws(' ', p.oid, p.xmin, (
      SELECT string_agg(concat_ws(' ', o, r, r = 0 OR pg_has_role(o, r, 'USAGE')), '+' ORDER BY o, r)
      FROM unnest(p.polroles) AS r, unnest($4::oid[] || reader()) AS o)), ',' ORDER BY p.oid)
  FROM pg_policy p WHERE p.polrelid = ANY($1::oid[])
), (
  SELECT string_agg(concat_ws(' ', a.oid, a.rolsuper, a.rolbypassrls, (
      SELECT string_agg(concat_ws(' ', c.oid, pg_has_role(a.oid, c.relowner, 'USAGE')), '+' ORDER BY c.oid)
      FROM pg_class c WHERE c.oid = ANY($1::oid[]) AND c.relrowsecurity)), ',' ORDER BY a.oid)
  FROM pg_roles a WHERE a.oid = ANY($4::oid[] || reader())
)"""

# Functions of such names that others make elsewhere can't be called by the mapping, and may come and go at any time.
_MEANT: Final = """f.proname = ANY($3::text[]) AND (
    f.pronamespace IN (SELECT s.oid FROM pg_namespace s WHERE s.nspname = ANY($5::text[]))
    OR f.proowner IN (SELECT a.oid FROM pg_roles a WHERE a.rolsuper)
    OR f.proowner IN (SELECT c.relowner FROM pg_class c WHERE c.oid = ANY($1::oid[]))
    OR f.proowner = (SELECT d.datdba FROM pg_database d WHERE d.datname = current_database()))"""

# A row's xmin is another one once it was altered, also when it is by now as it was.
_STAMP: Final = f"""
SELECT md5(concat_ws(';', current_user, $4::oid[], (
  SELECT string_agg(concat_ws(' ', c.oid, c.xmin, n.xmin), ',' ORDER BY c.oid)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY($1::oid[])
), (
  SELECT string_agg(concat_ws(' ', r.oid, r.xmin), ',' ORDER BY r.oid) FROM pg_rewrite r
  WHERE r.ev_class = ANY($1::oid[])
), (
  SELECT concat_ws(' ', count(*), sum(h.inhrelid::int8), sum(h.xmin::text::int8))
  FROM pg_inherits h WHERE h.inhparent = ANY($2::oid[])
), (
  SELECT string_agg(concat_ws(' ', f.oid, f.xmin), ',' ORDER BY f.oid) FROM pg_proc f
  WHERE {_MEANT} AND f.pronamespace <> 'pg_catalog'::regnamespace
), guards()))
"""  # noqa: S608 -- constants alone are put together

# A view reads with the rights of its owner, unless it says otherwise (from Postgres 15 on).
_STATE: Final = f"""
WITH relation AS (SELECT c.*, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = ANY($1::oid[])),
reader AS (
  SELECT c.oid AS relation, reader() AS role FROM relation c
  UNION SELECT d.refobjid, v.relowner FROM relation v JOIN pg_rewrite r ON r.ev_class = v.oid
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
  WHERE v.relkind = 'v' AND NOT EXISTS (
    SELECT FROM pg_options_to_table(v.reloptions) WHERE option_name = 'security_invoker' AND option_value::boolean)),
guarded AS (
  SELECT c.oid, a.rolname, (
    SELECT string_agg(concat_ws('.', p.oid, p.xmin), ' ' ORDER BY p.oid) FROM pg_policy p WHERE p.polrelid = c.oid
    AND EXISTS (SELECT FROM unnest(p.polroles) AS r WHERE r = 0 OR pg_has_role(a.oid, r, 'USAGE'))) AS policies
  FROM relation c JOIN reader ON reader.relation = c.oid JOIN pg_roles a ON a.oid = reader.role
  WHERE c.relrowsecurity AND NOT a.rolsuper AND NOT a.rolbypassrls
    AND (c.relforcerowsecurity OR NOT pg_has_role(a.oid, c.relowner, 'USAGE')))
SELECT ({_STAMP}), json_build_object(
  'role', current_user,
  'timeline', timeline_now(),
  'guarded', EXISTS (SELECT FROM relation WHERE relrowsecurity),
  'relations', (SELECT json_object_agg(c.oid, json_build_object(
    'name', c.nspname || '.' || c.relname, 'kind', c.relkind,
    'row_security', (SELECT json_object_agg(g.rolname, coalesce(g.policies, '')) FROM guarded g WHERE g.oid = c.oid),
    'query', (SELECT concat_ws(' ', r.oid, r.xmin, c.relowner, c.reloptions) FROM pg_rewrite r
      WHERE r.ev_class = c.oid AND r.rulename = '_RETURN'))) FROM relation c),
  'parts', (SELECT json_object_agg(h.inhrelid, k.oid::regclass::text)
    FROM pg_inherits h JOIN pg_class k ON k.oid = h.inhrelid
    WHERE h.inhparent = ANY($2::oid[]) AND to_jsonb(h)->'inhdetachpending' IS DISTINCT FROM 'true'::jsonb),
  'functions', (SELECT json_object_agg(concat_ws('.', f.oid, f.xmin), n.nspname || '.' || f.proname)
    FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
    WHERE {_MEANT} AND n.nspname <> 'pg_catalog'))
"""  # noqa: S608 -- constants alone are put together

_GUARDED: Final = "SELECT EXISTS (SELECT FROM pg_class WHERE oid = ANY($1::oid[]) AND relrowsecurity)"
_OWNERS: Final = "SELECT DISTINCT relowner::bigint FROM pg_class WHERE oid = ANY($1::oid[]) AND relkind = 'v'"


@dataclass(frozen=True, slots=True)
class Dependencies:
    """`relations` are oids of tables and views; `parents` of those, or of their parts, that have parts (partitions,
    inheritance children); `functions` names without schema; `owners` of the views; `schemas` in which a function is
    looked up. Elsewhere, one of a privileged owner may be what another function calls."""

    relations: tuple[int, ...]
    parents: tuple[int, ...]
    functions: tuple[str, ...]
    owners: tuple[int, ...]
    schemas: tuple[str, ...]
    guarded: bool = True
    """Row security is on for some of the relations, so that policies and roles are looked at. When it is turned on, the
    relation's own row tells it."""
    timeline_told: bool = True
    """The server lets us ask for it."""

    def question(self) -> tuple[str, list[str]]:
        """What tells the stamp: another one once anything was altered, even if it is by now as it was; and the server's
        timeline, None where it isn't told."""
        return self._query(f"{_STAMP}, timeline_now()"), self._parameters()

    async def read(self, ask: Ask) -> tuple[str, State]:
        """The stamp, and what there is in the same snapshot. Raises what `ask` raises."""
        stamp, state = (await ask(self._query(_STATE), self._parameters()))[0]
        none: State = {"relations": {}, "parts": {}, "functions": {}}
        return str(stamp), {**state, **{name: state[name] or none[name] for name in none}}

    def _query(self, text: str) -> str:
        text = text.replace("guards()", _GUARDS if self.guarded else "NULL")
        text = text.replace("timeline_now()", _TIMELINE if self.timeline_told else "NULL::text")
        return text.replace("reader()", "quote_ident(current_user)::regrole::oid")

    def _parameters(self) -> list[str]:
        """As literals, which are sent as they are: a stamp is asked for with each reading."""
        numbers = ("{" + ",".join(map(str, oids)) + "}" for oids in (self.relations, self.parents, self.owners))
        relations, parents, owners = numbers
        return [relations, parents, array_literal(self.functions), owners, array_literal(self.schemas)]


async def dependencies(
    ask: Ask, relations: Sequence[int], functions: Sequence[str], schemas: Sequence[str]
) -> Dependencies:
    """Of a mapping that reads these tables and views. Raises what `ask` raises."""
    oids = sorted(set(relations))
    parents = sorted(row[0] for row in await ask(_TREE, [oids]))
    owners = sorted(row[0] for row in await ask(_OWNERS, [oids]))
    told = bool((await ask(_TIMELINE_TOLD, []))[0][0])
    guarded = bool((await ask(_GUARDED, [oids]))[0][0])
    names, places = tuple(sorted(functions)), tuple(sorted(schemas))
    return Dependencies(tuple(oids), tuple(parents), names, tuple(owners), places, guarded, told)


@dataclass(frozen=True, slots=True)
class Basis:
    """The dependencies as they were when the mapping was analysed. `unfiltered`: no policy applied to any query of
    ours, so that one that does is an error instead of an answer that lacks rows."""

    dependencies: Dependencies
    stamp: str
    state: State
    unfiltered: bool


def difference(before: State, now: State) -> str | None:
    """Why rows may have vanished, or may mean something else, between the two; None when that can't be."""
    if before["role"] != now["role"]:
        return f"orders are read as role {now['role']} and were read as {before['role']}"
    for oid, was in before["relations"].items():
        found = _altered(was, now["relations"].get(oid))
        if found is not None:
            return found
    gone = [name for oid, name in before["parts"].items() if oid not in now["parts"]]
    if gone:
        return f"{', '.join(sorted(gone))} was detached, dropped or exchanged: its rows are no longer read"
    if before["functions"] != now["functions"]:
        known = set(before["functions"].items()) ^ set(now["functions"].items())
        return f"{', '.join(sorted({name for _, name in known}))}() is another function than it was"
    return None


def other_history(before: str | None, now: str | None) -> str | None:
    """Why rows may never have been, though what is read is the same, by the timelines; None when that can't be told."""
    if before == now or before is None or now is None:
        return None
    return "another server answers, or the same one with another history: it was promoted or restored"


def _altered(was: Mapping[str, Any], now: Mapping[str, Any] | None) -> str | None:
    name = was["name"]
    if now is None:
        return f"{name} is gone, or another relation has its name"
    if now["name"] != name:
        return f"{name} was renamed to {now['name']}"
    if now["kind"] != was["kind"]:
        return f"{name} is another kind of relation than it was"
    if now["row_security"] != was["row_security"]:
        roles = ", ".join(sorted({*(was["row_security"] or {}), *(now["row_security"] or {})}))
        return f"row-level security of {name} is otherwise than it was for role {roles}: rows may be hidden"
    return f"view {name} was redefined" if now["query"] != was["query"] else None


async def _ignore(_: str) -> None:
    return None


class DependencyWatch:
    """Whether what a reading stood on is as it was when the mapping was analysed. `stamp` and `state`: what the latest
    look saw; between two looks with the same stamp nothing was altered.

    To be asked on the reading's own session in a later snapshot: DDL that the reading had to wait for shows there, also
    when the reading's own snapshot is from before. What was altered without a difference to any row (a GRANT, a
    TRUNCATE, a new partition) makes it be read again; anything else makes it void, until the mapping was analysed anew.
    """

    def __init__(self, basis: Basis) -> None:
        self._dependencies = basis.dependencies
        self._timeline = basis.state["timeline"]
        self._unfiltered = basis.unfiltered
        self.state: State = basis.state
        self.stamp = basis.stamp
        self.doubt: Callable[[str], Awaitable[None]] = _ignore
        """Told, before anything is read again, why rows may never have been."""

    def question(self) -> tuple[str, list[str]]:
        """To be asked in a later snapshot than the reading's."""
        return self._dependencies.question()

    async def counts(self, stamp: str, answer: tuple[str, str | None], ask: Ask) -> bool:
        """Whether a reading that was begun when the stamp was seen counts, by the answer to the question; if not, one
        that is begun now may. Raises ReadingVoid."""
        seen, timeline = answer
        before, self._timeline = self._timeline, timeline or self._timeline
        if (history := other_history(before, timeline)) is not None:
            await self.doubt(history)
            return False
        if seen == stamp:
            return True
        seen, state = await self._dependencies.read(ask)
        altered = difference(self.state, state)
        if altered is not None:
            raise ReadingVoid(altered)
        self._dependencies = replace(self._dependencies, guarded=state["guarded"])
        self.stamp, self.state = seen, state
        return False

    def differs(self, basis: Basis) -> bool:
        """A mapping that was analysed with this basis must be taken up in place of the present one."""
        return self._unfiltered != basis.unfiltered or difference(self.state, basis.state) is not None
