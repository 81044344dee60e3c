"""A file of an earlier version is brought up to date in place when it is opened, and can be read before that."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from connector.checkpoints.address import Address
from connector.checkpoints.letters import letter_group, teach_letter_group
from connector.checkpoints.migrations import APPLICATION_ID, MIGRATIONS
from connector.checkpoints.opening import open_readonly
from connector.checkpoints.sqlite import SqliteCheckpoints
from connector.model.orders import Lookup, OrderKey, Place
from connector.pipeline.ports.entries import Arrival, Entry, Lane, PendingLookup
from connector.pipeline.ports.records import Checkpoint, Rebinding, Settlement, SweepKind

# As version 1 made it, written down here so that a change of the scripts can't change what it was.
VERSION_1 = """
CREATE TABLE checkpoint (
  key         TEXT PRIMARY KEY,
  order_id    TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  accepted_at REAL NOT NULL,
  redo_id     TEXT,
  missing     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX checkpoint_order_id ON checkpoint (order_id);
CREATE TABLE ledger (
  key            TEXT PRIMARY KEY,
  first_revision INTEGER NOT NULL,
  revision       INTEGER NOT NULL,
  since          REAL NOT NULL,
  lane           INTEGER NOT NULL,
  due            REAL NOT NULL DEFAULT 0,
  attempts       INTEGER NOT NULL DEFAULT 0,
  confirm        INTEGER NOT NULL DEFAULT 0,
  in_flight      INTEGER NOT NULL DEFAULT 0,
  newer_first    INTEGER,
  newer_since    REAL
);
CREATE INDEX ledger_next ON ledger (lane, due, revision);
CREATE INDEX ledger_since ON ledger (since);
CREATE TABLE lookup (
  route          TEXT NOT NULL,
  columns        TEXT NOT NULL,
  first_revision INTEGER NOT NULL,
  revision       INTEGER NOT NULL,
  since          REAL NOT NULL,
  latest_since   REAL NOT NULL,
  cursor         TEXT,
  walk_revision  INTEGER,
  PRIMARY KEY (route, columns)
) WITHOUT ROWID;
CREATE INDEX lookup_next ON lookup (first_revision);
CREATE INDEX lookup_together ON lookup (route, cursor, first_revision);
CREATE INDEX lookup_since ON lookup (since);
CREATE TABLE unseen (
  revision INTEGER PRIMARY KEY,
  xid      INTEGER NOT NULL,
  end_lsn  INTEGER NOT NULL
);
CREATE TABLE dead_letter (
  key         TEXT PRIMARY KEY,
  reason      TEXT NOT NULL,
  message     TEXT NOT NULL,
  paths       TEXT NOT NULL,
  fingerprint BLOB,
  first_seen  REAL NOT NULL,
  last_seen   REAL NOT NULL,
  attempts    INTEGER NOT NULL,
  status      INTEGER
) WITHOUT ROWID;
CREATE INDEX dead_letter_reason ON dead_letter (reason);
CREATE TABLE sweep (
  only            INTEGER PRIMARY KEY CHECK (only = 1),
  kind            TEXT NOT NULL,
  cause           TEXT NOT NULL,
  revision        INTEGER NOT NULL,
  wanted_revision INTEGER NOT NULL,
  started_at      REAL NOT NULL,
  phase           INTEGER NOT NULL,
  cursor          TEXT,
  scanned         INTEGER NOT NULL,
  finished_at     REAL
);
CREATE TABLE note (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE census (
  only             INTEGER PRIMARY KEY CHECK (only = 1),
  highest_revision INTEGER NOT NULL DEFAULT 0,
  checkpoints      INTEGER NOT NULL DEFAULT 0,
  missing          INTEGER NOT NULL DEFAULT 0
);
INSERT INTO census (only) VALUES (1);
CREATE TRIGGER checkpoint_made AFTER INSERT ON checkpoint BEGIN
  UPDATE census SET checkpoints = checkpoints + 1, missing = missing + NEW.missing;
END;
CREATE TRIGGER checkpoint_marked AFTER UPDATE ON checkpoint WHEN NEW.missing <> OLD.missing BEGIN
  UPDATE census SET missing = missing + NEW.missing - OLD.missing;
END;
"""

# What version 2 made of it, in the same way.
VERSION_2 = """
CREATE TABLE member_index (
  id   INTEGER PRIMARY KEY,
  name TEXT UNIQUE
);
CREATE TABLE member (
  index_id  INTEGER NOT NULL,
  row_key   TEXT NOT NULL,
  order_key TEXT NOT NULL,
  PRIMARY KEY (index_id, row_key, order_key)
) WITHOUT ROWID;
CREATE INDEX member_order ON member (order_key);
ALTER TABLE checkpoint ADD COLUMN digest BLOB NOT NULL DEFAULT x'';
DROP INDEX lookup_next;
CREATE INDEX lookup_unread ON lookup (first_revision) WHERE cursor IS NULL;
CREATE INDEX lookup_begun ON lookup (first_revision) WHERE cursor IS NOT NULL;
"""

CONTENT = """
INSERT INTO checkpoint VALUES ('1', '#1', x'01ff', 3.5, 'redo-1', 0), ('2', '#2', x'0100', 4.5, NULL, 1);
INSERT INTO ledger (key, first_revision, revision, since, lane, newer_first) VALUES ('3', 4, 6, 2.5, 1, NULL);
INSERT INTO lookup VALUES ('product', '["pen"]', 5, 5, 1.5, 1.5, 'm', 5),
  ('customer', '["ann"]', 6, 6, 1.5, 1.5, NULL, NULL);
INSERT INTO unseen VALUES (6, 77, 500);
INSERT INTO dead_letter VALUES ('4', 'rejected', 'tags: no; note: no', '["tags"]', NULL, 1.0, 2.0, 3, 422),
  ('5', 'rejected', 'tags: no', '["tags"]', NULL, 1.0, 2.0, 3, 422);
INSERT INTO sweep VALUES (1, 'backfill', 'first start', 2, 2, 1.0, 0, 'k', 9, NULL);
INSERT INTO note VALUES ('mapping', 'abc');
UPDATE census SET highest_revision = 6;
"""

FIRST = Checkpoint(OrderKey("1"), "#1", b"\x01\xff", 3.5, "redo-1")


@pytest.fixture(params=[1, 2, 3, 4])
def old_file(request: pytest.FixtureRequest, checkpoint_file: Path) -> Path:
    """A file that this version of the connector never wrote to."""
    other = apsw.Connection(str(checkpoint_file))
    other.pragma("journal_mode", "wal")
    other.execute(VERSION_1)
    other.execute(CONTENT)
    if request.param >= 2:
        other.execute(VERSION_2)
    if request.param >= 3:
        teach_letter_group(other)
        for script in MIGRATIONS[2 : request.param]:
            other.execute(script)
    other.pragma("user_version", request.param)
    other.pragma("application_id", APPLICATION_ID)
    other.close()
    return checkpoint_file


def schema(file: Path) -> tuple[int, set[tuple[str, str]]]:
    other = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    tables = {(name, sql) for name, sql in other.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")}
    version = other.pragma("user_version")
    other.close()
    return int(version), tables


async def test_an_old_file_is_upgraded_and_keeps_everything(old_file: Path) -> None:
    store = SqliteCheckpoints(old_file)
    known = await store.known([OrderKey("1"), OrderKey("2"), OrderKey("4")])
    assert known.checkpoints[OrderKey("1")] == FIRST
    assert known.checkpoints[OrderKey("2")].missing
    assert known.dead_letters[OrderKey("4")].paths == ("tags",)
    tally = await store.tally()
    assert (tally.affected, tally.lookups, tally.checkpoints, tally.missing) == (1, 2, 2, 1)
    assert await store.take(9, 9.0, frozenset(), list(Lane)) == [Entry(OrderKey("3"), 4, 6, 2.5, Lane.FANOUT, 0, False)]
    assert await store.take_lookups(9, wide=True) == [PendingLookup(Lookup("product", ("pen",)), 5, 5, 1.5, "m")]
    assert await store.take_lookups(9, wide=False) == [PendingLookup(Lookup("customer", ("ann",)), 6, 6, 1.5, None)]
    assert [commit.xid for commit in await store.unseen()] == [77]
    sweep = await store.sweep()
    assert sweep is not None
    assert (sweep.kind, sweep.cursor, await store.noted("mapping")) == (SweepKind.BACKFILL, "k", "abc")
    assert await store.recover() == 6
    await store.close()


async def test_an_upgraded_file_takes_what_a_new_one_does(old_file: Path) -> None:
    store = SqliteCheckpoints(old_file)
    newer = Checkpoint(OrderKey("1"), "#1", b"\x01\x02", 9.0, digest=b"\x01abcd")
    entry = Entry(OrderKey("1"), 1, 1, 1.0, Lane.LIVE, 0, False)
    await store.settle([Settlement(entry, newer, members={"item": frozenset({"7"})})])
    assert (await store.known([OrderKey("1")])).checkpoints == {"1": newer}
    assert await store.enrolled("item", ["7"], None, 9) == ["1"]
    await store.close()


async def test_an_upgraded_file_is_like_a_new_one(old_file: Path, tmp_path: Path) -> None:
    await SqliteCheckpoints(old_file).close()
    await SqliteCheckpoints(tmp_path / "new.db").close()
    assert schema(old_file) == schema(tmp_path / "new.db")
    assert schema(old_file)[0] == len(MIGRATIONS)


async def test_an_old_file_can_be_read_before_it_is_upgraded(old_file: Path) -> None:
    before = schema(old_file)
    reader = open_readonly(Address(f"sqlite:///{old_file}"))
    assert (await reader.known([OrderKey("1")])).checkpoints == {"1": FIRST}
    assert (await reader.tally()).checkpoints == 2
    assert [letter.cause for letter in await reader.dead_letters(None, 9)] == ["tags: no", "tags: no"]
    (group,) = await reader.letter_groups()
    assert (group.group, group.orders) == (letter_group("rejected", "tags: no"), 2)
    assert await reader.letter_keys(group.group, OrderKey("4"), 9) == ["5"]
    sweep = await reader.sweep()
    assert sweep is not None
    assert (sweep.cursor, sweep.held) == ("k", 0)
    assert (await reader.sweeps(9), await reader.holds(), await reader.warned(9)) == ([], [], [])
    assert (await reader.summarise(1, 9), await reader.noted("mapping")) == (None, "abc")
    assert await reader.payload(OrderKey("1"), FIRST.place) is None
    assert await reader.endpoints() == []
    await reader.close()
    assert schema(old_file) == before


async def test_a_reader_goes_on_while_the_file_is_upgraded(old_file: Path) -> None:
    reader = open_readonly(Address(f"sqlite:///{old_file}"))
    store = SqliteCheckpoints(old_file)
    newer = Checkpoint(OrderKey("1"), "#1", b"\x01\x02", 9.0, digest=b"\x01abcd")
    await store.settle([Settlement(Entry(OrderKey("1"), 1, 1, 1.0, Lane.LIVE, 0, False), newer)])
    assert (await reader.known([OrderKey("1")])).checkpoints == {"1": newer}
    await store.close()
    await reader.close()


async def test_an_upgraded_file_groups_its_dead_letters_by_their_first_violation(old_file: Path) -> None:
    reader = open_readonly(Address(f"sqlite:///{old_file}"))
    before = await reader.letter_groups()
    await reader.close()
    store = SqliteCheckpoints(old_file)
    assert await store.letter_groups() == before
    assert [group.cause for group in before] == ["tags: no"]
    await store.close()


async def test_checkpoints_of_an_old_file_are_adopted(old_file: Path) -> None:
    store = SqliteCheckpoints(old_file)
    assert (await store.known([OrderKey("1")])).checkpoints[OrderKey("1")].store_id == ""
    await store.adopt("eu")
    assert await store.owners([Place("eu", "#1")]) == {Place("eu", "#1"): ("1",)}
    await store.settle([Settlement(Entry(OrderKey("2"), 1, 1, 1.0, Lane.LIVE, 0, False), forget=True)])
    tally = await store.tally()
    assert (tally.checkpoints, tally.missing) == (1, 0)
    await store.close()


async def test_checkpoints_of_an_old_file_are_bound_to_the_first_address(old_file: Path) -> None:
    store = SqliteCheckpoints(old_file)
    await store.adopt("eu")
    await store.rebind(Rebinding({"eu": "http://one"}, True, Arrival(9, 9.0, Lane.SWEEP)))
    (endpoint,) = await store.endpoints()
    assert (endpoint.url, endpoint.approved, endpoint.orders) == ("http://one", True, 1)
    assert (await store.known([OrderKey("1")])).checkpoints[OrderKey("1")].store_id == "eu"
    await store.close()


@pytest.mark.parametrize("old_file", [1, 2], indirect=True)
async def test_the_finished_sweep_of_an_old_file_begins_the_history(old_file: Path) -> None:
    other = apsw.Connection(str(old_file))
    other.execute("UPDATE sweep SET finished_at = 8.0")
    other.close()
    reader = open_readonly(Address(f"sqlite:///{old_file}"))
    expected = await reader.sweeps(9)
    await reader.close()
    store = SqliteCheckpoints(old_file)
    assert await store.sweeps(9) == expected == [await store.sweep()]
    await store.close()
