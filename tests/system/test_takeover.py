"""Two connectors with the same checkpoints: one leads, and whatever ends it, the other one takes over; no two deliver."""

from __future__ import annotations

import signal
import time

import httpx2 as httpx

from tests.support.fixtures.cli import WITHIN, until
from tests.support.fixtures.pair import Pair, facts


def probe(pair: Pair, cli: object, path: str) -> int:
    port = cli.settings["status"]["port"]  # type: ignore[attr-defined]
    return httpx.get(f"http://127.0.0.1:{port}{path}").status_code


def test_a_second_connector_stands_by_and_is_told_from_the_leader(pair: Pair) -> None:
    pair.lead_and_wait()
    waits = facts(pair.two)
    assert (waits["ready"], waits["leader"]["instance"], waits["leader"]["here"]) == (False, "one", False)
    assert "one leads" in waits["verdict"]
    seen = {
        (name, path): probe(pair, cli, path)
        for name, cli in (("one", pair.one), ("two", pair.two))
        for path in ("/healthz", "/readyz", "/readyz?role=any")
    }
    assert seen == {
        ("one", "/healthz"): 200,
        ("one", "/readyz"): 200,
        ("one", "/readyz?role=any"): 200,
        ("two", "/healthz"): 200,
        ("two", "/readyz"): 503,
        ("two", "/readyz?role=any"): 200,
    }
    for cli, value in ((pair.one, "1.0"), (pair.two, "0.0")):
        port = cli.settings["status"]["port"]
        assert f"redo_connector_leader {value}\n" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert pair.daemon(pair.two).stop() == 0
    assert pair.daemon(pair.one).stop() == 0


def test_a_killed_leader_is_taken_over_within_seconds(pair: Pair) -> None:
    pair.lead_and_wait()
    pair.change(1, "before")
    pair.daemon(pair.one).process.send_signal(signal.SIGKILL)
    began = time.monotonic()
    pair.delivers(2, "cup")
    took = time.monotonic() - began
    until("what the dead one had in flight is there, too", lambda: pair.at_redo(1, "before"))
    assert pair.leads(pair.two)
    print("took", took)
    pair.daemon(pair.one).process.wait(WITHIN)
    pair.start(pair.one)
    until("the former leader stands by", lambda: facts(pair.one).get("state") == "standby")
    assert pair.redo.stats()["overlaps"] == 0
