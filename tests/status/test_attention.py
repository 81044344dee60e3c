"""What a person should know: nothing while all is well, else the most urgent first, with what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.status.attention import attention
from connector.status.facts import State
from connector.status.headline import headline, tone
from connector.status.status_json import as_json
from tests.support.verdicts import NOW, VERDICTS, WELL

QUIET = {"delivering", "quiet", "stopping"}


def kinds(name: str) -> list[str]:
    return [card.kind for card in attention(VERDICTS[name])]


@pytest.mark.parametrize("name", VERDICTS)
def test_there_is_something_to_know_exactly_when_not_all_is_well(name: str) -> None:
    assert bool(kinds(name)) == (name not in QUIET)


@pytest.mark.parametrize("name", VERDICTS)
def test_whatever_waits_for_a_person_says_what_to_do_next(name: str) -> None:
    assert all(card.next or card.progress for card in attention(VERDICTS[name]))


def test_every_state_is_among_the_verdicts_that_are_tried() -> None:
    assert {facts.state for facts in VERDICTS.values()} == set(State)


def test_what_hurts_the_oms_comes_first_then_what_stops_everything_then_single_orders() -> None:
    assert kinds("everything") == [
        "oms_statements_fail",
        "paused",
        "mapping_refused",
        "slot",
        "refused",
        "held",
        "held",
        "failing",
        "slow",
        "reconcile",
    ]


def test_a_disk_that_fills_up_leads_before_the_backlog_that_it_comes_from() -> None:
    assert kinds("slot") == ["slot", "catching_up"]


def test_a_standby_says_who_leads_whether_it_can_take_over_and_how_it_would() -> None:
    [card] = attention(VERDICTS["standby"])
    assert card.title == "oms-2.shop.internal leads since 01:38 UTC"
    assert card.text.startswith(
        "It was seen just now; its page: `http://127.0.0.1:9464/ on oms-2`. This one takes over "
    )
    assert card.command == "redo-connector step-down"
    away, mapping, leads = attention(VERDICTS["standby-unfit"])
    assert (away.kind, mapping.kind, leads.kind) == ("oms_away", "mapping_refused", "standby")
    assert "its mapping is refused" in mapping.title
    assert "takes over" not in leads.text
    assert leads.command == ""
    assert kinds("standby-differs") == ["mapping_differs", "standby"]
    assert tone(VERDICTS["standby"]) == "good"
    assert tone(VERDICTS["standby-unfit"]) == "bad"


def test_a_standby_tells_nothing_that_only_the_leader_knows() -> None:
    body = as_json(VERDICTS["standby"])
    assert body["leader"]["seen_at"] == NOW - 0.2
    assert body["fit_to_lead"]
    assert not {"affected", "checkpoints", "sync_lag_seconds", "connected", "holds", "in_flight"} & body.keys()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("delivering", ("Delivering: Redo is in step with the OMS", "good")),
        ("comparing", ("Delivering: Redo is in step with the OMS", "good")),
        ("refused", ("Delivering, but some orders are refused", "busy")),
        ("mapping-refused", ("Delivering, but a change of the mapping is refused", "busy")),
        ("held", ("Delivering, but changes of an unlikely size are held for approval", "busy")),
        ("slot", ("Catching up, but the disk of the OMS database fills up", "bad")),
        ("unapproved", ("Held: another address or store of Redo is to be approved", "bad")),
        ("first-fill-held", ("Held: nearly all orders of the first fill are refused", "bad")),
        ("stalled", ("Stalled since 03:23 UTC: the checkpoints can't be written", "bad")),
        ("mapping-misfit", ("Stalled since 03:20 UTC: the mapping doesn't fit the database", "bad")),
        ("paused-token", ("Paused since 14:02 UTC: Redo refused the token", "bad")),
        ("silent", ("Waiting for the OMS database to answer", "busy")),
        ("reads-cut", ("Reconnecting to the OMS database", "busy")),
        ("standby-alone", ("Standing by: nobody leads at the moment", "busy")),
    ],
)
def test_the_headline_says_what_is_wrong_and_its_tone_agrees_with_it(name: str, said: tuple[str, str]) -> None:
    assert (headline(VERDICTS[name]), tone(VERDICTS[name])) == said


def test_a_mapping_that_stops_everything_is_told_once() -> None:
    assert kinds("mapping-misfit") == ["mapping_refused"]
    [card] = attention(VERDICTS["mapping-misfit"])
    assert card.title == "The mapping doesn't fit the database"
    assert "`mapping.sql:12:7`: there is no table oms.prodct. 2 problems in all." in card.text


def test_a_pause_is_told_beside_whatever_else_is_wrong() -> None:
    cut = replace(VERDICTS["disconnected"], paused_reason="by_hand", paused_since=NOW - 60)
    assert [card.kind for card in attention(cut)] == ["disconnected", "paused"]
    cut = replace(cut, paused_reason="http_401")
    assert attention(cut)[1].text == "Paused: Redo refused the token."


def test_a_hold_is_told_with_its_command_and_an_address_to_approve_once() -> None:
    [held] = attention(VERDICTS["held"])
    assert held.command == "redo-connector approve 3 --list"
    assert held.text == "Because: mapping changed. Hold 3, since 03:04 UTC."
    [unapproved] = attention(VERDICTS["unapproved"])
    assert (unapproved.kind, unapproved.hold) == ("unapproved", 4)


def test_a_stream_that_is_behind_is_told_with_how_much_is_to_be_read() -> None:
    behind = next(card for card in attention(VERDICTS["slot"]) if card.kind == "catching_up")
    assert behind.title == "What the OMS committed is read 1 h late"
    assert behind.text == "42.2 GB of WAL are still to be read."


def test_a_server_that_says_nothing_is_told_before_it_counts_as_out_of_reach() -> None:
    [silent] = attention(VERDICTS["silent"])
    assert silent.title == "The OMS database hasn't told for 28 s what was committed"
    [cut] = attention(VERDICTS["reads-cut"])
    assert (cut.title, cut.tone, cut.command) == ("The OMS database was out of reach", "busy", "")


def test_a_fill_has_its_share_its_pace_and_the_time_that_is_left() -> None:
    [card] = attention(VERDICTS["backfilling"])
    assert card.progress is not None
    assert card.progress.words == "30,780 of about 48,100, 162 a second, about 1 min left"
    [unpaced] = attention(replace(VERDICTS["backfilling"], sweep_per_second=None))
    assert unpaced.progress is not None
    assert unpaced.progress.words == "30,780 of about 48,100"


def test_the_api_tells_what_the_page_shows() -> None:
    body = as_json(VERDICTS["disconnected"])
    assert body["headline"] == "Disconnected from the OMS database since 03:18 UTC"
    assert (body["tone"], body["stopped_at"]) == ("bad", "source")
    assert [card["kind"] for card in body["attention"]] == ["disconnected"]
    assert body["history"][-1] == {"at": NOW - NOW % 60, "lag": 440.0, "pushed": 0, "refused": 0}
    assert body["events"][1]["until"] is None
    assert body["events"][0] == {
        "kind": "disconnected",
        "at": NOW - 440.0,
        "text": "Disconnected from the OMS database",
        "until": None,
        "open": True,
    }
    assert as_json(WELL)["attention"] == []
