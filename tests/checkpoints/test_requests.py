"""The inbox: what one process asks, another finds, with and without a connector, and nobody else may read it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from connector.checkpoints.address import Address
from connector.checkpoints.opening import open_checkpoints
from connector.checkpoints.requests import KEPT_FOR, Inbox, RequestState
from connector.checkpoints.sqlite.inbox import InboxFile, is_running, requests_path
from connector.model.errors import CheckpointsUnwritable, ConfigurationError
from tests.support.fixtures.cli import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "connector.db.requests"


@pytest.fixture
def inbox(path: Path) -> Iterator[Inbox]:
    """The connector's side."""
    made = Inbox(InboxFile(path), clock=lambda: 100.0)
    yield made
    made.close()


@pytest.fixture
def command(path: Path) -> Iterator[Inbox]:
    """The asking side."""
    made = Inbox(InboxFile(path))
    yield made
    made.close()


def test_what_is_asked_is_found_in_its_order_and_is_followed_to_its_end(inbox: Inbox, command: Inbox) -> None:
    first = command.ask("redrive", {"keys": ["7", "ü"]}, 10.0)
    second = command.ask("reconcile", {}, 11.0)
    taken = inbox.next()
    assert taken is not None
    assert (taken.number, taken.verb, taken.arguments, taken.asked_at) == (first, "redrive", {"keys": ["7", "ü"]}, 10.0)
    assert taken.state is RequestState.RUNNING
    inbox.progress(first, 3, 9)
    seen = command.get(first)
    assert seen is not None
    assert (seen.state, seen.done, seen.total, seen.finished) == (RequestState.RUNNING, 3, 9, False)
    inbox.finish(first, True, "2 orders")
    seen = command.get(first)
    assert seen is not None
    assert (seen.state, seen.message, seen.finished_at) == (RequestState.DONE, "2 orders", 100.0)
    taken = inbox.next()
    assert taken is not None
    assert taken.number == second
    inbox.finish(second, False, "no")
    seen = command.get(second)
    assert seen is not None
    assert (seen.state, seen.finished) == (RequestState.FAILED, True)
    assert inbox.next() is None


def test_waiting_says_whether_next_would_find_something(path: Path, inbox: Inbox, command: Inbox) -> None:
    assert not inbox.waiting()
    assert inbox.next() is None
    assert inbox.get(1) is None
    inbox.recover()
    assert not path.exists()
    command.ask("backfill", {}, 1.0)
    assert inbox.waiting()
    assert inbox.next() is not None
    assert not inbox.waiting()
    command.ask("backfill", {}, 2.0)
    assert inbox.waiting()


def test_what_was_begun_before_a_kill_waits_again(path: Path, inbox: Inbox) -> None:
    done, begun = inbox.ask("reconcile", {}, 1.0), inbox.ask("backfill", {}, 2.0)
    inbox.next()
    inbox.finish(done, True, "")
    inbox.next()
    inbox.progress(begun, 5, 6)
    again = Inbox(InboxFile(path))
    again.recover()
    taken = again.next()
    assert taken is not None
    assert (taken.number, taken.done, taken.total) == (begun, 0, None)
    assert again.next() is None
    again.close()


def test_finished_ones_go_after_a_week_and_their_numbers_are_not_used_again(inbox: Inbox) -> None:
    old, open_still = inbox.ask("reconcile", {}, 1.0), inbox.ask("backfill", {}, 1.0)
    inbox.next()
    inbox.finish(old, True, "")
    inbox.ask("reconcile", {}, 100.0 + KEPT_FOR)
    assert inbox.get(old) is not None
    newest = inbox.ask("reconcile", {}, 101.0 + KEPT_FOR)
    assert inbox.get(old) is None
    assert inbox.get(open_still) is not None
    assert newest == 4


def test_a_start_forgets_old_ones_too(path: Path, inbox: Inbox) -> None:
    old = inbox.ask("reconcile", {}, 1.0)
    inbox.finish(old, True, "")
    later = Inbox(InboxFile(path), clock=lambda: 101.0 + KEPT_FOR)
    later.recover()
    assert later.get(old) is None
    later.close()


def test_only_the_owner_may_read_it(path: Path, command: Inbox) -> None:
    before = os.umask(0)
    try:
        command.ask("reconcile", {}, 1.0)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_root_asks_belongs_to_the_owner_of_the_checkpoint_file(tmp_path: Path, path: Path) -> None:
    store = tmp_path / "connector.db"
    store.touch()
    os.chown(store, 4711, 4712)
    inbox = Inbox(InboxFile(path))
    inbox.ask("reconcile", {}, 1.0)
    inbox.close()
    assert (path.stat().st_uid, path.stat().st_gid) == (4711, 4712)


def test_a_file_that_was_moved_away_is_made_anew_and_seen_by_who_had_it_open(
    path: Path, inbox: Inbox, command: Inbox
) -> None:
    command.ask("reconcile", {}, 1.0)
    assert inbox.waiting()
    path.rename(path.with_name("away"))
    assert not inbox.waiting()
    command.ask("backfill", {}, 2.0)
    taken = inbox.next()
    assert taken is not None
    assert taken.verb == "backfill"


def test_many_who_ask_at_once_are_all_heard(path: Path, inbox: Inbox) -> None:
    def ask() -> None:
        mine = Inbox(InboxFile(path))
        for at in range(10):
            mine.ask("resend", {"keys": [str(at)]}, 1.0)
        mine.close()

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = []
    while (request := inbox.next()) is not None:
        numbers.append(request.number)
    assert numbers == [*range(1, 51)]


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be read as one", None])
def test_a_file_that_is_not_an_inbox_is_refused_untouched(path: Path, content: bytes | None, command: Inbox) -> None:
    if content is None:
        with apsw.Connection(str(path)) as other:
            other.execute("CREATE TABLE mine (x)")
        other.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises((ConfigurationError, CheckpointsUnwritable), match=r"connector\.db\.requests"):
        command.ask("reconcile", {}, 1.0)
    assert path.read_bytes() == before


def test_a_missing_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist\n  create it"):
        Inbox(InboxFile(tmp_path / "nowhere" / "x.requests")).ask("reconcile", {}, 1.0)


def test_the_inbox_is_beside_the_checkpoint_file_and_a_store_in_memory_has_none() -> None:
    assert requests_path("sqlite:////var/lib/c/connector.db") == Path("/var/lib/c/connector.db.requests")
    with pytest.raises(ConfigurationError, match="store is in memory can't be asked"):
        requests_path("memory:")
    with pytest.raises(ConfigurationError, match="store is in memory can't be asked"):
        is_running("memory:")


async def test_a_connector_runs_while_a_process_holds_the_store(checkpoint_file: Path) -> None:
    url = f"sqlite:///{checkpoint_file}"
    assert not is_running(url)
    store = open_checkpoints(Address(url))
    assert is_running(url)
    program = f"from connector.checkpoints.sqlite.inbox import is_running; print(is_running({url!r}))"
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout == "True\n"
    await store.close()
    assert not is_running(url)
    await open_checkpoints(Address(url)).close()
