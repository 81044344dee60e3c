"""Requests that nobody can carry out: each is finished as failed and says why, and keeps nobody else waiting."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
from structlog.testing import capture_logs

from connector.checkpoints.address import Address
from connector.checkpoints.opening import open_requests
from connector.checkpoints.requests import Inbox, RequestState
from connector.model.orders import LONGEST_KEY, OrderKey
from connector.pipeline.control import Control
from connector.wiring import factories
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import create_database, drop_database
from tests.support.postgres.cluster import Cluster

Row = Callable[[str, str], None]
"""Puts a request into the inbox as another program would: the SQL literals of its verb and its arguments."""

HOSTILE: list[tuple[str, Any, str]] = [
    ("redrive", {"keys": ["7\0"]}, "zero byte"),
    ("redrive", {"keys": ["7", "\ud800"]}, "order 2 of 2: no order key holds a zero byte or half a character"),
    ("resend", {"keys": ["x" * 1_000_000]}, "longer than 2,600 bytes"),
    ("resend", {"keys": ["é" * LONGEST_KEY]}, "longer than 2,600 bytes"),
    ("set-aside", {"keys": ["\udfff"]}, "half a character"),
    ("redrive", {"keys": [7, None, {}]}, "an order key is a text"),
    ("redrive", {"keys": "7"}, "no list of keys"),
    ("redrive", {"group": "\ud800"}, "no name of one"),
    ("redrive", {"group": "x" * 5000}, "no name of one"),
    ("redrive", {"group": ["x"]}, "no name of one"),
    ("redrive", {}, "names neither orders nor a group"),
    ("set-aside", {}, "names neither orders nor a group"),
    ("approve", {}, "no number that there can be"),
    ("approve", {"hold": 10**400}, "no number that there can be"),
    ("approve", {"hold": "1"}, "no number that there can be"),
    ("approve", {"hold": 1, "limit": -1}, "no number that there can be"),
    ("approve", {"hold": 1, "limit": 1e300}, "no number that there can be"),
    ("approve", {"hold": True}, "no number that there can be"),
    ("\u202eexplode", {}, "knows no such request"),
]
UNREADABLE = ["'[1]'", "'{'", "''", '\'{"keys": ' + "[" * 3000 + "'", "'" + "[" * 3000 + "]" * 3000 + "'", "'null'"]
HARMLESS = [
    ["abc"],
    [""],
    ["[" * 2600],
    ["".join(hashlib.sha512(bytes([at])).hexdigest() for at in range(20))],
    ["99999999999999999999999999"],
    ["-0", "1e3", "0x7", " 7", "7 ", "\N{ARABIC-INDIC DIGIT SEVEN}"],
    ['["7","8"]', "[]", "{}"],
    ["<former key 1> 7", "<former key "],
    ["\u202e\u200b\x1b[2J\n\r\x7f"],
]
"""Well-formed texts that are no order's: they stop nobody."""


@pytest.fixture(params=["sqlite", "postgres"])
def row(rig: Rig, request: pytest.FixtureRequest) -> Iterator[Row]:
    if request.param == "sqlite":

        def into_file(verb: str, arguments: str) -> None:
            with apsw.Connection(str(rig.folder / "connector.db.requests")) as connection:
                connection.set_busy_timeout(10_000)
                connection.execute(f"INSERT INTO request (verb, arguments, asked_at) VALUES ({verb}, {arguments}, 0)")
            connection.close()

        yield into_file
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    store = create_database(cluster)
    rig.overrides["checkpoints"] = {"url": store.dsn}

    def into_table(verb: str, arguments: str) -> None:
        with psycopg.connect(store.dsn, autocommit=True) as connection:
            columns = "verb, arguments, asked_at"
            connection.execute(
                f"INSERT INTO redo_connector.request ({columns}) VALUES ({verb}, {arguments}, 0)".encode()
            )

    yield into_table
    drop_database(cluster, store.name)


async def finished(inbox: Inbox, number: int) -> tuple[bool, str]:
    def answer() -> tuple[bool, str] | None:
        found = inbox.get(number)
        assert found is not None
        return (found.state is RequestState.DONE, found.message) if found.finished else None

    found: tuple[bool, str] = await eventually(f"request {number} is finished", answer, 20)
    return found


async def test_a_hostile_request_is_finished_as_failed_with_its_reason_and_the_next_is_carried_out(
    rig: Rig, row: Row
) -> None:
    await rig.start()
    await rig.quiet()
    await rig.stop()
    inbox = open_requests(factories.checkpoints(rig.settings()))
    asked = [(inbox.ask(verb, arguments, 0.0), wanted) for verb, arguments, wanted in HOSTILE]
    last = asked[-1][0]
    for arguments in UNREADABLE:
        row("'redrive'", arguments)
        last += 1
        asked.append((last, "can't be read"))
    good = inbox.ask("redrive", {"keys": ["1"]}, 0.0)
    await rig.start()
    for number, wanted in asked:
        ok, message = await finished(inbox, number)
        assert not ok
        assert wanted in message
    assert await finished(inbox, good) == (True, "1 order is on the way to Redo")
    assert await finished(inbox, inbox.ask("reconcile", {}, 0.0)) == (
        True,
        "40 orders compared: 0 missed, 0 changed, 0 extra",
    )
    await rig.quiet()
    inbox.close()


