"""What the SQLite store promises about its file: private, one writer, versioned, whole after a kill or a full disk."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from connector.checkpoints.address import Address
from connector.checkpoints.opening import in_file, open_checkpoints, open_readonly
from connector.checkpoints.sqlite import migrations
from connector.checkpoints.sqlite.migrations import APPLICATION_ID, UPGRADES, newest
from connector.checkpoints.statements import statements
from connector.model.errors import CheckpointsUnwritable, ConfigurationError
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Arrival, Lane
from connector.pipeline.ports.records import Checkpoint, Settlement
from tests.support.ledger import entries_taken

NOBODY: frozenset[OrderKey] = frozenset()


def arrival(revision: int, *names: str) -> Arrival:
    return Arrival(revision, 1.0, Lane.LIVE, frozenset(map(OrderKey, names)))


def refusal(url: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        open_checkpoints(Address(url))
    (problem,) = caught.value.problems
    assert problem.where == "checkpoints.url"
    assert problem.hint
    return str(problem)


async def test_the_file_and_all_beside_it_are_private(checkpoint_file: Path) -> None:
    before = os.umask(0)
    try:
        store = in_file(checkpoint_file)
        await store.arrive([arrival(1, "a")], [])
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in checkpoint_file.parent.iterdir()}
    await store.close()
    assert modes == {f"connector.db{end}": 0o600 for end in ("", "-wal", "-shm", "-lock")}


async def test_a_file_that_others_could_read_becomes_private(checkpoint_file: Path) -> None:
    await in_file(checkpoint_file).close()
    checkpoint_file.chmod(0o644)
    await in_file(checkpoint_file).close()
    assert stat.S_IMODE(checkpoint_file.stat().st_mode) == 0o600


async def test_everything_is_there_after_closing_and_opening(checkpoint_file: Path) -> None:
    store = in_file(checkpoint_file)
    await store.arrive([arrival(1, "a", "b")], [])
    await store.note("mapping", "1")
    before = await store.tally()
    await store.close()
    assert not checkpoint_file.with_name("connector.db-wal").exists()
    store = in_file(checkpoint_file)
    assert (await store.tally(), await store.noted("mapping"), await store.recover()) == (before, "1", 1)
    await store.close()


async def test_closing_finishes_what_was_asked_before(checkpoint_file: Path) -> None:
    store = in_file(checkpoint_file)
    asked = [asyncio.create_task(store.arrive([arrival(n, f"{n}")], [])) for n in range(1, 30)]
    await asyncio.sleep(0)  # lets every task submit its work
    await store.close()
    await asyncio.gather(*asked)
    reader = open_readonly(Address(f"sqlite:///{checkpoint_file}"))
    assert (await reader.tally()).affected == 29
    await reader.close()


async def test_a_closed_store_says_so(checkpoint_file: Path) -> None:
    store = in_file(checkpoint_file)
    await store.close()
    with pytest.raises(CheckpointsUnwritable, match="has been closed"):
        await store.tally()


async def test_a_second_process_is_refused(checkpoint_file: Path) -> None:
    store = in_file(checkpoint_file)
    script = (
        "from connector.checkpoints.address import Address; from connector.checkpoints.opening import open_checkpoints;"
        f"open_checkpoints(Address('sqlite:///{checkpoint_file}'))"
    )
    second = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert second.returncode != 0
    assert f"another redo-connector is using {checkpoint_file}" in second.stderr
    await store.close()
    third = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert third.returncode == 0, third.stderr


async def test_a_reader_looks_in_beside_the_writer_and_after_it(checkpoint_file: Path) -> None:
    url = f"sqlite:///{checkpoint_file}"
    store = open_checkpoints(Address(url))
    await store.arrive([arrival(1, "a")], [])
    reader = open_readonly(Address(url))
    assert (await reader.tally()).affected == 1
    await store.arrive([arrival(2, "b")], [])
    assert (await reader.tally()).affected == 2
    assert (await reader.sweep(), await reader.noted("x"), await reader.dead_letters(None, 9)) == (None, None, [])
    await reader.close()
    await store.close()
    reader = open_readonly(Address(url))
    assert (await reader.tally()).affected == 2
    await reader.close()


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.touch()], ids=["missing", "empty"])
def test_a_reader_of_no_store_says_how_to_make_one(checkpoint_file: Path, make: object) -> None:
    assert callable(make)
    make(checkpoint_file)
    with pytest.raises(ConfigurationError, match="redo-connector run"):
        open_readonly(Address(f"sqlite:///{checkpoint_file}"))


async def test_a_file_of_a_newer_version_is_refused(checkpoint_file: Path) -> None:
    await in_file(checkpoint_file).close()
    other = apsw.Connection(str(checkpoint_file))
    other.pragma("user_version", newest() + 1)
    other.close()
    assert "written by a newer redo-connector" in refusal(f"sqlite:///{checkpoint_file}")
    with pytest.raises(ConfigurationError, match="newer"):
        open_readonly(Address(f"sqlite:///{checkpoint_file}"))


def test_a_file_of_another_program_is_refused_and_left_alone(checkpoint_file: Path) -> None:
    other = apsw.Connection(str(checkpoint_file))
    other.execute("CREATE TABLE customers (name)")
    other.close()
    checkpoint_file.chmod(0o640)
    before = checkpoint_file.read_bytes()
    assert "is not a checkpoint file" in refusal(f"sqlite:///{checkpoint_file}")
    assert checkpoint_file.read_bytes() == before
    assert stat.S_IMODE(checkpoint_file.stat().st_mode) == 0o640


def test_a_file_that_is_no_database_is_refused_and_left_alone(checkpoint_file: Path) -> None:
    checkpoint_file.write_text("[source]\n" * 200)
    before = checkpoint_file.read_bytes()
    assert "is not a checkpoint file" in refusal(f"sqlite:///{checkpoint_file}")
    assert checkpoint_file.read_bytes() == before


async def test_a_refused_file_is_not_left_locked(checkpoint_file: Path) -> None:
    checkpoint_file.write_text("[source]\n" * 200)
    refusal(f"sqlite:///{checkpoint_file}")
    checkpoint_file.unlink()
    await in_file(checkpoint_file).close()


def test_a_missing_folder_is_a_problem(tmp_path: Path) -> None:
    assert "does not exist" in refusal(f"sqlite:///{tmp_path}/nowhere/connector.db")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://user:hunter2@cache", "not the URL of a checkpoint store"),
        ("connector.db", "not the URL of a checkpoint store"),
        ("sqlite:///", "not the URL of a checkpoint store"),
        ("sqlite:///:memory:", "not the URL of a checkpoint store"),
        ("", "not the URL of a checkpoint store"),
    ],
)
def test_any_other_url_is_a_problem_that_shows_no_password(url: str, words: str) -> None:
    message = refusal(url)
    assert words in message
    assert "sqlite:///connector.db" in message
    assert "hunter2" not in message


async def test_a_file_of_an_older_version_is_upgraded_by_the_next_start(
    checkpoint_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = newest()
    store = in_file(checkpoint_file)
    await store.arrive([arrival(1, "a")], [])
    await store.close()
    monkeypatch.setattr(migrations, "UPGRADES", (*UPGRADES, "CREATE TABLE added (one); INSERT INTO added VALUES (7)"))
    reader = open_readonly(Address(f"sqlite:///{checkpoint_file}"))
    assert (await reader.tally()).affected == 1
    await reader.close()
    for _ in range(2):
        store = in_file(checkpoint_file)
        assert (await store.tally()).affected == 1
        await store.close()
    other = apsw.Connection(str(checkpoint_file))
    assert (other.pragma("user_version"), other.execute("SELECT one FROM added").get) == (version + 1, 7)
    other.close()
    monkeypatch.setattr(migrations, "UPGRADES", UPGRADES)
    told = f"written by a newer redo-connector (schema {version + 1}, this one knows {version})"
    assert told in refusal(f"sqlite:///{checkpoint_file}")


async def test_a_failed_upgrade_leaves_the_file_as_it_was(
    checkpoint_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_file(checkpoint_file).close()
    with monkeypatch.context() as broken:
        broken.setattr(migrations, "UPGRADES", (*UPGRADES, "CREATE TABLE added (one); SELECT nonsense"))
        with pytest.raises(CheckpointsUnwritable, match="no such column"):
            in_file(checkpoint_file)
    other = apsw.Connection(str(checkpoint_file))
    found = other.pragma("user_version"), other.table_exists("main", "added")
    other.close()
    assert found == (newest(), False)
    await in_file(checkpoint_file).close()


async def test_a_relative_url_is_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await open_checkpoints(Address("sqlite:///mine.db")).close()
    assert (tmp_path / "mine.db").is_file()


async def test_the_file_carries_our_mark_and_version(checkpoint_file: Path) -> None:
    await in_file(checkpoint_file).close()
    other = apsw.Connection(str(checkpoint_file))
    marks = other.pragma("application_id"), other.pragma("user_version"), other.pragma("journal_mode")
    other.close()
    assert marks == (APPLICATION_ID, newest(), "wal")


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from connector.checkpoints.opening import in_file
from connector.model.errors import CheckpointsUnwritable
from connector.pipeline.ports.entries import Arrival, Lane, Room

async def main(path):
    store = in_file(path)
    await store.arrive([Arrival(1, 1.0, Lane.LIVE, frozenset({"first"}))], [])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(path.name + "-wal").stat().st_size + 5000, hard))
    many = frozenset(f"{n:050}" for n in range(5000))
    try:
        await store.arrive([Arrival(2, 1.0, Lane.LIVE, many)], [])
    except CheckpointsUnwritable as error:
        assert str(path) in str(error) and "check the disk" in str(error), error
    else:
        sys.exit("the write should have failed")
    assert (await store.tally()).affected == 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await store.arrive([Arrival(3, 1.0, Lane.LIVE, many)], [])
    assert (await store.tally()).affected == 5001
    assert await store.recover() == 3
    await store.close()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_full_disk_is_told_and_the_store_goes_on_when_there_is_space(checkpoint_file: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(checkpoint_file)], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr


BUSY_LOOP = """
import asyncio, sys
from pathlib import Path
from connector.checkpoints.opening import in_file
from connector.pipeline.ports.entries import Arrival, Lane, Room
from connector.pipeline.ports.records import Checkpoint, Settlement

