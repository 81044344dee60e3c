"""A checkpoint file is one process's own by whatever name, and is missed once it is no longer where it was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from connector.checkpoints.address import Address
from connector.checkpoints.opening import is_running, open_checkpoints, open_requests
from connector.checkpoints.store import Checkpoints
from connector.model.errors import CheckpointsUnwritable, ConfigurationError
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Arrival, Lane

REFUSED = "another redo-connector is using"


def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def store(checkpoint_file: Path) -> Checkpoints:
    return open_checkpoints(Address(url(checkpoint_file)))


async def arrive(store: Checkpoints, revision: int) -> None:
    await store.arrive([Arrival(revision, 1.0, Lane.LIVE, frozenset({OrderKey(str(revision))}))], [])


@pytest.mark.parametrize("link", [os.symlink, os.link])
async def test_another_name_of_a_file_in_use_is_refused(
    store: Checkpoints, checkpoint_file: Path, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    other = tmp_path / "elsewhere" / "other.db"
    other.parent.mkdir()
    link(checkpoint_file, other)
    with pytest.raises(ConfigurationError, match=REFUSED):
        open_checkpoints(Address(url(other)))
    await arrive(store, 1)  # SQLite's own locks are still there
    await store.close()
    again = open_checkpoints(Address(url(other)))
    assert (await again.tally()).affected == 1
    await again.close()


async def test_a_command_finds_the_connector_and_its_inbox_by_a_symbolic_link(
    store: Checkpoints, checkpoint_file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    other.symlink_to(checkpoint_file)
    folder = tmp_path / "folder"
    folder.symlink_to(checkpoint_file.parent)
    for name in (other, folder / checkpoint_file.name):
        assert is_running(Address(url(name)))
        inbox = open_requests(Address(url(name)))
        inbox.ask("pause", {}, 1.0)
        inbox.close()
    assert checkpoint_file.with_name("connector.db.requests").exists()
    assert not other.with_name("other.db.requests").exists()
    await store.close()
    assert not is_running(Address(url(other)))


@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
@pytest.mark.parametrize("replaced", [False, True])
async def test_nothing_is_kept_while_a_file_is_gone_or_another_one_and_it_goes_on_once_it_is_back(
    store: Checkpoints, checkpoint_file: Path, ending: str, replaced: bool
) -> None:
    await arrive(store, 1)
    file, away = Path(f"{checkpoint_file}{ending}"), checkpoint_file.with_name("away")
    file.rename(away)
    if replaced:
        shutil.copy(away, file)
    for work in (lambda: arrive(store, 2), store.tally):
        with pytest.raises(CheckpointsUnwritable, match="removed or replaced while it is in use") as caught:
            await work()
        assert str(checkpoint_file) in str(caught.value)
    away.replace(file)
    await arrive(store, 3)
    assert (await store.tally()).affected == 2
    await store.close()


async def test_a_lock_that_was_deleted_with_the_file_lets_the_next_start_go_on_with_a_new_one(
    store: Checkpoints, checkpoint_file: Path
) -> None:
    await arrive(store, 1)
    for each in checkpoint_file.parent.glob("connector.db*"):
        each.unlink()
    new = open_checkpoints(Address(url(checkpoint_file)))
    assert (await new.tally()).affected == 0
    with pytest.raises(CheckpointsUnwritable):
        await arrive(store, 2)
    await arrive(new, 1)
    await store.close()
    await arrive(new, 2)
    assert (await new.tally()).affected == 2
    await new.close()
