"""Settings that can't be read: each is a configuration error which names the setting, and quotes nothing of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connector.model.errors import ConfigurationError, Problem
from connector.settings import config
from connector.settings.sources import env_name, read_toml

SECRET = "hush-hush-4711"
NEEDED = {"source.dsn": "postgresql://127.0.0.1:1/x", "redo.store_id": "shop", "redo.api_secret": SECRET}
STRUCTURED = sorted(config.structured_keys())
BROKEN_JSON = [
    '{"shop2": {"api_secret": "' + SECRET + '"',
    "[" + SECRET + "]",
    "[" * 3000,
    '{"a":' * 3000,
    "9" * 5000,
    "x" * 1_000_000,
]
ODD = [
    *BROKEN_JSON,
    "\udcff",
    "NaN",
    "inf",
    "-1",
    "1e999999",
    "1e3000s",
    "9" * 400,
    "9" * 400 + "TB",
    "\u202e\u200b",
    "\x1b[2J",
    "\n",
    "null",
    '["\\ud800"]',
    '["\\u0000"]',
    '{"\\ud800": {"api_secret": "' + SECRET + '"}}',
    "%ff",
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith("CONNECTOR_"):
            monkeypatch.delenv(name)
    for key, value in NEEDED.items():
        monkeypatch.setenv(env_name(key), value)
    monkeypatch.chdir(tmp_path)


def refused(path: str | None = None) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as caught:
        config.load(path)
    assert SECRET not in str(caught.value)
    assert len(str(caught.value)) < 2000
    return caught.value.problems


def test_the_structured_settings_are_the_lists_and_tables() -> None:
    assert STRUCTURED == [
        "contract.rules",
        "mapping.filtered_tables",
        "mapping.ignore",
        "mapping.sweep_tables",
        "redo.stores",
        "status.hosts",
    ]


@pytest.mark.parametrize("key", STRUCTURED)
@pytest.mark.parametrize("text", BROKEN_JSON, ids=range(len(BROKEN_JSON)))
def test_broken_json_in_a_variable_is_named_with_the_place_of_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, key: str, text: str
) -> None:
    monkeypatch.setenv(env_name(key), text)
    (problem,) = refused()
    assert problem.where == env_name(key)
    assert "JSON" in problem.what
    assert "single quotes" in problem.hint


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in STRUCTURED:
        monkeypatch.setenv(env_name(key), "{")
    monkeypatch.setenv("CONNECTOR_REDO__TIMEOUT", "soon")
    assert {problem.where for problem in refused()} == {*map(env_name, STRUCTURED), "redo.timeout"}
    assert "at character 2 of 1" in str(refused()[0])


@pytest.mark.parametrize("key", sorted(config.known_keys()))
def test_odd_text_in_any_variable_is_taken_or_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    for text in ODD:
        monkeypatch.setenv(env_name(key), text)
        said = ""
        try:
            config.load()
        except ConfigurationError as error:
            said = str(error)
        assert not said or key in said or env_name(key) in said
        assert SECRET not in said
        assert len(said) < 2000


@pytest.mark.parametrize("key", sorted(config.known_keys()))
def test_bytes_that_are_no_text_are_refused_in_every_variable(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv(env_name(key), "postgresql://\udcff")
    assert (env_name(key), "holds bytes that are no text in UTF-8") in {(one.where, one.what) for one in refused()}


@pytest.mark.parametrize("key", ["redo.timeout", "source.statement_timeout", "health.exit_after", "guard.removal_wait"])
def test_a_time_that_no_clock_counts_to_is_refused(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    for text in ("9" * 400, "9" * 30 + "d", "1e300"):
        monkeypatch.setenv(env_name(key), text)
        assert key in {problem.where for problem in refused()}


@pytest.mark.parametrize(
    "text",
    [
        b"a = " + b"[" * 3000,
        b"a = " + b'{"a" = ' * 3000,
        b"a = " + b"9" * 5000,
        b"a = '\xff'",
        b"a = '\x00'",
        b"[redo]\nstore_id = '" + SECRET.encode() + b"\n",
        b"\xfe\xff",
        b"x" * 1_000_000,
    ],
    ids=range(8),
)
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "odd.toml"
    file.write_bytes(text)
    (problem,) = refused(str(file))
    assert problem.where == str(file)
    with pytest.raises(ConfigurationError):
        read_toml(file)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[source]\ndsn = "a\\u0000b"', "source.dsn"),
        ('[mapping]\nignore = ["a", "b\\u0000"]', "mapping.ignore"),
        ('[redo.stores."a\\u0000"]\napi_secret = "x"', "redo.stores.a\ufffd"),
        ('[checkpoints]\nurl = "sqlite:///\\u0000"', "checkpoints.url"),
    ],
)
def test_a_zero_byte_in_the_file_is_refused_by_the_setting_that_has_it(tmp_path: Path, text: str, where: str) -> None:
    file = tmp_path / "odd.toml"
    file.write_text(text)
    assert (where, "holds a zero byte or half a character") in {(one.where, one.what) for one in refused(str(file))}


@pytest.mark.parametrize("content", [b"\xff", b"a\0b", b"\xed\xa0\x80"])
def test_a_secret_file_that_is_no_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / "secret").write_bytes(content)
    monkeypatch.delenv("CONNECTOR_REDO__API_SECRET")
    monkeypatch.setenv("CONNECTOR_REDO__API_SECRET_FILE", str(tmp_path / "secret"))
    assert any("api_secret" in problem.where.lower() for problem in refused())


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("CONNECTOR_REDO__STORES", r'{"a\ud800b": {"api_secret": "x"}}', "redo.stores.a\ufffdb"),
        ("CONNECTOR_REDO__STORES", r'{"a\u0000b": {"api_secret": "x"}}', "redo.stores.a\ufffdb"),
        ("CONNECTOR_REDO__STORES", '{"": {"api_secret": "x"}}', "redo.stores"),
        ("CONNECTOR_STATUS__HOSTS", r'["\ud800"]', "status.hosts"),
        ("CONNECTOR_STATUS__HOSTS", r'["a\u0000"]', "status.hosts"),
    ],
)
def test_what_json_in_the_environment_spells_is_looked_through_like_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for required, given in (("SOURCE__DSN", "host=db"), ("REDO__STORE_ID", "s"), ("REDO__API_SECRET", "t")):
        monkeypatch.setenv(f"CONNECTOR_{required}", given)
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        config.load()
    assert [problem.where for problem in caught.value.problems] == [where]