async def main(path):
    store = in_file(path)
    for revision in range(1, 1_000_000):
        await store.arrive([Arrival(revision, 1.0, Lane.LIVE, frozenset({f"{revision}-{n}" for n in range(20)}))], [])
        print(revision, flush=True)
        if revision % 2:
            entries = (await store.take(Room(20, 1.0, frozenset(), (Lane.LIVE,)))).entries
            await store.enroll({e.key: {"item": frozenset({"shared"})} for e in entries})
            exact = {e.key: {"item": frozenset({e.key})} for e in entries}
            await store.settle(
                [Settlement(e, Checkpoint(e.key, e.key, b"1", 1.0), members=exact[e.key]) for e in entries]
            )

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_killed_process_leaves_a_whole_file_with_every_arrival(checkpoint_file: Path) -> None:
    command = [sys.executable, "-c", BUSY_LOOP, str(checkpoint_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [int(child.stdout.readline()) for _ in range(60)]
        child.send_signal(signal.SIGKILL)
        told += [int(line) for line in child.stdout if line.endswith("\n")]
    other = apsw.Connection(str(checkpoint_file))
    assert other.execute("PRAGMA integrity_check").get == "ok"
    other.close()
    store = in_file(checkpoint_file)
    assert await store.recover() in (told[-1], told[-1] + 1)
    waiting = await entries_taken(store, 1_000_000, 1.0, NOBODY, [Lane.LIVE])
    accepted = await store.page_checkpoints(None, 1_000_000)
    everything = {entry.key for entry in waiting} | set(accepted)
    assert everything >= {f"{revision}-{n}" for revision in told for n in range(20)}
    assert not {entry.key for entry in waiting} & set(accepted)
    assert await store.enrolled("item", accepted, None, 1_000_000) == accepted
    assert set(await store.enrolled("item", ["shared"], None, 1_000_000)) <= {entry.key for entry in waiting}
    await store.close()


async def test_counts_stay_right_over_many_settlements(checkpoint_file: Path) -> None:
    store = in_file(checkpoint_file)
    await store.arrive([arrival(1, *(f"{n}" for n in range(300)))], [])
    entries = await entries_taken(store, 300, 1.0, NOBODY, [Lane.LIVE])
    for missing in (False, True):
        checkpoints = [Checkpoint(e.key, e.key, b"1", 1.0, missing=missing and int(e.key) % 3 == 0) for e in entries]
        await store.settle([Settlement(e, c) for e, c in zip(entries, checkpoints, strict=True)])
    tally = await store.tally()
    assert (tally.affected, tally.checkpoints, tally.missing) == (0, 300, 100)
    await store.close()


@pytest.mark.parametrize(
    ("index", "name"),
    [
        ("ledger_next (lane=? AND due=?)", "ledger_due"),
        ("ledger_next (lane=? AND due>? AND due<?)", "ledger_due"),
        ("ledger_failing (lane=? AND due>? AND due<?)", "ledger_failing"),
        ("ledger_next (lane=?)", "ledger_earliest"),
        ("ledger_failing (lane=? AND due>?)", "ledger_earliest_failing"),
        ("ledger_next (lane=? AND due>?)", "ledger_hasten_delayed"),
        ("ledger_failing (lane=? AND due>?)", "ledger_hasten_failing"),
        ("lookup_unread", "lookup_oldest_unread"),
        ("lookup_begun", "lookup_oldest_begun"),
        ("lookup_together", "lookup_together"),
        ("PRIMARY KEY (index_id=? AND row_key=? AND key>?)", "member_orders"),
        ("COVERING INDEX member_order", "member_of"),
        ("PRIMARY KEY (index_id=?)", "member_empty"),
        ("PRIMARY KEY (line=?)", "line_item_owners"),
        ("COVERING INDEX line_item_order", "line_item_of"),
        ("checkpoint_order_id", "checkpoint_owners"),
        ("held_spread", "held_spread"),
        ("COVERING INDEX held_fields", "held_fields"),
        ("COVERING INDEX held_since", "tally"),
        ("COVERING INDEX dead_letter_group", "letter_groups"),
        ("COVERING INDEX dead_letter_group", "letter_group_keys"),
        ("COVERING INDEX warning_kind", "warning_counts"),
        ("warning_latest", "warning_latest"),
    ],
)
async def test_what_waits_and_what_is_enrolled_is_found_through_an_index(
    checkpoint_file: Path, index: str, name: str
) -> None:
    await in_file(checkpoint_file).close()
    statement = statements("sqlite")[name]
    other = apsw.Connection(str(checkpoint_file))
    bindings = ("[]",) * (len(statement.columns) + len(statement.parameters))
    plan = " ".join(str(row[3]) for row in other.execute(f"EXPLAIN QUERY PLAN {statement.text}", bindings))
    other.close()
    assert index in plan
    # A group's stores, told apart in a set of their own, are a handful; rows are never sorted.
    assert "TEMP B-TREE" not in plan.replace("USE TEMP B-TREE FOR json_group_array(DISTINCT)", "")


COUNTED_SYNCS = """
import asyncio, sys
from pathlib import Path
import apsw
from connector.checkpoints.opening import in_file
from connector.model.orders import Lookup
from connector.pipeline.ports.entries import Arrival, Commit, Lane, Room
from connector.pipeline.ports.records import Settlement, Sweep, SweepKind


class Vfs(apsw.VFS):  # the system's file access, which also counts how often a WAL is forced to the disk
    syncs = 0

    def __init__(self):
        super().__init__("counting", "unix", makedefault=True)

    def xOpen(self, name, flags):
        return File(name, flags)

class File(apsw.VFSFile):
    def __init__(self, name, flags):
        self.is_wal = bool(flags[0] & apsw.SQLITE_OPEN_WAL)
        super().__init__("unix", name, flags)

    def xSync(self, flags):
        Vfs.syncs += self.is_wal
        super().xSync(flags)

async def main(path):
    vfs = Vfs()
    store = in_file(path)
    async def show(name, work):
        before = Vfs.syncs
        answer = await work
        print(name, Vfs.syncs - before)
        return answer
    await store.arrive([Arrival(1, 1.0, Lane.LIVE, frozenset({"a"}))], [])
    looked_up = Arrival(2, 1.0, Lane.LIVE, frozenset({"b"}), frozenset({Lookup("route", ("1",))}))
    await show("arrive", store.arrive([looked_up], [Commit(2, 1, 1)]))
    entries = (await show("take", store.take(Room(9, 1.0, frozenset(), (Lane.LIVE,))))).entries
    await show("resolved", store.resolved(await store.take_lookups(9, wide=False), None, None))
    members = {"a": {"item": frozenset("12")}}
    await show("enroll", store.enroll(members))
    await show("enroll_again", store.enroll(members))
    await show("note", store.note("mapping", "1"))
    await show("recover", store.recover())
    room = Room(9, 1.0, frozenset(), (Lane.LIVE,))
    done = [Settlement(entry, members={"item": frozenset("3")}) for entry in entries]
    await show("settle_and_find_nothing_due", store.settle(done, room))
    more = Arrival(4, 1.0, Lane.LIVE, frozenset({"c"}))
    (entry,) = (await show("arrive_and_take", store.arrive([more], [Commit(4, 2, 2)], None, room))).entries
    await store.arrive([Arrival(5, 1.0, Lane.LIVE, frozenset({"d"}))], [])
    (other,) = (await show("settle_and_take", store.settle([Settlement(entry)], room))).entries
    await show("settle", store.settle([Settlement(other)]))
    await show("seen", store.seen([2]))
    await show("save_sweep", store.save_sweep(Sweep(SweepKind.BACKFILL, "first start", 3, 3, 1.0)))
    await store.close()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_what_may_be_acknowledged_is_forced_to_the_disk_and_the_rest_costs_no_sync(checkpoint_file: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", COUNTED_SYNCS, str(checkpoint_file)], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    syncs = {name: int(count) for name, count in map(str.split, child.stdout.splitlines())}
    taking = ("take", "arrive_and_take", "settle_and_take")
    durable = dict.fromkeys(("arrive", "resolved", "enroll", "note", "recover", *taking), 1)
    rest = ("enroll_again", "settle_and_find_nothing_due", "settle", "seen", "save_sweep")
    assert syncs == {**durable, **dict.fromkeys(rest, 0)}
