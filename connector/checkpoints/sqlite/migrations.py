"""Brings a checkpoint file to this version's schema, and refuses files that are not ours or are newer.

The version is `PRAGMA user_version`, the mark of ownership `PRAGMA application_id`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import apsw

from connector.checkpoints.sqlite.engine import transaction
from connector.checkpoints.statements import script, tables
from connector.model.errors import ConfigurationError, Problem

APPLICATION_ID: Final = 0x5245444F
"""`REDO` in ASCII: https://www.sqlite.org/pragma.html#pragma_application_id"""

SCHEMA: Final = tables("schema.sql", "sqlite") + script("schema_sqlite.sql")
UPGRADES: Final = (tables("upgrade_2.sql", "sqlite") + script("upgrade_2_sqlite.sql"),)
"""From each version to the next, the first from 1 to 2. SCHEMA is what they lead to."""


def newest() -> int:
    """The version of SCHEMA."""
    return len(UPGRADES) + 1


def refuse_foreign(connection: apsw.Connection, path: Path) -> int:
    """The file's version, 0 for an empty file. Raises ConfigurationError when it is not ours or newer than us."""
    application_id = connection.pragma("application_id")
    version = connection.pragma("user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if application_id != APPLICATION_ID and (application_id or version or tables):
        raise ConfigurationError([not_ours(path)])
    if version > newest():
        what = f"{path} was written by a newer redo-connector (schema {version}, this one knows {newest()})"
        raise ConfigurationError([Problem(what, "run that newer version, or name another file", "checkpoints.url")])
    return int(version)


def not_ours(path: Path) -> Problem:
    """What to say of a file that some other program made."""
    hint = "name another file; or, if it was one and was cut short, move it away with its -wal and -shm, or restore it"
    return Problem(f"{path} exists but is not a checkpoint file", hint, "checkpoints.url")


def migrate(connection: apsw.Connection, path: Path) -> None:
    """Make the schema, or apply the upgrades that are missing, each in its own transaction.

    Raises ConfigurationError as `refuse_foreign` does.
    """
    version = refuse_foreign(connection, path)
    missing = enumerate(UPGRADES[version - 1 :], start=version + 1) if version else [(newest(), SCHEMA)]
    for number, statements in missing:
        with transaction(connection):
            connection.execute(statements)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
