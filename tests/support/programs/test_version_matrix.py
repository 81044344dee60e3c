"""Running the tests on several versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.programs import postgres_versions, version_matrix


def test_a_version_that_fails_stops_no_other_and_is_in_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDO_CONNECTOR_SERVERS", str(tmp_path))
    monkeypatch.setattr(postgres_versions, "fetch", lambda major: False)
    (tmp_path / "14").mkdir()
    (tmp_path / "14" / "pinned").write_text(postgres_versions.pins()[14].integrity)
    done = CliRunner().invoke(version_matrix.cli, ["--workers", "1", "13 14", "--", "--markers"])
    assert done.exit_code == 1
    _, _, summary = done.output.partition("== All versions\n")
    failed, passed = summary.splitlines()
    assert failed.startswith("Postgres 13: FAILED (exit code 4) in ")
    assert passed.startswith("Postgres 14: passed in ")


def test_a_server_that_cannot_be_had_is_known_before_any_test_has_run() -> None:
    done = CliRunner().invoke(version_matrix.cli, ["99 13"])
    assert done.exit_code == 1
    assert "no server of Postgres 99 is pinned" in done.output
    assert "== Postgres 13" not in done.output
