"""Two connectors with the same checkpoints: one leads, and whatever ends it, the other takes over; no two deliver."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final
from urllib.parse import urlsplit

import httpx2 as httpx

from tests.support.fixtures.cli import WITHIN, Cli, until
from tests.support.fixtures.pair import SILENCE, Pair, Traffic, facts, leads
from tests.support.proxy_thread import proxy_to

BUSY: Final = 10.0
"""Seconds that a takeover may take longer than promised because other tests run on the same cores."""


def probe(pair: Pair, cli: Cli, path: str) -> int:
    port = cli.settings["status"]["port"]
    return httpx.get(f"http://127.0.0.1:{port}{path}").status_code


def test_a_second_connector_stands_by_and_is_told_from_the_leader(pair: Pair) -> None:
    pair.lead_and_wait()
    waits = facts(pair.two)
    assert (waits["ready"], waits["leader"]["instance"], waits["leader"]["here"]) == (False, "one", False)
    assert "one leads" in waits["verdict"]
    assert waits["fit_to_lead"]
    assert waits["leader"]["page"].startswith(f"http://127.0.0.1:{pair.one.settings['status']['port']}/ on ")
    assert waits["now"] - waits["leader"]["seen_at"] < BUSY
    assert not {"affected", "checkpoints", "sync_lag_seconds"} & waits.keys()
    assert "  takeover    ready" in pair.two("status").out
    seen = {
        (name, path): probe(pair, cli, path)
        for name, cli in (("one", pair.one), ("two", pair.two))
        for path in ("/healthz", "/healthz?role=leader", "/readyz", "/readyz?role=any")
    }
    assert seen == {
        ("one", "/healthz"): 200,
        ("one", "/healthz?role=leader"): 200,
        ("one", "/readyz"): 200,
        ("one", "/readyz?role=any"): 200,
        ("two", "/healthz"): 200,
        ("two", "/healthz?role=leader"): 503,
        ("two", "/readyz"): 503,
        ("two", "/readyz?role=any"): 200,
    }
    for cli, value in ((pair.one, "1.0"), (pair.two, "0.0")):
        port = cli.settings["status"]["port"]
        assert f"redo_connector_leader {value}\n" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert pair.daemon(pair.two).stop() == 0
    assert pair.daemon(pair.one).stop() == 0


def led_by(pair: Pair, cli: Cli) -> Callable[[], bool]:
    return lambda: pair.leads(cli)


def first_push_after(pair: Pair, event: Callable[[], object]) -> float:
    """Seconds from the event to the first order that arrives at Redo after nobody pushes any more."""
    event()
    began = time.monotonic()
    pair.delivers(2, "cup")
    return time.monotonic() - began


def test_a_killed_leader_is_taken_over_within_seconds(pair: Pair) -> None:
    pair.lead_and_wait()
    with Traffic(pair) as traffic:
        pair.daemon(pair.one).process.send_signal(signal.SIGKILL)
        until("the other one leads", led_by(pair, pair.two))
    traffic.arrived()
    pair.daemon(pair.one).process.wait(WITHIN)
    pair.start(pair.one)
    until("the former leader stands by", lambda: facts(pair.one).get("state") == "standby")
    took = first_push_after(pair, lambda: pair.daemon(pair.two).process.send_signal(signal.SIGKILL))
    assert took < BUSY + 3.0
    assert pair.redo.stats()["overlaps"] == 0


def test_a_leader_that_ends_hands_over_at_once(pair: Pair) -> None:
    pair.lead_and_wait()
    took = first_push_after(pair, lambda: pair.daemon(pair.one).stop())
    assert took < BUSY + 1.5
    assert facts(pair.two)["leader"]["term"] == 2


def test_a_stopped_leader_is_deposed_and_pushes_nothing_when_it_goes_on(pair: Pair) -> None:
    pair.lead_and_wait()
    pair.redo.switch(latency_ms=30.0)
    with Traffic(pair) as traffic:
        took = -time.monotonic()
        pair.daemon(pair.one).process.send_signal(signal.SIGSTOP)
        until("the other one leads", led_by(pair, pair.two))
        took += time.monotonic()
        until("it delivers", lambda: facts(pair.two)["counts"]["pushed"] > 20)
        pair.daemon(pair.one).process.send_signal(signal.SIGCONT)
        until("the former leader stands by", lambda: facts(pair.one).get("state") == "standby")
        until("it knows who leads", lambda: (facts(pair.one).get("leader") or {}).get("instance") == "two")
    traffic.arrived()
    said = pair.daemon(pair.one).said()
    assert "deposed" in said
    assert pair.redo.stats()["overlaps"] == 0
    # It takes over again, in the same process.
    took = first_push_after(pair, lambda: pair.daemon(pair.two).process.send_signal(signal.SIGKILL))
    assert took < BUSY + 3.0


def test_a_leader_that_is_cut_off_stops_pushing_before_the_other_one_begins(pair: Pair) -> None:
    """From everything but its own status port, without a word: packets are dropped."""
    assert pair.store is not None
    with ExitStack() as stack:
        server = pair.shop.cluster.port
        redo = urlsplit(pair.redo.base_url).port or 0
        cut = [stack.enter_context(proxy_to(port)) for port in (server, server, redo)]
        to_shop, to_store, to_redo = (proxy.port for proxy in cut)
        pair.one.set("source", dsn=pair.shop.dsn.replace(f":{server}/", f":{to_shop}/"), silence_timeout="4s")
        pair.one.set("checkpoints", url=pair.store.dsn.replace(f":{server}/", f":{to_store}/"))
        pair.one.set("redo", base_url=f"http://127.0.0.1:{to_redo}")
        pair.two.set("redo", base_url=f"http://127.0.0.1:{to_redo}")
        assert str(to_store) in pair.one.settings["checkpoints"]["url"]
        pair.lead_and_wait()
        with Traffic(pair) as traffic:
            cut[0].black_hole()
            cut[1].black_hole()
            began = time.monotonic()
            until("the other one leads", led_by(pair, pair.two))
            assert not pair.leads(pair.one)
            pushed = facts(pair.one)["counts"]["pushed"]
            until("it delivers", lambda: facts(pair.two)["counts"]["pushed"] > 0)
            took = time.monotonic() - began
            until("it delivers more", lambda: facts(pair.two)["counts"]["pushed"] > 20)
            assert facts(pair.one)["counts"]["pushed"] == pushed
            for each in cut[:2]:
                each.mend()
            until("the former leader stands by", lambda: facts(pair.one).get("state") == "standby")
        traffic.arrived()
    assert took < BUSY + SILENCE + 3.0
    assert pair.redo.stats()["overlaps"] == 0


def test_a_lock_session_that_is_ended_leaves_one_leader(pair: Pair) -> None:
    pair.lead_and_wait()
    pair.redo.switch(latency_ms=30.0)
    with Traffic(pair) as traffic:
        for _ in range(4):
            until("the leader's session is ended", lambda: pair.end_leaders_session() == 1)
            until("one of them leads, the other one stands by", lambda: one_leads(pair))
    traffic.arrived()
    assert pair.redo.stats()["overlaps"] == 0


def one_leads(pair: Pair) -> bool:
    found = [facts(cli) for cli in pair.both]
    leaders = [each for each in found if leads(each) and each["ready"]]
    return len(leaders) == 1 and sum(each.get("state") == "standby" for each in found) == 1


def test_leadership_is_handed_over_by_command_and_by_signal(pair: Pair) -> None:
    pair.lead_and_wait()
    with Traffic(pair) as traffic:
        asked = pair.one("step-down", "--json")
        assert (asked.code, asked.json["request"]["state"]) == (0, "done")
        until("the other one leads", led_by(pair, pair.two))
        until("the former leader stands by", lambda: facts(pair.one).get("state") == "standby")
        pair.daemon(pair.two).process.send_signal(signal.SIGUSR1)
        until("it leads again", led_by(pair, pair.one))
        until("the other one stands by", lambda: facts(pair.two).get("state") == "standby")
    traffic.arrived()
    assert pair.redo.stats()["overlaps"] == 0
    assert facts(pair.one)["leader"]["term"] == 3
    assert pair.daemon(pair.two).stop() == 0
    until("nobody waits", lambda: pair.one("step-down").code == 1)
    assert "nobody waits to take over" in pair.one("step-down").out
    assert pair.leads(pair.one)
    assert pair.daemon(pair.one).stop() == 0
    alone = pair.one("step-down")
    assert alone.code == 2
    assert "no connector leads" in alone.err


def test_a_changed_mapping_keeps_leadership(pair: Pair) -> None:
    pair.lead_and_wait()
    for cli in pair.both:
        cli.mapping = cli.mapping.replace("'shelf '", "'rack '")
        cli._write()
    until("it is taken up", lambda: pair.redo.orders()["1"]["salesChannel"] == "rack 100")
    assert facts(pair.one)["leader"]["term"] == 1
    assert facts(pair.two)["state"] == "standby"
    took = first_push_after(pair, lambda: pair.daemon(pair.one).process.send_signal(signal.SIGKILL))
    assert took < BUSY + 3.0
    until("it is quiet", lambda: facts(pair.two).get("affected") == 0)
    assert pair.redo.orders()["1"]["salesChannel"] == "rack 100"


def test_of_two_with_one_checkpoint_file_one_stands_by(pair_of_a_file: Pair) -> None:
    pair = pair_of_a_file
    pair.lead_and_wait()
    took = first_push_after(pair, lambda: pair.daemon(pair.one).process.send_signal(signal.SIGKILL))
    assert took < BUSY + 3.0
    pair.daemon(pair.one).process.wait(WITHIN)
    pair.start(pair.one)
    until("the former leader stands by", lambda: facts(pair.one).get("state") == "standby")
    assert pair.two("step-down").code == 0
    until("it leads again", led_by(pair, pair.one))
    pair.delivers(3, "pot")
    assert pair.redo.stats()["overlaps"] == 0


def test_one_that_took_over_and_can_not_reach_the_oms_lets_another_one_lead(pair: Pair) -> None:
    role = f"two_{pair.shop.name}"
    with pair.shop.connect() as conn:
        conn.execute(f"CREATE ROLE {role} LOGIN SUPERUSER".encode())
        pair.two.set("source", dsn=pair.shop.dsn.replace("postgres@", f"{role}@"))
        assert role in pair.two.settings["source"]["dsn"]
        pair.lead_and_wait()
        conn.execute(f"ALTER ROLE {role} NOLOGIN".encode())
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (role,))
        pair.daemon(pair.one).process.send_signal(signal.SIGKILL)
        pair.daemon(pair.two).until_said("takeover_waits")
        pair.daemon(pair.one).process.wait(WITHIN)
        pair.start(pair.one)
        until("the one that can leads", led_by(pair, pair.one))
        pair.delivers(1, "bowl")
        until("the other one stands back", lambda: facts(pair.two).get("state") in ("standby", "stalled"))
        assert pair.daemon(pair.two).stop() == 0
        conn.execute(f"DROP ROLE {role}".encode())


def test_a_standby_that_can_not_reach_the_checkpoints_says_so_and_goes_on_waiting(pair: Pair) -> None:
    assert pair.store is not None
    with proxy_to(pair.shop.cluster.port) as proxy:
        pair.two.set("checkpoints", url=pair.store.dsn.replace(f":{pair.shop.cluster.port}/", f":{proxy.port}/"))
        pair.lead_and_wait()
        proxy.black_hole()
        until("it says so", lambda: facts(pair.two).get("state") == "stalled")
        assert probe(pair, pair.two, "/readyz?role=any") == 503
        proxy.mend()
        until("it stands by again", lambda: facts(pair.two).get("state") == "standby")
