"""The schema of connector.toml that editors read: it says what the connector itself would say."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import jsonschema_rs
import pytest

from connector.model.errors import ConfigurationError
from connector.settings import config
from connector.settings.json_schema import json_schema
from tests.docs import walkthrough
from tests.support.fixtures.cli import ROOT, Cli

SCHEMA = json_schema()


def fits(written: str) -> bool:
    return jsonschema_rs.Draft7Validator(SCHEMA).is_valid(tomllib.loads(written))


def table(key: str) -> dict[str, Any]:
    section, _, _ = key.partition(".")
    found: dict[str, Any] = SCHEMA["properties"][section]
    return found


def test_it_is_a_schema_of_draft_7() -> None:
    jsonschema_rs.meta.validate(SCHEMA)


def test_every_setting_is_in_it_and_no_other_with_its_default() -> None:
    written = {f"{name}.{key}" for name, section in SCHEMA["properties"].items() for key in section["properties"]}
    known = set(config.known_keys())
    assert written >= known
    assert {key.removesuffix("_file") for key in written} == known
    for key in known:
        made = table(key)["properties"][key.partition(".")[2]]
        if "default" in made:
            assert jsonschema_rs.Draft7Validator(made).is_valid(made["default"]), key
        assert "**" not in str(made)


@pytest.mark.parametrize("page", ["docs/settings.md", "docs/mapping-guide.md", "docs/hosting.md", "docs/operations.md"])
def test_the_settings_of_the_documentation_fit(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert [block for block in blocks if not fits(block)] == []


def test_the_guide_has_settings_that_are_tried() -> None:
    page = (ROOT / "docs" / "mapping-guide.md").read_text(encoding="utf-8")
    assert fits(next(block.text for block in walkthrough.blocks(page) if block.file == "connector.toml"))


BASE = {"source": 'dsn = "dbname=shop"', "redo": 'store_id = "s"\napi_secret = "t"'}

LINES = {
    "source": [
        *("statement_timeout = '500ms'", "statement_timeout = 30", "statement_timeout = 'soon'"),
        *(
            "wal_budget = '10gb'",
            "wal_budget = '10 GB'",
            "wal_budget = 'off'",
            "wal_budget = '10 cats'",
            "slot = 'Big'",
        ),
        *("manage = false", "manage = 'perhaps'", "on_slot_loss = 'stop'", "on_slot_loss = 'panic'"),
    ],
    "mapping": ["missing = 'delete'", "missing = 'forget'", "ignore = ['a']", "ignore = [1]", "pth = 'm.sql'"],
    "redo": [
        *("max_concurrency = 0", "max_concurrency = 8", "requests_per_second = 'off'", "requests_per_second = 'many'"),
        *("base_url = 'ftp://x'", "base_url = 'https://x'", "stores.b.api_secret = 't'", "stores.b.secret = 't'"),
    ],
    "checkpoints": ["url = 'sqlite:///c.db'", "kept = 'payload'"],
    "reconcile": ["every = 'off'", "every = '24h'", "every = 'daily'"],
    "guard": ["max_share = 0.5", "max_share = 2", "max_orders = 'none'", "max_orders = 'ten'"],
    "status": ["port = 70000", "port = 0", "hosts = ['a']"],
    "health": ["exit_after = 'never'", "exit_after = '-1s'"],
    "log": ["level = 'debug'", "level = 'loud'"],
}


def file_with(section: str, line: str) -> str:
    tables = BASE | {section: f"{BASE.get(section, '')}\n{line}"}
    return "\n".join(f"[{name}]\n{text}" for name, text in tables.items())


@pytest.mark.parametrize(("section", "line"), [(section, line) for section, lines in LINES.items() for line in lines])
def test_it_takes_what_the_connector_takes_and_refuses_what_it_refuses(
    section: str, line: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in config.environment() if name.startswith("CONNECTOR_")]:
        monkeypatch.delenv(name)
    written = file_with(section, line)
    file = tmp_path / "connector.toml"
    file.write_text(written)
    try:
        config.load(str(file))
        taken = True
    except ConfigurationError:
        taken = False
    assert fits(written) is taken


def test_a_value_may_be_given_as_a_file_and_that_is_proposed_for_secrets() -> None:
    assert fits('[redo]\napi_secret_file = "secrets/api_secret"\n[redo.stores.b]\napi_secret_file = "b"')
    assert fits('[log]\nlevel_file = "level"')
    assert "api_secret_file" in table("redo.")["properties"]
    assert "level_file" not in table("log.")["properties"]


def test_nothing_is_required_because_the_environment_may_give_it() -> None:
    assert fits("")
    assert fits("[redo]\n[redo.stores.b]")


def test_the_command_prints_it_without_settings(offline: Cli) -> None:
    ran = offline("settings-schema", env={"CONNECTOR_CONFIG": "missing.toml"})
    assert (ran.code, ran.json) == (0, SCHEMA)
