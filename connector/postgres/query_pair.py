"""Two queries in one round trip, each in a transaction of its own.

In libpq's pipeline mode a Sync ends the transaction of what came before it, so the second query has a snapshot of its
own, later than the first one's (https://www.postgresql.org/docs/current/libpq-pipeline-mode.html). psycopg's own
pipeline has one Sync for both, and costs more than two round trips. Knows psycopg; must not know what is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from psycopg import AsyncConnection, errors
from psycopg.abc import Buffer, PQGen
from psycopg.adapt import PyFormat, Transformer
from psycopg.generators import execute, fetch, send
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

Rows: TypeAlias = list[tuple[Any, ...]]
_Statement: TypeAlias = tuple[bytes, list[Buffer | None]]
"""The name of a prepared statement, and its parameters as texts."""


class QueryPair:
    """On a connection whose text is in an encoding of psycopg's, and that nothing else uses meanwhile. Each query is
    prepared once; the server reads each parameter as the type that the query says."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self._names: dict[str, bytes] = {}

    async def rows(
        self,
        first: str,
        parameters: Sequence[object],
        then: str,
        then_parameters: Sequence[object],
        before: Sequence[str] = (),
    ) -> tuple[Rows, Rows]:
        """`before`: statements without results that are run in the first one's transaction, before it. Raises
        psycopg.Error."""
        transactions = [
            [*[await self._statement(each, ()) for each in before], await self._statement(first, parameters)],
            [await self._statement(then, then_parameters)],
        ]
        results = await self._connection.wait(_each(self._connection.pgconn, transactions))
        for result in results:
            self._refuse(result)
        return self._loaded(results[-2]), self._loaded(results[-1])

    async def _statement(self, query: str, parameters: Sequence[object]) -> _Statement:
        encoding = self._connection.info.encoding
        if query not in self._names:
            name = f"pair_{len(self._names)}".encode()
            pgconn = self._connection.pgconn
            pgconn.send_prepare(name, query.encode(encoding))
            for result in await self._connection.wait(execute(pgconn)):
                self._refuse(result)
            self._names[query] = name
        adapt = Transformer(self._connection).get_dumper
        return self._names[query], [adapt(parameter, PyFormat.TEXT).dump(parameter) for parameter in parameters]

    def _loaded(self, result: PGresult) -> Rows:
        transformer = Transformer(self._connection)
        transformer.set_pgresult(result)
        return transformer.load_rows(0, result.ntuples, tuple)

    def _refuse(self, result: PGresult) -> None:
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise errors.error_from_result(result, encoding=self._connection.info.encoding)


def _each(pgconn: PGconn, transactions: Sequence[Sequence[_Statement]]) -> PQGen[list[PGresult]]:
    """Reads on to the last Sync, whatever became of the queries, so that the connection can be used again."""
    pgconn.enter_pipeline_mode()
    for statements in transactions:
        for name, parameters in statements:
            pgconn.send_query_prepared(name, parameters)
        pgconn.pipeline_sync()
    yield from send(pgconn)
    results: list[PGresult] = []
    synced = 0
    while synced < len(transactions):
        result = yield from fetch(pgconn)
        if result is None:
            continue  # the end of a query's results
        if result.status == ExecStatus.PIPELINE_SYNC:
            synced += 1
        else:
            results.append(result)
    pgconn.exit_pipeline_mode()
    return results
