"""The shop whose foreign keys have partial indexes only, in a size that shows that it runs."""

from __future__ import annotations

import pytest

from benchmarks import partial_indexes, report


async def test_it_runs_and_leaves_redo_with_the_mappings_answer_and_counts_sequential_scans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partial_indexes, "LARGE", 50)
    figures, version, clean = await partial_indexes.measure(120, 12)
    assert clean
    assert set(figures) == set(partial_indexes.WORDS)
    assert figures["advised"] == 0
    assert figures["fill_per_s"] > 0
    assert figures["fill_scans"] > 0  # tables of 120 rows are read whole
    assert figures["fill_scanned"] > 0
    text = partial_indexes.section(figures, {"Postgres": version}, 120)
    assert "| live changes | 12 |" in text


def test_the_page_has_a_section_for_it() -> None:
    text = report.DOCS.read_text(encoding="utf-8")
    assert text.index(partial_indexes.BEGIN) < text.index(partial_indexes.END)
