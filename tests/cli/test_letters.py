"""`dead-letters`: what was refused, by cause and order by order, and asking the connector to try again."""

from __future__ import annotations

import pytest

from tests.cli.prepared_checkpoints import connector_played, keep, left, letter
from tests.support.fixtures.cli import Cli


@pytest.fixture
def shelf(offline: Cli) -> Cli:
    """Three dead letters of one cause, one of another; no connector."""
    letters = [letter(key, "tags: too many") for key in ("3", "1", "2")]
    keep(offline.folder, [*letters, letter("9", "shippingAddress.zip: is missing", reason="invalid")])
    return offline


def group_of(cli: Cli, orders: int) -> str:
    found = cli("dead-letters", "list", "--json").json["groups"]
    return str(next(group["group"] for group in found if group["orders"] == orders))


def test_the_list_is_by_cause_and_the_largest_first(shelf: Cli) -> None:
    listed = shelf("dead-letters", "list")
    assert (listed.code, listed.err) == (0, "")
    lines = listed.out.splitlines()
    large, small = group_of(shelf, 3), group_of(shelf, 1)
    assert lines[0] == (
        f"group {large}: rejected, 3 orders, 6 attempts, since 1970-01-01T00:01:00Z, last 1970-01-01T01:01:00Z"
    )
    assert lines[1:3] == ["  tags: too many", "  1, 2, 3"]
    assert lines[3].startswith(f"group {small}: invalid, 1 order, 2 attempts, since")
    assert "dead-letters redrive --group GROUP" in lines[-1]


def test_the_json_has_total_letters_and_groups_and_a_group_narrows_all_three(shelf: Cli) -> None:
    whole = shelf("dead-letters", "list", "--json").json
    assert whole["total"] == 4
    assert [one["key"] for one in whole["dead_letters"]] == ["1", "2", "3", "9"]
    assert [(one["orders"], one["samples"]) for one in whole["groups"]] == [(3, ["1", "2", "3"]), (1, ["9"])]
    assert whole["dead_letters"][0]["group"] == whole["groups"][0]["group"]
    assert "fingerprint" not in whole["dead_letters"][0]
    narrow = shelf("dead-letters", "list", "--json", "--group", whole["groups"][0]["group"], "--limit", "2").json
    assert narrow["total"] == 3
    assert [one["key"] for one in narrow["dead_letters"]] == ["1", "2"]
    assert narrow["groups"] == whole["groups"][:1]


def test_each_lists_order_by_order_and_says_how_many_are_left_out(shelf: Cli) -> None:
    out = shelf("dead-letters", "list", "--each", "--limit", "3").out
    assert [line.split(":")[0] for line in out.splitlines() if line.startswith("order")] == [
        "order 1",
        "order 2",
        "order 3",
    ]
    assert f", group {group_of(shelf, 3)}\n  tags: too many\n  and more\n" in out
    assert out.endswith("1 more: raise --limit\n")


def test_fewer_groups_than_there_are_say_so(shelf: Cli) -> None:
    assert "1 more groups: raise --limit" in shelf("dead-letters", "list", "--limit", "1").out


def test_show_takes_keys_and_groups_and_names_what_is_neither(shelf: Cli) -> None:
    shown = shelf("dead-letters", "show", "9", group_of(shelf, 3), "4711", "--json")
    assert shown.code == 1
    assert [one["key"] for one in shown.json["dead_letters"]] == ["1", "2", "3", "9"]
    assert shown.json["unknown"] == ["4711"]
    assert "4711: there is no dead letter for this order" in shown.err


def test_a_key_that_looks_like_a_group_is_the_order(offline: Cli) -> None:
    keep(offline.folder, [letter("1", "tags: too many")])
    name = group_of(offline, 1)
    keep(offline.folder, [letter(name, "note: too long")])
    shown = offline("dead-letters", "show", name, "--json").json
    assert [one["key"] for one in shown["dead_letters"]] == [name]


def test_an_unknown_group_is_named(shelf: Cli) -> None:
    for verb in ("list", "redrive"):
        ran = shelf("dead-letters", verb, "--group", "nonesuch")
        assert (ran.code, ran.out) == (1, "")
        assert "nonesuch: there is no group of dead letters of this name" in ran.err
    assert left(shelf.folder) == []


