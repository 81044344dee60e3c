"""Secrets that others could read are told: world-readable files, command lines, connections without proof."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.settings import exposure
from connector.settings.passwords import holds_password
from tests.support.fixtures.cli import PASSWORD, TOKEN, Cli


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may walk into; pytest's own are closed."""
    made = Path(tempfile.mkdtemp(prefix="redo-connector-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def settings_file(folder: Path, text: str, mode: int = 0o644) -> str:
    path = folder / "connector.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        f'[redo]\napi_secret = "{TOKEN}"',
        f'[redo.stores.second]\napi_secret = "{TOKEN}"',
        f'[source]\ndsn = "postgresql://clerk:{PASSWORD}@oms.example/shop"',
        f'[source]\nread_dsn = "host=oms.example password={PASSWORD}"',
        '[checkpoints]\npayload_keys = "key"',
        '[status]\ntoken = "sixteen-and-more"',
    ],
)
def test_a_settings_file_with_a_secret_that_everybody_may_read_is_told(open_folder: Path, text: str) -> None:
    path = settings_file(open_folder, text)
    [problem] = exposure.readable_by_all(path)
    assert problem.warning
    assert f"chmod 600 {path}" in problem.hint
    assert TOKEN not in str(problem)
    Path(path).chmod(0o640)
    assert exposure.readable_by_all(path) == []


def test_a_settings_file_without_secrets_may_be_read_by_everybody(open_folder: Path) -> None:
    path = settings_file(open_folder, '[source]\ndsn = "postgresql://clerk@oms.example/shop"\n[redo]\nstore_id = "a"')
    assert exposure.readable_by_all(path) == []


def test_a_folder_that_is_closed_closes_the_files_in_it(open_folder: Path) -> None:
    path = settings_file(open_folder, f'[redo]\napi_secret = "{TOKEN}"')
    open_folder.chmod(0o750)
    assert exposure.readable_by_all(path) == []


def test_a_file_that_a_variable_names_counts_too(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = open_folder / "redo"
    secret.write_text(TOKEN, encoding="utf-8")
    secret.chmod(0o644)
    monkeypatch.chdir(open_folder)
    monkeypatch.setenv("CONNECTOR_REDO__API_SECRET_FILE", str(secret))
    monkeypatch.setenv("CONNECTOR_REDO__STORE_ID_FILE", str(secret))
    assert [problem.where for problem in exposure.readable_by_all(None)] == ["CONNECTOR_REDO__API_SECRET_FILE"]
    secret.chmod(0o600)
    assert exposure.readable_by_all(None) == []


@pytest.mark.parametrize(
    ("dsn", "environment", "told"),
    [
        ("postgresql://clerk@oms.example/shop", {}, "sslmode prefer"),
        ("postgresql://clerk@oms.example/shop?sslmode=require", {}, "sslmode require"),
        ("host=oms.example sslmode=verify-ca", {}, "sslmode verify-ca"),
        ("host=10.0.0.7 sslmode=disable", {}, "sslmode disable"),
        ("host=localhost,oms.example", {}, "sslmode prefer"),
        ("dbname=shop", {"PGHOST": "oms.example"}, "sslmode prefer"),
        ("host=oms.example sslmode=require", {"PGSSLMODE": "verify-full"}, "sslmode require"),
        ("host=oms.example sslmode=verify-full", {}, None),
        ("host=oms.example", {"PGSSLMODE": "verify-full"}, None),
        ("host=oms.example sslrootcert=system", {}, None),
        ("host=localhost", {}, None),
        ("host=127.0.0.2", {}, None),
        ("host=::1", {}, None),
        ("host=/var/run/postgresql", {}, None),
        ("dbname=shop", {}, None),
        ("postgresql://[", {}, None),
    ],
)
def test_a_connection_to_another_machine_without_proof_of_it_is_told(
    dsn: str, environment: dict[str, str], told: str | None
) -> None:
    found = exposure.unverified({"source.dsn": dsn}, environment)
    assert [(problem.where, problem.warning) for problem in found] == ([("source.dsn", True)] if told else [])
    assert all(str(told) in problem.what and "sslmode=verify-full" in problem.hint for problem in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://clerk:hunter2@oms.example/shop", True),
        ("--dsn=postgres://clerk:hunter2@oms.example", True),
        ("host=oms.example password = hunter2", True),
        ("postgresql://oms.example/shop?password=hunter2", True),
        ("postgresql://clerk@oms.example:5432/shop", False),
        ("host=oms.example passfile=/etc/pgpass", False),
        ("4711", False),
    ],
)
def test_a_dsn_with_a_password_is_recognised(text: str, expected: bool) -> None:
    assert holds_password(text) is expected


def test_a_password_on_the_command_line_is_refused_without_being_repeated(offline: Cli) -> None:
    for arguments in (
        ["run", f"postgresql://clerk:{PASSWORD}@oms.example/shop"],
        ["check", f"--dsn=password={PASSWORD}"],
    ):
        ran = offline(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert "problem: command line: it holds a password" in ran.err
        assert "CONNECTOR_SOURCE__DSN_FILE" in ran.err


def test_check_warns_of_a_server_that_is_not_verified_and_is_no_less_ready_for_it(offline: Cli) -> None:
    offline.set("source", dsn="postgresql://clerk@192.0.2.1:1/shop?connect_timeout=1")
    found = [each for each in offline("check", "--json").json["problems"] if each["warning"]]
    assert [(each["where"], each["what"].split(":")[0]) for each in found] == [
        ("source.dsn", "sslmode prefer to another machine")
    ]


def test_run_and_check_warn_of_a_file_that_everybody_may_read(offline: Cli, open_folder: Path) -> None:
    offline.folder = open_folder
    offline.set("log", format="json")
    assert "holds a secret" in offline("check").out
    offline.start("run").until_said(r'"where":"connector.toml".*"event":"preflight","level":"warning"')
    offline.end()  # while its folder is there
    offline.daemons.clear()
