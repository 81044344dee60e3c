"""How many descriptors the status port's visitors may have, and what is said of a file that none is left for."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from connector.daemon import descriptors
from connector.model.errors import ConfigurationError, SourceUnavailable
from connector.wiring.factories import mapping_text
from tests.support.processes.descriptors import no_more_descriptors


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def limited(soft: int, monkeypatch: pytest.MonkeyPatch, *, hard: int | None = None) -> None:
    """Pretend to limits that this test process could not go back from."""
    limits = [soft, soft if hard is None else hard]

    def change(_: int, to: tuple[int, int]) -> None:
        limits[:] = to

    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", change)


@pytest.mark.parametrize(("soft", "pushes", "most"), [(1024, 32, 128), (256, 32, 128), (200, 32, 72), (1024, 900, 28)])
def test_visitors_get_what_the_road_leaves(monkeypatch: pytest.MonkeyPatch, soft: int, pushes: int, most: int) -> None:
    limited(soft, monkeypatch)
    with capture_logs() as said:
        assert descriptors.for_visitors(pushes) == most
    assert said == []


def test_the_soft_limit_is_raised_as_far_as_it_is_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(64, monkeypatch, hard=1_000_000)
    assert descriptors.for_visitors(1000) == 128
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (4096, 1_000_000)


def test_too_few_for_the_road_are_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(100, monkeypatch)
    with capture_logs() as said:
        assert descriptors.for_visitors(32) == 8
    [warning] = said
    assert (warning["event"], warning["limit"], warning["wanted"]) == ("few_descriptors", 100, 136)
    assert "LimitNOFILE" in warning["next"]


def test_a_mapping_that_no_descriptor_is_left_for_is_no_wrong_mapping(tmp_path: Path) -> None:
    path = tmp_path / "mapping.sql"
    path.write_text("SELECT 1")
    with no_more_descriptors(), pytest.raises(SourceUnavailable, match="Too many open files") as caught:
        mapping_text(path)
    assert "limit of open files" in caught.value.hint
    assert mapping_text(path) == "SELECT 1"
    path.unlink()
    with pytest.raises(ConfigurationError, match="No such file"):
        mapping_text(path)
