"""Two connectors of one sitting beside each other."""

from __future__ import annotations

from benchmarks import comparison

OLD = [{"backfill": {"orders_per_s": 10.0}, "sweep": {"orders_per_s": 100.0}}, {"sweep": {"orders_per_s": 200.0}}]
NEW = [{"backfill": {"orders_per_s": 20.0}, "sweep": {"orders_per_s": 150.0}}, {"sweep": {"orders_per_s": 800.0}}]


def test_ratios_are_of_the_same_run_and_their_spread_is_told() -> None:
    assert comparison.ratios(OLD, NEW, "sweep", "orders_per_s") == [1.5, 4.0]
    assert comparison.ratios(OLD, NEW, "backfill", "orders_per_s") == [2.0]
    line = comparison.plain(OLD, NEW).splitlines()[-1]
    assert line.split()[-6:] == ["150.00", "475.00", "2.75", "1.50", "..", "4.00"]
