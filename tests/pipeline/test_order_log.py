"""Refused orders have a line each, up to a bound; all others are counted, also when none follows."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from connector.model.orders import OrderKey
from connector.pipeline.examine import order_log
from connector.pipeline.examine.order_log import AT_MOST, RefusalLog
from connector.pipeline.ports.records import DeadLetter
from tests.support.fixtures.connector import eventually


def refuse(log: RefusalLog, orders: int) -> None:
    for number in range(orders):
        log.refused(DeadLetter(OrderKey(str(number)), "invalid", "no email", ("email",), None, 1.0, 1.0, 1))


async def test_what_had_no_line_is_counted_once_the_minute_is_over_though_nothing_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(order_log, "EVERY", 0.2)
    refusals = RefusalLog()
    with capture_logs() as logs:
        refuse(refusals, AT_MOST + 5)
        assert [line["event"] for line in logs] == ["order_refused"] * AT_MOST
        await eventually("the others are counted", lambda: logs[-1]["event"] == "orders_refused")
        assert logs[-1]["count"] == 5
        refuse(refusals, 1)
        assert logs[-1]["event"] == "order_refused"
    refusals.end()


async def test_what_had_no_line_is_counted_at_the_end_of_a_run() -> None:
    refusals = RefusalLog()
    with capture_logs() as logs:
        refuse(refusals, AT_MOST + 3)
        refusals.end()
        refusals.end()
    assert [line["count"] for line in logs if line["event"] == "orders_refused"] == [3]


async def test_a_few_refusals_have_no_count_beside_their_lines() -> None:
    refusals = RefusalLog()
    with capture_logs() as logs:
        refuse(refusals, 3)
        refusals.end()
    assert [line["event"] for line in logs] == ["order_refused"] * 3
