"""What a mapping means beyond its text and its tables' columns: the views, functions, operators and types that it uses.

Any of them can be replaced without a row changing, and every order's answer with it. Reads the catalog only.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector.model.changes import TableName
from connector.projection.catalog.untrusted import Ask, LookedUpNames

# ev_action is the view's query, as the server keeps it: unlike pg_get_viewdef it locks nothing. By `to_jsonb`, because
# servers before 14 have no prosqlbody.
_DIGEST = """
SELECT md5(concat_ws(';', (
  SELECT string_agg(concat_ws(' ', n.nspname, c.relname, md5(r.ev_action::text)), ','
                    ORDER BY n.nspname, c.relname)
  FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
  JOIN pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('v', 'm')
  JOIN pg_rewrite r ON r.ev_class = c.oid
), (
  SELECT string_agg(md5(concat_ws(' ', n.nspname, p.proname, p.proargtypes, p.prorettype, p.prolang, p.provolatile,
                                  p.proisstrict, p.proconfig, p.prosrc, p.probin, to_jsonb(p)->>'prosqlbody')),
                    ',' ORDER BY n.nspname, p.proname, p.proargtypes)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE p.proname = ANY($3::text[]) AND n.nspname = ANY($8::text[])
), (
  SELECT string_agg(md5(to_jsonb(a)::text), ',' ORDER BY a.aggfnoid)
  FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE p.proname = ANY($3::text[]) AND n.nspname = ANY($8::text[])
), (
  SELECT string_agg(concat_ws(' ', o.oid, o.oprcode::oid), ',' ORDER BY o.oid)
  FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
  WHERE o.oprname = ANY($6::text[]) AND n.nspname = ANY($8::text[])
), (
  SELECT string_agg(t.oid::text, ',' ORDER BY t.oid) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_class c ON c.oid = t.typrelid AND c.relkind <> 'c'
  WHERE t.typname = ANY($7::text[]) AND c.oid IS NULL AND n.nspname = ANY($8::text[])
), (
  SELECT string_agg(DISTINCT concat_ws(' ', e.oid, e.enumsortorder, e.enumlabel), ',')
  FROM unnest($4::text[], $5::text[]) AS wanted (schema, name)
  JOIN pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_enum e ON e.enumtypid IN (t.oid, t.typelem, t.typbasetype)
)))
"""


@dataclass(frozen=True, slots=True)
class Definitions:
    """`functions`: names of those called at any depth; `tables`: whose columns may be of enum types; `names`: of all
    else, by which it is looked up."""

    views: tuple[TableName, ...]
    functions: tuple[str, ...]
    tables: tuple[TableName, ...]
    names: LookedUpNames

    async def digest(self, ask: Ask) -> str:
        """Another one once any of them was replaced. Raises what `ask` raises."""
        arrays = [
            [view.schema for view in self.views],
            [view.name for view in self.views],
            list(self.functions),
            [table.schema for table in self.tables],
            [table.name for table in self.tables],
            list(self.names.operators),
            list(self.names.types),
            sorted({*self.names.path, *self.names.schemas} - {"pg_catalog"}),
        ]
        return str((await ask(_DIGEST, arrays))[0][0])