def test_redrive_asks_the_running_connector_and_tells_what_it_answers(shelf: Cli) -> None:
    with connector_played(shelf.folder, "2 orders are on the way to Redo") as taken:
        ran = shelf("dead-letters", "redrive", "2", "1")
    assert (ran.code, ran.out) == (0, "To be pushed again: 2 orders (1, 2).\n2 orders are on the way to Redo\n")
    assert [(one.verb, one.arguments) for one in taken] == [("redrive", {"keys": ["1", "2"]})]


def test_redrive_without_a_connector_waits_for_its_start(shelf: Cli) -> None:
    ran = shelf("dead-letters", "redrive", "--group", group_of(shelf, 3), "--yes")
    assert ran.code == 0
    assert "To be pushed again: 3 orders (1, 2, 3)." in ran.out
    assert "no connector runs. It is carried out at the next start." in ran.out
    assert left(shelf.folder) == [("redrive", {"group": group_of(shelf, 3)})]


@pytest.mark.parametrize("typed", ["", "n\n", "y\n"])
def test_without_a_terminal_a_redrive_of_many_only_shows_whatever_the_pipe_says(shelf: Cli, typed: str) -> None:
    for arguments in (["--all"], ["--group", group_of(shelf, 3)], ["--all", "--json"]):
        ran = shelf("dead-letters", "redrive", *arguments, typed=typed)
        assert ran.code == 2
        assert "nothing was done" in ran.err
        if "--json" in arguments:
            assert (ran.json["orders"], ran.json["request"]) == (4, None)
        else:
            assert "Would be pushed again: " in ran.out
    assert left(shelf.folder) == []


def test_redrive_of_all_goes_ahead_with_yes(shelf: Cli) -> None:
    with connector_played(shelf.folder) as taken:
        ran = shelf("dead-letters", "redrive", "--all", "--yes", "--json")
    assert ran.code == 0
    assert (ran.json["orders"], ran.json["keys"]) == (4, ["1", "2", "3", "9"])
    assert (ran.json["request"]["state"], ran.json["request"]["message"]) == ("done", "done as asked")
    assert [one.arguments for one in taken] == [{"all": True}]


def test_redrive_names_orders_without_a_dead_letter_and_redrives_the_others(shelf: Cli) -> None:
    ran = shelf("dead-letters", "redrive", "1", "4711", "--no-wait")
    assert ran.code == 1
    assert "4711: there is no dead letter for this order" in ran.err
    assert left(shelf.folder) == [("redrive", {"keys": ["1"]})]
    nobody = shelf("dead-letters", "redrive", "4711")
    assert nobody.code == 1
    assert left(shelf.folder) == []


def test_a_dry_run_asks_for_nothing(shelf: Cli) -> None:
    ran = shelf("dead-letters", "redrive", "--all", "--dry-run")
    assert (ran.code, ran.out) == (0, "Would be pushed again: 4 orders (1, 2, 3, 9).\n")
    assert not (shelf.folder / "connector.db.requests").exists()


def test_a_request_that_failed_exits_1(shelf: Cli) -> None:
    with connector_played(shelf.folder, "the disk is full", ok=False):
        ran = shelf("dead-letters", "redrive", "1")
    assert ran.code == 1
    assert "the disk is full" in ran.out


def test_no_wait_does_not_wait_for_the_connector(shelf: Cli) -> None:
    with connector_played(shelf.folder) as taken:
        ran = shelf("dead-letters", "redrive", "1", "--no-wait", "--json")
        assert ran.json["request"]["running"] is True
    assert len(taken) <= 1
    assert ran.code == 0


@pytest.mark.parametrize("arguments", [[], ["1", "--all"], ["--group", "x", "--all"], ["1", "--group", "x"]])
def test_redrive_wants_orders_or_a_group_or_all(shelf: Cli, arguments: list[str]) -> None:
    ran = shelf("dead-letters", "redrive", *arguments)
    assert ran.code == 2
    assert "name orders, or a --group, or say --all" in ran.err


def test_with_none_the_list_says_so(offline: Cli) -> None:
    keep(offline.folder)
    assert offline("dead-letters", "list").out == "No dead letters.\n"
    assert offline("dead-letters", "redrive", "--all").out == "No dead letters.\n"


