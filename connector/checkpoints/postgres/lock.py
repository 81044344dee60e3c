"""One writer at a time: a lock that belongs to the very session that writes.

When the session ends the lock is free, and nothing can be written through the session any more: a writer that was cut
off can't write after another one began. https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection

_CLASS: Final = 0x5245444F
"""`REDO`, so that no other program's locks are ours by chance."""

_TAKE: Final = "SELECT pg_try_advisory_lock(%s, %s)"
# A lock of two integers has objsubid 2: https://www.postgresql.org/docs/current/view-pg-locks.html
_HOLDER: Final = """
SELECT pid, coalesce(application_name, ''), coalesce(client_addr::text, 'a local socket'), coalesce(usename::text, '')
FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND classid = %s AND objid = %s::bigint::oid AND objsubid = 2 AND granted LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the lock, as far as the server tells."""

    pid: int
    application: str
    address: str
    role: str

    def __str__(self) -> str:
        who = f"{self.application or 'a session'} of {self.role}" if self.role else "a session"
        return f"{who}, process {self.pid} there, from {self.address}"


def take(connection: Connection[Any], schema: str) -> bool:
    """Whether the lock is this session's now."""
    row = connection.execute(_TAKE, (_CLASS, _number(schema))).fetchone()
    return bool(row and row[0])


def holder(connection: Connection[Any], schema: str) -> Holder | None:
    """None when it is free."""
    row = connection.execute(_HOLDER, (_CLASS, _number(schema) % 2**32)).fetchone()
    return None if row is None else Holder(*row)


def _number(schema: str) -> int:
    """32 bits, signed as the function takes them; `pg_locks` shows them unsigned."""
    return int.from_bytes(hashlib.blake2b(schema.encode(), digest_size=4).digest(), signed=True)
