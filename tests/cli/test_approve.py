"""`approve`: what a person sees before a hold is let go, and what is asked of the connector then."""

from __future__ import annotations

import os
import pty
from tempfile import TemporaryFile

import pytest

from tests.cli.prepared_checkpoints import connector_played, keep, left
from tests.support.fixtures.cli import WITHIN, Cli
from tests.support.processes.forked import Forked

HOLD = {"1": ["tags", "note"], "2": ["tags"], "3": ["tags"]}


@pytest.fixture
def held(offline: Cli) -> Cli:
    """One hold of three orders; no connector."""
    keep(offline.folder, held=[HOLD])
    return offline


def test_the_only_hold_is_shown_and_let_go(held: Cli) -> None:
    with connector_played(held.folder, "3 orders are on the way to Redo") as taken:
        ran = held("approve", "--yes")
    assert (ran.code, [(one.verb, one.arguments) for one in taken]) == (0, [("approve", {"hold": 1, "limit": None})])
    lines = ran.out.splitlines()
    assert lines[0].startswith(
        "hold 1: 3 orders that a comparison of all orders would change at Redo, since 1970-01-01"
    )
    assert lines[1:4] == ["  because: mapping changed", "         3 tags", "         1 note"]
    assert sorted(lines[4].removeprefix("  orders ").split(", ")) == ["1", "2", "3"]
    assert lines[5] == "3 orders are on the way to Redo"


@pytest.mark.parametrize(("arguments", "limit"), [(["--canary"], 20), (["--canary", "2"], 2), (["1", "--canary"], 20)])
def test_a_canary_is_twenty_orders_or_as_many_as_said(held: Cli, arguments: list[str], limit: int) -> None:
    ran = held("approve", "--yes", *arguments)
    assert ran.code == 0
    assert "no connector runs. It is carried out at the next start." in ran.out
    assert left(held.folder) == [("approve", {"hold": 1, "limit": limit})]


def test_list_only_shows(held: Cli) -> None:
    shown = held("approve", "--list", "--json")
    assert shown.code == 0
    [hold] = shown.json["holds"]
    assert (hold["number"], hold["kind"], hold["state"], hold["orders"]) == (1, "changes", "held", 3)
    assert (hold["fields"], hold["opened_at"]) == ({"tags": 3, "note": 1}, 120.0)
    assert shown.json["requests"] == []
    assert not (held.folder / "connector.db.requests").exists()


def test_of_several_holds_one_must_be_named(held: Cli) -> None:
    keep(held.folder, held=[{"7": ["lineItems"]}])
    ran = held("approve")
    assert ran.code == 2
    assert "hold 1: 3 orders" in ran.out
    assert "hold 2: 1 order " in ran.out
    assert "several holds wait: name the one to approve, or say --all" in ran.err
    assert left(held.folder) == []
    assert held("approve", "2", "--yes").code == 0
    assert left(held.folder) == [("approve", {"hold": 2, "limit": None})]


def test_all_lets_every_hold_go(held: Cli) -> None:
    keep(held.folder, held=[{"7": ["lineItems"]}])
    with connector_played(held.folder) as taken:
        ran = held("approve", "--all", "--yes", "--json")
    assert ran.code == 0
    assert [one.arguments["hold"] for one in taken] == [1, 2]
    assert [one["state"] for one in ran.json["requests"]] == ["done", "done"]


def test_a_hold_that_there_is_not_is_named(held: Cli) -> None:
    ran = held("approve", "7")
    assert ran.code == 1
    assert "hold 7: there is no such hold\n    `redo-connector approve --list`" in ran.err
    assert left(held.folder) == []


def test_with_none_it_says_so(offline: Cli) -> None:
    keep(offline.folder)
    ran = offline("approve")
    assert (ran.code, ran.out) == (0, "Nothing waits for approval.\n")


def test_a_failed_release_exits_1(held: Cli) -> None:
    with connector_played(held.folder, "it did not work", ok=False):
        ran = held("approve", "--yes")
    assert ran.code == 1
    assert "it did not work" in ran.out


def test_a_store_in_memory_cannot_be_asked(offline: Cli) -> None:
    offline.set("checkpoints", url="memory:")
    for arguments in (["approve"], ["reconcile"], ["backfill"], ["dead-letters", "redrive", "1"]):
        ran = offline(*arguments)
        assert ran.code == 2
        assert "checkpoints.url: a" in ran.err


@pytest.mark.parametrize(("arguments", "answer", "code"), [([], b"n\n", 1), ([], b"y\n", 0), (["--yes"], b"", 0)])
def test_on_a_terminal_it_asks_first(held: Cli, arguments: list[str], answer: bytes, code: int) -> None:
    held("approve", "--list")  # writes the settings
    ours, theirs = pty.openpty()
    with TemporaryFile() as output:
        process = Forked(
            "connector", "approve", *arguments,
            folder=held.folder, environment=os.environ, streams=[theirs, output, output],
        )  # fmt: skip
        os.close(theirs)
        os.write(ours, answer)
        ended = process.wait(WITHIN)
        os.close(ours)
        output.seek(0)
        said = output.read()
    assert ended == code, said
    assert (b"Let 3 orders go to Redo? [y/N]:" in said) is (not arguments)
    assert len(left(held.folder)) == (0 if code else 1)


@pytest.mark.parametrize("typed", ["", "n\n", "y\n", "yes\n"])
def test_without_a_terminal_it_only_shows_whatever_the_pipe_says(held: Cli, typed: str) -> None:
    for arguments in (["approve"], ["approve", "1", "--canary"], ["approve", "--all", "--json"]):
        ran = held(*arguments, typed=typed)
        assert ran.code == 2
        assert "nothing was done" in ran.err
        assert "repeat it with --yes" in ran.err
        if "--json" in arguments:
            assert ([one["orders"] for one in ran.json["holds"]], ran.json["requests"]) == ([3], [])
        else:
            assert "hold 1: 3 orders" in ran.out
    assert left(held.folder) == []