def test_status_without_a_connector_names_what_waits_for_a_person(shelf: Cli) -> None:
    keep(shelf.folder, held=[{"4": ["tags"], "5": ["tags"]}])
    out = shelf("status").out
    assert "held: 2 orders (mapping changed); `redo-connector approve 1` shows them and lets them go" in out
    assert f"refused: 3 orders, rejected: tags: too many (group {group_of(shelf, 3)})" in out


@pytest.mark.parametrize("as_json", [False, True])
def test_without_a_terminal_a_group_is_not_set_aside_unless_yes(offline: Cli, as_json: bool) -> None:
    keep(offline.folder, [letter("1", "HTTP 500", reason="failing"), letter("2", "HTTP 500", reason="failing")])
    group = offline("dead-letters", "list", "--json").json["groups"][0]["group"]
    options = ["--json"] if as_json else []
    ran = offline("dead-letters", "set-aside", "--group", group, *options, typed="y\n")
    assert ran.code == 2
    assert "nothing was done" in ran.err
    assert left(offline.folder) == []
    assert (ran.json["request"] is None) if as_json else ("Give up on 2 orders (1, 2)?" in ran.out)
    assert offline("dead-letters", "set-aside", "--group", group, "--yes").code == 0
    assert left(offline.folder) == [("set-aside", {"keys": ["1", "2"]})]


@pytest.fixture
def named(offline: Cli) -> Cli:
    """Orders whose ids at Redo aren't their keys; the id of one is another's key, and two have one id."""
    keep(
        offline.folder,
        [
            letter("1", "tags: too many", order_id="W/1 #-2"),
            letter("2", "tags: too many", order_id="3"),
            letter("3", "tags: too many"),
            letter("4", "note: too long", order_id="twice", reason="failing"),
            letter("5", "note: too long", order_id="twice", reason="failing"),
        ],
    )
    return offline


def test_orders_are_listed_and_shown_with_their_ids_at_redo(named: Cli) -> None:
    assert "  1 (W/1 #-2), 2 (3), 3\n" in named("dead-letters", "list").out
    shown = named("dead-letters", "show", "W/1 #-2")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("order 1 (W/1 #-2): rejected")
    assert named("dead-letters", "show", "3").out.count("order ") == 2, "the key of one, the id of another"
    group = named("dead-letters", "list", "--json").json["groups"][0]
    assert (group["samples"], group["order_ids"]) == (["1", "2", "3"], {"1": "W/1 #-2", "2": "3"})
    assert named("dead-letters", "show", "W/1 #-2", "--json").json["named"] == {"W/1 #-2": ["1"]}


def test_an_id_at_redo_names_the_order_to_be_pushed_again(named: Cli) -> None:
    with connector_played(named.folder) as taken:
        ran = named("dead-letters", "redrive", "W/1 #-2")
    assert ran.code == 0
    assert "To be pushed again: 1 order (1 (W/1 #-2))." in ran.out
    assert [one.arguments for one in taken] == [{"keys": ["1"]}]


@pytest.mark.parametrize(
    ("verb", "name", "orders"),
    [
        ("redrive", "3", "the order with key 3 (Redo's id: not known) and the order with key 2 (Redo's id: 3)"),
        ("set-aside", "twice", "the order with key 4 (Redo's id: twice) and the order with key 5 (Redo's id: twice)"),
    ],
)
def test_a_name_that_means_two_orders_changes_none_and_says_which_they_are(
    named: Cli, verb: str, name: str, orders: str
) -> None:
    ran = named("dead-letters", verb, name, "1")
    assert (ran.code, ran.out) == (1, "")
    assert f"problem: {name}: this name means {orders}\n" in ran.err
    assert "name the order by its key, with --by-key" in ran.err
    assert left(named.folder) == []


def test_a_key_can_be_meant_for_sure(named: Cli) -> None:
    assert named("dead-letters", "redrive", "3", "--by-key").code == 0
    assert left(named.folder) == [("redrive", {"keys": ["3"]})]
    unknown = named("dead-letters", "redrive", "twice", "--by-key")
    assert (unknown.code, "twice: there is no dead letter for this order" in unknown.err) == (1, True)
