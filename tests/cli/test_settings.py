"""Settings that are wrong: one clear message each, exit code 2, and no value of them in it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.fixtures.cli import Cli


def test_missing_settings_are_all_named_with_where_to_set_them(offline: Cli) -> None:
    offline.settings = {}
    ran = offline("run")
    assert ran.code == 2
    for key, variable in [("source.dsn", "SOURCE__DSN"), ("redo.store_id", "REDO__STORE_ID")]:
        assert f"problem: {key}: is required" in ran.err
        assert f"CONNECTOR_{variable}" in ran.err


def test_every_wrong_setting_is_named_at_once_with_what_to_write(offline: Cli) -> None:
    offline.set("redo", api_secrt="x", base_url="ftp://redo", timeout="soon")
    offline.set("source", slot="My Slot")
    offline.set("sauce", dsn="x")
    ran = offline("check")
    assert (ran.code, ran.out) == (2, "")
    for message in [
        "redo.api_secrt: is not a setting\n    did you mean redo.api_secret?",
        "sauce: is not a setting",
        "redo.base_url: must begin with https:// or http://",
        "source.slot: must be lower-case letters",
        "redo.timeout: not a duration",
    ]:
        assert f"problem: {message}" in ran.err
    assert "ftp" not in ran.err


def test_an_unknown_variable_is_named_with_the_nearest(offline: Cli) -> None:
    ran = offline("status", env={"CONNECTOR_REDO__STOREID": "x"})
    assert ran.code == 2
    assert "CONNECTOR_REDO__STOREID: is not a setting\n    did you mean CONNECTOR_REDO__STORE_ID?" in ran.err


def test_broken_toml_is_named_with_its_line(offline: Cli) -> None:
    broken = offline.folder / "broken.toml"
    broken.write_text("[source]\ndsn = = 1\n")
    ran = offline("explain", "--config", str(broken))
    assert ran.code == 2
    assert "broken.toml: is not valid TOML" in ran.err
    assert "line 2" in ran.err


def test_a_settings_file_that_is_not_there_is_named(offline: Cli) -> None:
    ran = offline("run", "--config", "elsewhere.toml")
    assert ran.code == 2
    assert "elsewhere.toml: can't be read: No such file" in ran.err


@pytest.mark.parametrize("arguments", [["fly"], ["check", "--fast"], ["dead-letters", "show"]])
def test_wrong_usage_exits_2(offline: Cli, arguments: list[str]) -> None:
    ran = offline(*arguments)
    assert ran.code == 2
    assert "Usage:" in ran.err + ran.out


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://clerk:hunter2@127.0.0.1:1/x", "checkpoint database 127.0.0.1:1/x, schema redo_connector: "),
        ("postgresql://clerk:hunt/er2@127.0.0.1/x", "the URL can't be read"),
        ("postgresql://clerk:hunter2@127.0.0.1/x?nonsense=hunter2", "the URL can't be read"),
    ],
)
def test_a_checkpoint_database_that_cant_be_had_is_named_without_its_password(
    offline: Cli, url: str, said: str
) -> None:
    offline.set("checkpoints", url=url)
    ran = offline("dead-letters", "list")
    assert ran.code == 2
    assert f"problem: checkpoints.url: {said}" in ran.err
    assert "hunt" not in ran.err + ran.out


def test_the_sandbox_says_that_its_port_is_taken(offline: Cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = offline("sandbox", "--port", str(taken.getsockname()[1]))
    assert ran.code == 2
    assert "can't listen there: Address already in use\n    choose another --port" in ran.err


def test_what_the_store_refused_can_be_asked_for_only_once_there_is_a_store(offline: Cli) -> None:
    ran = offline("dead-letters", "list")
    assert ran.code == 2
    assert "there is no checkpoint file connector.db\n    start `redo-connector run` once" in ran.err
    assert not Path(offline.folder / "connector.db").exists()
