"""The benchmark runs from end to end, with numbers too small to mean anything, so that it never rots."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import report, run
from benchmarks.machine import machine
from benchmarks.phases import quantile

TINY = run.Scale(orders=200, rates=(20,), mixed_rate=40, fan=5, seconds=1.0, runs=1, variants=())


async def test_every_phase_runs_and_leaves_redo_with_the_mappings_answer() -> None:
    found = await run.measure(TINY, lambda _: None)
    summary = report.summarise(found.runs[run.NEW])
    assert found.clean
    assert set(summary) == {"backfill", "latency_20", "fan_out", "catch_up", "sweep"}
    latency, caught_up, swept = summary["latency_20"], summary["catch_up"], summary["sweep"]
    assert 0 < latency["p50_ms"] <= latency["p95_ms"] <= latency["p99_ms"] <= latency["max_ms"]
    assert caught_up["orders_per_s"] >= caught_up["with_start_up_per_s"] > 0
    assert caught_up["floor_per_s"] > 0
    assert swept["orders_per_s"] > 0
    mixed = summary["fan_out"]
    assert 0 < mixed["p50_ms"] <= mixed["max_ms"]
    assert 0 < mixed["fan_p50_ms"] <= mixed["fan_max_ms"] == mixed["last_max_ms"]
    for figures in summary.values():
        assert figures["order_cpu_ms"] > 0
        assert figures["connector_cpu_s"] > 0
        assert figures["peak_rss_mb"] > 10
    assert found.version.split(".")[0].isdigit()


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0)])
def test_quantile_is_the_smallest_value_that_the_share_does_not_exceed(share: float, expected: float) -> None:
    assert quantile([float(value) for value in range(1, 101)], share) == expected


def test_quantile_of_one_value_is_that_value() -> None:
    assert quantile([7.0], 0.5) == quantile([7.0], 0.99) == 7.0


def test_the_summary_is_the_median_and_for_a_maximum_the_largest() -> None:
    runs = [{"latency_50": {"p50_ms": value, "max_ms": value}} for value in (3.0, 1.0, 2.0)]
    assert report.summarise(runs) == {"latency_50": {"p50_ms": 2.0, "max_ms": 3.0}}


def test_the_measured_section_is_replaced_and_the_rest_is_kept(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    summary = {"latency_50": {"p50_ms": 1.23}, "sweep": {"orders_per_s": 4567.0}}
    report.write_docs(report.section(summary, {}, machine("18.0"), "tiny"), page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "1.2 ms" in text
    assert "4,567/s" in text


def test_a_variant_has_a_column_beside_the_usual_one_and_an_aim_says_whether_it_was_met() -> None:
    usual = {"backfill": {"orders_per_s": 1999.0}, "latency_200": {"p50_ms": 4.0, "order_cpu_ms": 0.5}}
    text = report.section(usual, {"tls": {"backfill": {"orders_per_s": 900.0}}}, machine("18.0"), "tiny")
    assert "| first fill | 2,000/s | 1,999/s | missed |" in text
    assert "| commit to 200 at 200 commits/s, p50 | 5.0 ms | 4.0 ms | met |" in text
    assert "| | SQLite file, no TLS | TLS |" in text
    assert "| First fill: orders, first push to last | 1,999/s | 900/s |" in text


def test_a_page_without_a_measured_section_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("nothing of ours\n")
    with pytest.raises(ValueError, match="no measured section"):
        report.write_docs("new", page)
    assert page.read_text() == "nothing of ours\n"


def test_the_page_has_a_measured_section() -> None:
    text = report.DOCS.read_text(encoding="utf-8")
    assert text.index(report.BEGIN) < text.index(report.END)
