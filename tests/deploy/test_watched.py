"""A real Prometheus scrapes the running command: every expression of the dashboard and the rules sees something."""

from __future__ import annotations

from typing import Final

from tests.deploy.promql import dashboard_expressions, rules, selectors
from tests.support.fixtures.cli import Cli, LocalRedo, until
from tests.support.fixtures.postgres import Database
from tests.support.fixtures.prometheus import Prometheus, Watch

GAPLESS: Final = "the first scrape already shows the gap of a new slot, and no other happened"
NO_LIMIT: Final = "the server has no max_slot_wal_keep_size"

EMPTY: Final = {
    "Left until the slot is lost A": NO_LIMIT,
    "WAL that the slot keeps, and its limits B": NO_LIMIT,
    "Gaps in the stream, by cause A": GAPLESS,
    "Pace B": "Redo never throttled",
}
"""Panels that show nothing, on purpose."""
VAGUE_PANELS: Final = {"Time until the slot's limit A"}
"""Unknown while the WAL that the slot keeps doesn't grow, which it may do or not here."""

UNKNOWN: Final = {"redo_connector_slot_safe_wal_bytes": NO_LIMIT}
"""What alerts read and is NaN."""
VAGUE_METRICS: Final = {"redo_connector_slot_seconds_to_limit"}
"""What may be NaN or not here."""


def busy(cli: Cli, shop: Database, redo: LocalRedo) -> None:
    """After the first scrape: a push that fails once, one that is refused for good, and a whole comparison."""
    redo.switch(error_rate=1.0)
    with shop.connect() as conn:
        conn.execute("UPDATE shop.item SET qty = qty + 1 WHERE order_id = 1")
        conn.execute("UPDATE shop.orders SET email = 'no address' WHERE id = 2")
    until("Redo has refused", lambda: cli.facts()["affected"] >= 1 and sum(cli.facts()["dead_letters"].values()) == 1)
    redo.switch(error_rate=0.0)
    until("the order arrives", lambda: redo.orders()["1"]["lineItems"][0]["quantity"] == 3)
    assert cli("reconcile").code == 0


REFUSED: Final = {"RedoConnectorDeadLettersGrowing", "RedoConnectorDeadLettersLeft"}


def alerts(prometheus: Prometheus) -> set[str]:
    """Whose condition holds now; they fire once it has held for as long as they ask."""
    return {alert["labels"]["alertname"] for alert in prometheus.ask("alerts")["alerts"]}


def lacking(prometheus: Prometheus) -> set[str]:
    """The panels that show nothing now."""
    found = {name for name, expression in dashboard_expressions().items() if not prometheus.query(expression)}
    return found - VAGUE_PANELS


def check_panels(prometheus: Prometheus) -> None:
    try:
        until("every panel has data that has no reason for none", lambda: lacking(prometheus) == set(EMPTY))
    finally:
        assert lacking(prometheus) == set(EMPTY)


def check_rules(prometheus: Prometheus) -> None:
    """Recording rules give data; what alerts read is there, and their conditions are evaluated."""
    recorded = {rule.record for rule in rules("recording.yaml") if rule.record}
    until("every recording rule has data", lambda: all(map(prometheus.query, recorded)))
    for rule in rules("alerts.yaml"):
        for selector, metric in selectors(rule.expr).items():
            known = bool(prometheus.query(selector))
            assert known == (metric not in UNKNOWN) or metric in VAGUE_METRICS, (rule.alert, selector)
    groups = prometheus.ask("rules")["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}


def test_every_panel_and_rule_has_data_or_a_reason_for_none_and_alerts_tell_what_happens(
    cli: Cli, shop: Database, redo: LocalRedo, watch: Watch
) -> None:
    cli.set("source", wal_budget="10GB")
    daemon = cli.start("run")
    daemon.until_said("started")
    until("the backfill is over", lambda: len(redo.orders()) == 6)
    prometheus = watch(cli.settings["status"]["port"])
    busy(cli, shop, redo)
    check_panels(prometheus)
    check_rules(prometheus)
    until("the refused order is told", lambda: alerts(prometheus) == REFUSED)
    redo.switch(unauthorized=True)
    with shop.connect() as conn:
        conn.execute("UPDATE shop.item SET qty = qty + 1 WHERE order_id = 3")
    until("the pause is told, once", lambda: alerts(prometheus) == REFUSED | {"RedoConnectorDeliveryPaused"})
    redo.switch(unauthorized=False)
    until("the pause is over", lambda: alerts(prometheus) == REFUSED)
    assert daemon.stop() == 0
    until("the connector is missed", lambda: alerts(prometheus) == {"RedoConnectorAbsent"})
