"""Whether the server counts us among its synchronous standbys: then the OMS's commits wait for our status updates.

https://www.postgresql.org/docs/current/runtime-config-replication.html#GUC-SYNCHRONOUS-STANDBY-NAMES. By
`synchronous_standby_names = '*'`, or with a name that is ours by chance. Reads only, and changes nothing: only the DBA
can say which standby is meant.
"""

from __future__ import annotations

import re
from typing import Final

from psycopg.conninfo import conninfo_to_dict

from connector.model.errors import Problem
from connector.postgres.connections import KeptConnection
from connector.postgres.dsn import conninfo

_METHOD: Final = re.compile(r"\s*(?:(?:FIRST|ANY)\s+)?\d+\s*\(", re.IGNORECASE)
_NAME: Final = re.compile(r'"((?:[^"]|"")+)"|([^\s,()"]+)')
# Of other roles' walsenders nothing is shown, of our own everything.
_STATE: Final = """
SELECT r.sync_state, current_setting('synchronous_standby_names'), r.application_name
FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid WHERE s.slot_name = %s
"""


def synchronous_entry(standby_names: str, application_name: str) -> str | None:
    """The entry of `synchronous_standby_names` that means a walsender of that name; None when none does."""
    method = _METHOD.match(standby_names)
    listed = standby_names[method.end() :] if method else standby_names
    names = [quoted.replace('""', '"') or bare for quoted, bare in _NAME.findall(listed)]
    return next((name for name in names if name == "*" or name.casefold() == application_name.casefold()), None)


def standby_problems(dsn: str, standby_names: str) -> list[Problem]:
    """Before a stream runs: whether it would be one of them."""
    application_name = str(conninfo_to_dict(conninfo(dsn)).get("application_name") or "")
    entry = synchronous_entry(standby_names, application_name)
    if entry is None:
        return []
    what = f"the server would take the connector for a synchronous standby, by {_entry(entry)}: {_MEANING}"
    return [Problem(what, remedy(entry), "source.dsn", warning=True)]


def remedy(entry: str) -> str:
    if entry == "*":
        return (
            "name the real standbys instead of '*': ALTER SYSTEM SET synchronous_standby_names = '<their"
            " application_name>'; SELECT pg_reload_conf();"
        )
    return "give source.dsn another application_name than a standby has, e.g. application_name=redo-connector-oms"


_MEANING: Final = (
    "the OMS's commits wait for the connector, also while it is down, and are acknowledged on its word, though it keeps"
    " no copy of the data"
)


def _entry(entry: str) -> str:
    return f"synchronous_standby_names, where {entry} stands"


class StandbyWatch:
    """Asks over the connection that all looks share."""

    def __init__(self, looks: KeptConnection, slot: str) -> None:
        self._looks = looks
        self._slot = slot
        self.waited_for = False
        """Commits of the OMS wait for us, or would if another standby failed."""

    async def look(self) -> Problem | None:
        """What there is to say of it, once when it becomes so. Raises SourceUnavailable."""
        async with self._looks.use() as conn:
            row = await (await conn.execute(_STATE, (self._slot,))).fetchone()
        before, state = self.waited_for, row[0] if row else None
        self.waited_for = state in ("sync", "quorum", "potential")
        if row is None or before or not self.waited_for:
            return None
        entry = synchronous_entry(row[1], row[2]) or "*"
        what = f"the connector is a synchronous standby of the OMS ({state}), by {_entry(entry)}: {_MEANING}"
        return Problem(what, remedy(entry), f"slot {self._slot}", warning=True)
