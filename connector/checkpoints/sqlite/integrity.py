"""Whether a checkpoint file is whole: a disk, a copy of an open file or a repair may have damaged it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from connector.checkpoints.sqlite.engine import TEXT, damaged

_SCHEMA: Final = """
SELECT name, CASE type WHEN 'table' THEN
  (SELECT json_group_array(json_array(name, type, "notnull", dflt_value, pk)) FROM pragma_table_info(made.name))
  ELSE sql END
FROM sqlite_schema AS made
"""
_STEPS: Final = 10_000
"""Instructions of SQLite's virtual machine between looks at the time."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a file is looked at. What isn't, or not `within` so many seconds, is found when it is read. `whole`:
    its indexes, and the text of each row, too; else only what SQLite finds quickly."""

    within: float
    whole: bool


AT_START: Final = Extent(2.0, whole=False)
BY_CHECK: Final = Extent(10.0, whole=True)


def refuse_damaged(connection: apsw.Connection, path: Path, memory: apsw.Connection, extent: Extent) -> None:
    """`memory`: an empty store of the same version, whose schema the file's must have. Raises CheckpointsUnwritable.
    https://www.sqlite.org/pragma.html#pragma_quick_check"""
    until = time.monotonic() + extent.within
    connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        found = connection.execute(f"PRAGMA {'integrity_check' if extent.whole else 'quick_check'}(1)").get
        if found != "ok":
            raise damaged(path, str(found))
        if missing := _schema(memory) - _schema(connection):
            raise damaged(path, f"its schema lacks {', '.join(sorted(name for name, _ in missing))}")
        for table in _tables(memory) if extent.whole else ():
            for _ in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 -- a name of our own schema
                pass
    except apsw.InterruptError:
        return
    except UnicodeDecodeError as error:
        raise damaged(path, TEXT) from error
    except (apsw.SQLError, apsw.CorruptError) as error:
        raise damaged(path, str(error)) from error
    finally:
        connection.set_progress_handler(None)


def _schema(connection: apsw.Connection) -> set[tuple[str, str | None]]:
    """Names and definitions. Of a table its columns: ALTER TABLE writes them otherwise than CREATE TABLE."""
    return set(connection.execute(_SCHEMA))


def _tables(connection: apsw.Connection) -> list[str]:
    found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [name for (name,) in found]
