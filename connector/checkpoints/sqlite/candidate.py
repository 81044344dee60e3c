"""Waits for the lock of a checkpoint file, which the system lets go of when the process that has it ends."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

import apsw

from connector.checkpoints.engine import NoStore
from connector.checkpoints.leader import Candidate
from connector.checkpoints.sqlite import file
from connector.checkpoints.sqlite.engine import SqliteEngine, SqliteSession, unwritable
from connector.checkpoints.sqlite.file_hold import FileHold, FileInUse, private
from connector.checkpoints.store import Checkpoints
from connector.checkpoints.vault import Vault


def _waiting_file(path: Path) -> Path:
    """What those who wait lock, and share."""
    return Path(f"{os.path.realpath(path)}-standby")


def waiting(path: Path) -> bool:
    """Whether somebody waits for the file. Raises CheckpointsUnwritable."""
    descriptor = private(_waiting_file(path))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class FileCandidate(Candidate):
    def __init__(self, path: Path) -> None:
        self._path = path
        self._hold: FileHold | None = None
        self._announced: int | None = None

    def take(self) -> bool:
        file.refuse_place(self._path)
        try:
            self._hold = FileHold(self._path)
        except FileInUse:
            if self._announced is None:
                self._announced = private(_waiting_file(self._path))
                with suppress(BlockingIOError):  # somebody looks just now whether anybody waits
                    fcntl.flock(self._announced, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
        return True

    def noted(self, name: str) -> str | None:
        try:
            connection = file.open_reader(self._path)
        except NoStore:
            return None  # still being made
        try:
            found: str | None = SqliteSession(connection).value("noted", name=name)
        except apsw.Error as error:
            raise unwritable(self._path, error) from error
        finally:
            connection.close()
        return found

    def open_store(self, vault: Vault | None) -> Checkpoints:
        hold, self._hold = self._hold, None
        assert hold is not None  # noqa: S101 -- it was taken
        self.close()
        return Checkpoints(SqliteEngine(file.open_held(self._path, hold), self._path, hold), vault)

    def close(self) -> None:
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.release()
        descriptor, self._announced = self._announced, None
        if descriptor is not None:
            os.close(descriptor)
