"""Brings a checkpoint file to this version's schema, and refuses files that are not ours or are newer.

The version is `PRAGMA user_version`, the mark of ownership `PRAGMA application_id`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

import apsw

from connector.checkpoints.letters import teach_letter_group
from connector.checkpoints.thread import transaction
from connector.model.errors import ConfigurationError, Problem

APPLICATION_ID: Final = 0x5245444F
"""`REDO` in ASCII: https://www.sqlite.org/pragma.html#pragma_application_id"""

MIGRATIONS: Final = tuple(
    files(__package__).joinpath(name).read_text(encoding="utf-8")
    for name in ("schema.sql", "upgrade_2.sql", "upgrade_3.sql", "upgrade_4.sql", "upgrade_5.sql")
)
"""One script a version, oldest first. A script that was released never changes; the next one alters what it made."""


_BEFORE_3: Final = """
CREATE TEMP VIEW checkpoint AS SELECT *, x'' AS digest, '' AS store_id, x'' AS traits FROM main.checkpoint;
CREATE TEMP VIEW dead_letter AS SELECT *, letter_group(reason, cause) AS letter_group, '' AS store_id FROM
  (SELECT *, substr(message, 1, instr(message || '; ', '; ') - 1) AS cause FROM main.dead_letter);
CREATE TEMP VIEW sweep AS SELECT *, 0 AS missed, 0 AS changed, 0 AS extra, 0 AS held FROM main.sweep;
CREATE TEMP VIEW finished_sweep AS SELECT * FROM sweep WHERE finished_at IS NOT NULL;
CREATE TEMP TABLE leftover (key, store_id, order_id);
CREATE TEMP TABLE payload (key, store_id, order_id, sealed);
CREATE TEMP TABLE hold (number, kind, cause, state, opened_at, orders, over);
CREATE TEMP TABLE held (key, hold, spread, fields, since, confirm);
CREATE TEMP TABLE warning (key, kind, message, first_seen, last_seen, times);
"""
_BEFORE_4: Final = "CREATE TEMP VIEW dead_letter AS SELECT *, '' AS store_id FROM main.dead_letter"
_BEFORE_5: Final = "CREATE TEMP TABLE endpoint (store_id, url, active, approved, orders)"
# A view's `*` takes in columns that a writer adds later, and the first of two of one name counts: so a reader sees what
# an upgrade beside it makes known of orders. New tables it sees once it opens the file anew.
READ_AS_NEWEST: Final[Mapping[int, str]] = {
    1: _BEFORE_3 + _BEFORE_5,
    2: _BEFORE_3 + _BEFORE_5,
    3: f"{_BEFORE_4}; {_BEFORE_5}",
    4: _BEFORE_5,
}
"""What a reader, who may not migrate, lays over a file of an older version, so that one set of queries serves all."""


def refuse_foreign(connection: apsw.Connection, path: Path) -> int:
    """The file's version, 0 for an empty file. Raises ConfigurationError when it is not ours or newer than us."""
    application_id = connection.pragma("application_id")
    version = connection.pragma("user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if application_id != APPLICATION_ID and (application_id or version or tables):
        raise ConfigurationError([not_ours(path)])
    if version > len(MIGRATIONS):
        what = f"{path} was written by a newer redo-connector (schema {version}, this one knows {len(MIGRATIONS)})"
        raise ConfigurationError([Problem(what, "run that newer version, or name another file", "checkpoints.url")])
    return int(version)


def not_ours(path: Path) -> Problem:
    """What to say of a file that some other program made."""
    return Problem(f"{path} exists but is not a checkpoint file", "name another file", "checkpoints.url")


def migrate(connection: apsw.Connection, path: Path) -> None:
    """Apply what is missing, each script in its own transaction. Raises ConfigurationError as `refuse_foreign` does."""
    version = refuse_foreign(connection, path)
    teach_letter_group(connection)
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        with transaction(connection):
            connection.execute(script)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
