"""One order's way through the log: by its key, and by the delivery that its dead letter names."""

from __future__ import annotations

import json
from typing import Any

from tests.support.fixtures.cli import Cli, Daemon, LocalRedo, until


def events(daemon: Daemon, name: str, order: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in daemon.said().splitlines(keepends=True) if line.endswith("\n")]
    return [each for each in lines if each["event"] == name and each["order"] == order]


def test_a_delivery_is_named_alike_in_its_request_its_refusal_and_the_orders_dead_letter(
    cli: Cli, redo: LocalRedo
) -> None:
    cli.set("log", format="json", level="debug")
    redo.switch(reject=["3"])
    daemon = cli.start("run")
    try:
        until("five orders arrive", lambda: len(redo.orders()) == 5)
        refusal = until("the sixth is refused", lambda: events(daemon, "order_refused", "3"))[0]
    finally:
        redo.switch(reject=[])
    request = events(daemon, "delivery", "3")[0]
    letter = cli("dead-letters", "show", "3", "--json").json["dead_letters"][0]
    assert request["delivery"] == refusal["delivery"] == letter["delivery"]
    assert len(letter["delivery"]) == 12
    assert (request["level"], request["answer"], request["result"]) == ("debug", "rejected", "rejected")
    accepted = until("another one's is told", lambda: events(daemon, "delivery", "4"))[0]
    assert (accepted["answer"], accepted["status"], accepted["attempt"]) == ("accepted", 200, 1)
    assert accepted["delivery"] != letter["delivery"]
    assert daemon.stop() == 0


def test_in_normal_life_no_line_is_a_warning_and_no_request_has_one(cli: Cli, redo: LocalRedo) -> None:
    cli.set("log", format="json")
    daemon = cli.start("run")
    until("all orders arrive", lambda: len(redo.orders()) == 6)
    assert daemon.stop() == 0
    lines = [json.loads(line) for line in daemon.said().splitlines()]
    assert {line["level"] for line in lines} == {"info"}, [line for line in lines if line["level"] != "info"]
    assert "delivery" not in {line["event"] for line in lines}
