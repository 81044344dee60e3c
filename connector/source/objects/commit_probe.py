"""Whether anything was committed since the last look, so that looks at an idle source cost little.

Catalog rows change only by transactions that write, in whatever database of the server. The one exception: before
Postgres 14, DROP INDEX CONCURRENTLY marks an index invalid in place; so a full look is due from time to time all the
same.
"""

from __future__ import annotations

import time
from typing import Any, Final

import psycopg

_SNAPSHOT: Final = "SELECT pg_current_snapshot()::text"


class CommitProbe:
    """Remembers the snapshot of one connection's last look. Another connection may lead to another server."""

    def __init__(self, trusted_for: float) -> None:
        """Seconds after which a look is due, whatever the snapshots say."""
        self._trusted_for = trusted_for
        self._seen: tuple[psycopg.AsyncConnection[Any], str] | None = None
        self._until = 0.0

    async def none_since(self, conn: psycopg.AsyncConnection[Any]) -> bool:
        """True when whatever is read now was the same at the last look. If not, this counts as the beginning of one;
        call `forget` when it came to nothing, or found something. Raises psycopg.Error."""
        row = await (await conn.execute(_SNAPSHOT)).fetchone()
        now = conn, str(row[0]) if row else ""
        same = self._seen is not None and now[0] is self._seen[0] and now[1] == self._seen[1]
        if same and time.monotonic() < self._until:
            return True
        self._seen, self._until = now, time.monotonic() + self._trusted_for
        return False

    def forget(self) -> None:
        """The next look is due."""
        self._seen = None
