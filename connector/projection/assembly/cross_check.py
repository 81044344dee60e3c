"""Whether the restricted query answers as the mapping does. Reads only."""
# ruff: noqa: S608  names come quoted from the catalog, the mapping is the operator's SQL, values are parameters

from __future__ import annotations

from collections.abc import Sequence

from psycopg.errors import QueryCanceled

from connector.model.errors import Problem
from connector.model.orders import OrderKey
from connector.projection.assembly import statements
from connector.projection.assembly.projection import Projection
from connector.projection.assembly.sessions import Session
from connector.projection.sql.keys import array_literal, decode


async def cross_check(session: Session, projection: Projection, keys: Sequence[OrderKey]) -> list[Problem]:
    """Whether the restricted query gives the same rows for the keys as the mapping as written does, in one snapshot.

    The mapping as written is filtered by its `id` from outside, so it may have to read whole tables: when that takes
    longer than the statement timeout, a warning says that nothing was compared."""
    if not keys:
        return []
    decoded = [decode(key, len(projection.key)) for key in keys]
    arrays = [array_literal(column) for column in zip(*decoded, strict=True)]
    made = statements.documents(projection, projection.restricted, ['"m"."id"::text'])
    whole = statements.documents(projection, projection.statement, ['"m"."id"::text'])
    query = (
        f"WITH made (document, id) AS MATERIALIZED ({made}), "
        f"whole (document, id) AS ({whole} WHERE m.id::text IN (SELECT id FROM made)) "
        "SELECT pg_catalog.count(*) FROM (SELECT document, pg_catalog.count(*) AS count FROM made GROUP BY 1) m "
        "LEFT JOIN (SELECT document, pg_catalog.count(*) AS count FROM whole GROUP BY 1) w USING (document, count) "
        "WHERE w.document IS NULL"
    )
    try:
        different = int((await session.rows(query, arrays))[0][0])
    except QueryCanceled:
        what = "the mapping as written takes longer than source.statement_timeout: its answers were not compared"
        return [Problem(what, "", projection.path, warning=True)]
    if not different:
        return []
    what = f"restricted to single orders the mapping gives other rows: {different} of those of {len(keys)} orders"
    return [Problem(what, "a function or an aggregate without ORDER BY may differ from run to run", projection.path)]
