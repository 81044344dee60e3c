"""How the tests come by Prometheus, with stand-ins for apt: it is brought once, and in CI its lack is a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fixtures.prometheus import programs
from tests.support.programs import prometheus

APT = """
echo "$@" >> {log}
case "$*" in
  *download*) [ -e {lists} ] || exit 100; echo archive > prometheus_2_amd64.deb ;;
  *update*) touch {lists} ;;
esac
"""
DPKG = 'mkdir -p "$3/usr/bin" && cp "$2" "$3/usr/bin/prometheus" && cp "$2" "$3/usr/bin/promtool"'


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without Prometheus, on a machine whose PATH has nothing."""
    monkeypatch.delenv("REDO_CONNECTOR_PROMETHEUS_BINDIR", raising=False)
    monkeypatch.setattr(prometheus, "_CACHE", tmp_path / "checkout" / ".prometheus")
    (tmp_path / "checkout").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "checkout" / ".prometheus"


def stand_in(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def test_it_is_brought_once_with_package_lists_of_its_own_where_the_machine_has_none(
    cache: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    stand_in(tmp_path, "apt-get", APT.format(log=log, lists=tmp_path / "lists"))
    stand_in(tmp_path, "dpkg-deb", DPKG)
    assert prometheus.bindir() == cache / "usr" / "bin"
    asked = log.read_text().splitlines()
    assert [line.split()[-1] for line in asked] == ["prometheus", "update", "prometheus"]
    assert "Dir::State::Lists" not in asked[0]
    assert all("Dir::State::Lists" in line for line in asked[1:])
    assert prometheus.bindir() == cache / "usr" / "bin"
    assert log.read_text().splitlines() == asked
    assert [path.name for path in cache.parent.iterdir()] == [".prometheus"]


def test_a_download_that_fails_is_told_with_what_apt_said(cache: Path, tmp_path: Path) -> None:
    stand_in(tmp_path, "apt-get", "echo 'E: Unable to locate package prometheus' >&2; exit 100")
    stand_in(tmp_path, "dpkg-deb", DPKG)
    with pytest.raises(prometheus.PrometheusMissing, match="Unable to locate package"):
        prometheus.bindir()
    assert not cache.exists()


@pytest.mark.usefixtures("cache")
def test_without_apt_it_says_what_to_do() -> None:
    with pytest.raises(
        prometheus.PrometheusMissing, match="name its programs' folder in REDO_CONNECTOR_PROMETHEUS_BIN"
    ):
        prometheus.bindir()


@pytest.mark.usefixtures("cache")
def test_a_named_folder_without_the_programs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDO_CONNECTOR_PROMETHEUS_BINDIR", str(tmp_path))
    with pytest.raises(prometheus.PrometheusMissing, match="which lacks"):
        prometheus.bindir()


@pytest.mark.usefixtures("cache")
def test_in_ci_a_missing_prometheus_fails_and_elsewhere_it_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="install Prometheus"):
        programs()
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="install Prometheus"):
        programs()
