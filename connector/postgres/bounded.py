"""A connection to Postgres that gives up by itself on a server that no longer answers.

`statement_timeout` works on the server only: where packets are dropped without a word, a client waits for ever. Knows
psycopg; must not know what is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

RV = TypeVar("RV")

SEARCH_PATH = "SET search_path TO pg_catalog, pg_temp"
"""What each session begins with, before it looks anything up (SET looks up nothing): what others put into a schema of
the role's own path never takes the place of what a query of ours names. Temporary tables would come first if pg_temp
weren't listed."""

GRACE = 10.0
"""Seconds after the server's own time limit in which an answer may still come."""


class NoAnswer(psycopg.OperationalError):
    """The server said nothing for as long as we were willing to wait; the connection is closed."""


class BoundedConnection(psycopg.AsyncConnection[Any]):
    """Each round trip has `patience` seconds (None: no bound), then the socket is shut down and NoAnswer raised.

    Cancelling would not do: `AsyncConnection.wait` answers a cancellation by asking the server, over a connection of
    its own, to end the query, and waits up to ten seconds for that.
    """

    patience: float | None = None

    @classmethod
    async def open(cls, info: str, patience: float | None, **options: Any) -> BoundedConnection:
        """In autocommit mode. Raises psycopg.Error."""
        connection = await cls.connect(info, autocommit=True, **options)
        connection.patience = patience
        return connection

    async def wait(self, gen: PQGen[RV], *args: Any, **kwargs: Any) -> RV:
        if self.patience is None:
            return await super().wait(gen, *args, **kwargs)
        given_up = False

        def give_up() -> None:
            nonlocal given_up
            given_up = True
            _shut_down(self.pgconn.socket)

        alarm = asyncio.get_running_loop().call_later(self.patience, give_up)
        try:
            return await super().wait(gen, *args, **kwargs)
        except psycopg.OperationalError:
            if given_up:
                raise NoAnswer(f"no answer for {self.patience:.3g} s") from None
            raise
        finally:
            alarm.cancel()

    async def cancel_safe(self, *, timeout: float = 30.0) -> None:
        await super().cancel_safe(timeout=timeout if self.patience is None else min(timeout, self.patience))


def _shut_down(descriptor: int) -> None:
    """Both ways, which whoever waits for the socket sees as its end."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as same:
        same.shutdown(socket.SHUT_RDWR)