async def test_a_request_that_meets_a_defect_is_finished_and_not_tried_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Control) -> bool:
        raise RuntimeError("a customer's name")

    monkeypatch.setattr(Control, "pause", broken)
    await rig.start()
    inbox = open_requests(factories.checkpoints(rig.settings()))
    with capture_logs() as said:
        ok, message = await finished(inbox, inbox.ask("pause", {}, 0.0))
    assert (ok, "its log says where" in message, "customer" in message) == (False, True, False)
    assert [(one["event"], one["log_level"]) for one in said if one["event"].startswith("request")] == [
        ("request", "info"),
        ("request_failed", "error"),
        ("request_finished", "warning"),
    ]
    assert not inbox.waiting()
    inbox.close()


async def test_a_redrive_of_keys_that_are_no_order_harms_no_other_in_its_batch(rig: Rig, row: Row) -> None:
    await rig.start()
    await rig.quiet()
    pushes = rig.sandbox.state.pushes.total()
    inbox = open_requests(factories.checkpoints(rig.settings()))
    everything = [key for keys in HARMLESS for key in keys]
    for keys in (*HARMLESS, [*everything, "1", "2"]):
        ok, message = await finished(inbox, inbox.ask("redrive", {"keys": keys}, 0.0))
        assert ok, message
    await rig.quiet()
    assert rig.sandbox.state.pushes.total() == pushes + 2
    assert (await rig.tally()).dead_letters == {}
    await rig.stop()
    await rig.start()
    await rig.quiet()
    inbox.close()


async def test_a_key_that_an_older_version_took_in_leaves_the_ledger_by_itself(rig: Rig, row: Row) -> None:
    """It holds what no key holds, and was written before anything looked for that."""
    await rig.start()
    await rig.quiet()
    pushes = rig.sandbox.state.pushes.total()
    control = rig.running.pipeline.control
    await control.resend([OrderKey("7\0"), OrderKey("1"), OrderKey("\0"), OrderKey("[" * 3000)])
    await rig.quiet()
    assert rig.sandbox.state.pushes.total() == pushes + 1


@pytest.mark.parametrize("arguments", ["CAST(x'ff' AS TEXT)", "x'00ff'", "17", "'{}' || char(0)"])
@pytest.mark.parametrize("verb", ["'redrive'", "CAST(x'c3' AS TEXT)", "3", "x'61'"])
def test_rows_that_only_sqlite_can_hold_are_read_as_unreadable(tmp_path: Path, verb: str, arguments: str) -> None:
    inbox = open_requests(Address(f"sqlite:///{tmp_path / 'connector.db'}"))
    inbox.ask("pause", {}, 0.0)
    assert inbox.next() is not None
    columns = "verb, arguments, asked_at, done, message"
    with apsw.Connection(str(tmp_path / "connector.db.requests")) as other:
        other.execute(
            f"INSERT INTO request ({columns}) VALUES ({verb}, {arguments}, 'never', x'00', CAST(x'ff' AS TEXT))"
        )
    other.close()
    taken = inbox.next()
    assert taken is not None
    assert (taken.verb, dict(taken.arguments), taken.finished) == ("unreadable", {}, False)
    inbox.finish(taken.number, False, "no \0\ud800" + "x" * 10_000)
    seen = inbox.get(taken.number)
    assert seen is not None
    assert seen.finished
    assert inbox.next() is None
    inbox.close()


def test_what_came_of_a_request_is_kept_whatever_characters_it_has(tmp_path: Path) -> None:
    inbox = open_requests(Address(f"sqlite:///{tmp_path / 'connector.db'}"))
    number = inbox.ask("pause", {}, 0.0)
    inbox.finish(number, False, "no \0\ud800\u202e" + "x" * 10_000)
    seen = inbox.get(number)
    assert seen is not None
    assert seen.message.startswith("no \ufffd\ufffd\u202exxx")
    assert len(seen.message) == 2000
    assert json.dumps(seen.message)
    inbox.close()


def test_a_verb_that_is_none_at_that_length_is_unreadable_and_never_logged(tmp_path: Path) -> None:
    inbox = open_requests(Address(f"sqlite:///{tmp_path / 'connector.db'}"))
    for verb, read_as in (("v" * 40, "v" * 40), ("v" * 41, "unreadable"), ("v" * 100_000, "unreadable")):
        inbox.ask(verb, {}, 0.0)
        taken = inbox.next()
        assert taken is not None
        assert taken.verb == read_as
        inbox.finish(taken.number, False, "no")
    inbox.close()
