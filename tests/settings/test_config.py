"""Settings: where they come from, what beats what, and what an error says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connector.checkpoints.address import Address
from connector.model.errors import ConfigurationError
from connector.settings import config

REQUIRED = """
[source]
dsn = "postgresql://oms.example/shop"
[redo]
store_id = "64e5a8a1af49a89df37e4ee7"
api_secret = "hush-hush-secret"
"""


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "c.toml"
    path.write_text(text)
    return str(path)


def problems(path: str | None = None) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        config.load(path)
    return {problem.where: f"{problem.what} | {problem.hint}" for problem in caught.value.problems}


def test_the_defaults_are_those_of_the_documentation(tmp_path: Path) -> None:
    settings = config.load(write(tmp_path, REQUIRED))
    assert settings.source.slot == "redo_connector"
    assert settings.source.statement_timeout == 30.0
    assert settings.mapping.ignore == ("updatedAt",)
    assert settings.redo.max_concurrency == 32
    assert settings.redo.requests_per_second is None
    assert settings.checkpoints.url.get_secret_value() == f"sqlite:///{tmp_path}/connector.db"
    assert settings.mapping.path == tmp_path / "mapping.sql"
    assert settings.reconcile.every == 86400.0
    assert (settings.status.host, settings.status.port) == ("127.0.0.1", 9464)


def test_the_environment_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_SOURCE__SLOT", "other")
    monkeypatch.setenv("CONNECTOR_REDO__REQUESTS_PER_SECOND", "12.5")
    monkeypatch.setenv("CONNECTOR_RECONCILE__EVERY", "90m")
    settings = config.load(write(tmp_path, REQUIRED + '\n[reconcile]\nevery = "1h"'))
    assert settings.source.slot == "other"
    assert settings.redo.requests_per_second == 12.5
    assert settings.reconcile.every == 5400.0


def test_everything_can_come_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from a file\n")
    monkeypatch.setenv("CONNECTOR_SOURCE__DSN", "postgresql://x/y")
    monkeypatch.setenv("CONNECTOR_REDO__STORE_ID", "s")
    monkeypatch.setenv("CONNECTOR_REDO__API_SECRET_FILE", str(secret))
    assert config.load().redo.api_secret.get_secret_value() == "from a file"


def test_the_settings_file_names_files_beside_it_and_the_environment_beats_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "token").write_text("from the file")
    text = REQUIRED.replace('api_secret = "hush-hush-secret"', 'api_secret_file = "token"')
    path = write(tmp_path / "deep", text)
    assert config.load(path).redo.api_secret.get_secret_value() == "from the file"
    (tmp_path / "deep" / "token").unlink()
    assert "can't be read" in problems(path)["redo.api_secret_file"]
    monkeypatch.setenv("CONNECTOR_REDO__API_SECRET", "from the environment")
    assert config.load(path).redo.api_secret.get_secret_value() == "from the environment"


def test_a_secret_that_is_given_twice_in_the_settings_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, REQUIRED + 'api_secret_file = "token"')
    assert "is given twice" in problems(path)["redo.api_secret_file"]


def test_further_stores_may_name_the_files_of_their_secrets(tmp_path: Path) -> None:
    (tmp_path / "second").write_text("hers")
    path = write(tmp_path, REQUIRED + '[redo.stores.5F1B9C]\napi_secret_file = "second"')
    assert config.load(path).redo.stores["5F1B9C"].api_secret.get_secret_value() == "hers"


def test_what_is_unused_need_not_be_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONNECTOR_REDO__STORES__5F1B9C__BASE_URL", "https://redo.example")
    bare = write(tmp_path, '[source]\ndsn = "dbname=shop"\n[redo.stores.other]\n[checkpoints]\nkeep = "payload"')
    unused = ("redo.store_id", "redo.api_secret", "checkpoints.payload_keys")
    assert set(config.load(bare, unused).redo.stores) == {"other", "5f1b9c"}
    assert "redo.stores.5f1b9c.api_secret" in problems(bare)


@pytest.mark.parametrize("name", ["", ":memory:", "folder/"])
def test_what_names_no_checkpoint_file_does_not_come_to_name_one(tmp_path: Path, name: str) -> None:
    settings = config.load(write(tmp_path, REQUIRED + f'[checkpoints]\nurl = "sqlite:///{name}"'))
    with pytest.raises(ConfigurationError):
        _ = Address(settings.checkpoints.url.get_secret_value()).path


def test_connector_config_names_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONNECTOR_CONFIG", write(tmp_path, REQUIRED))
    assert config.load().redo.store_id == "64e5a8a1af49a89df37e4ee7"


def test_in_a_folder_without_settings_one_problem_says_where_else_they_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CONNECTOR_")]:
        monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError) as caught:
        config.load()
    (problem,) = caught.value.problems
    assert (problem.where, f"there is none in {Path.cwd()}" in problem.what) == ("connector.toml", True)
    assert "--config" in problem.hint


def test_missing_settings_are_all_named_with_where_to_set_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_LOG__LEVEL", "info")
    found = problems()
    assert set(found) == {"source.dsn", "redo.store_id", "redo.api_secret"}
    assert "CONNECTOR_SOURCE__DSN_FILE" in found["source.dsn"]
    assert f"there is none in {Path.cwd()}" in found["redo.store_id"]


@pytest.mark.parametrize(
    ("line", "where", "suggestion"),
    [
        ('[redo]\napi_secrt = "x"', "redo.api_secrt", "redo.api_secret"),
        ("[sauce]\nx = 1", "sauce", "[source]"),
        ("[maping]\nx = 1", "maping", "[mapping]"),
        ('dsn = "dbname=shop"', "dsn", "below the line [source]"),
        ("[xyzzy]\nx = 1", "xyzzy", "docs/settings.md"),
        ("[status]\nprt = 1", "status.prt", "status.port"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_the_nearest(
    tmp_path: Path, line: str, where: str, suggestion: str
) -> None:
    assert suggestion in problems(write(tmp_path, line))[where]


@pytest.mark.parametrize(
    "text",
    ['[source]\ndsn = "host=db"\n[reddo]\nstore_id = "s"\napi_secret = "t"', REQUIRED.replace("store_id", "storeid")],
)
def test_what_is_only_misspelled_is_not_called_missing_too(tmp_path: Path, text: str) -> None:
    found = problems(write(tmp_path, text))
    assert [message.startswith("is not a setting") for message in found.values()] == [True]


def test_an_unknown_variable_is_an_error_that_names_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_REDO__STOREID", "x")
    found = problems(write(tmp_path, REQUIRED))
    assert "CONNECTOR_REDO__STORE_ID" in found["CONNECTOR_REDO__STOREID"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[source]\nstatement_timeout = "soon"', "source.statement_timeout"),
        ('[source]\ntimezone = "Mars/Olympus"', "source.timezone"),
        ('[source]\nslot = "Not A Slot"', "source.slot"),
        ("[redo]\nmax_concurrency = 0", "redo.max_concurrency"),
        ('[mapping]\nmissing = "explode"', "mapping.missing"),
    ],
)
def test_a_bad_value_is_named_by_key(tmp_path: Path, text: str, where: str) -> None:
    assert where in problems(write(tmp_path, text))


def test_cancelling_needs_the_payload_kept_and_keeping_it_needs_a_key(tmp_path: Path) -> None:
    assert (
        "checkpoints.keep" in problems(write(tmp_path, REQUIRED + '\n[mapping]\nmissing = "cancel"'))["mapping.missing"]
    )
    found = problems(write(tmp_path, REQUIRED + '\n[checkpoints]\nkeep = "payload"'))
    assert "sealed" in found["checkpoints.payload_keys"]


def test_broken_toml_names_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path, "[source\n")
    assert "line 1" in problems(path)[path]


def test_a_missing_file_is_named() -> None:
    assert "can't be read" in problems("nowhere.toml")["nowhere.toml"]


def test_no_value_of_a_setting_is_in_an_error_or_a_repr(tmp_path: Path) -> None:
    settings = config.load(write(tmp_path, REQUIRED))
    assert "hush-hush" not in repr(settings)
    bad = REQUIRED.replace("[source]", "[source]\nslot = 'hush-hush Slot'\n")
    with pytest.raises(ConfigurationError) as caught:
        config.load(write(tmp_path, bad.replace('store_id = "64e5a8a1af49a89df37e4ee7"', "store_id = 5")))
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("30s", 30.0), ("5m", 300.0), ("1d", 86400.0)])
def test_durations_have_units(tmp_path: Path, text: str, seconds: float) -> None:
    settings = config.load(write(tmp_path, REQUIRED.replace("[source]", f'[source]\nstatement_timeout = "{text}"')))
    assert settings.source.statement_timeout == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("10GB", 10 * 1024**3), ("512 MB", 512 * 1024**2), ("1.5kB", 1536), ("700", 700), ("none", None)]
)
def test_a_size_is_written_as_in_postgres(tmp_path: Path, text: str, size: int | None) -> None:
    settings = config.load(write(tmp_path, REQUIRED.replace("[source]", f'[source]\nwal_budget = "{text}"')))
    assert settings.source.wal_budget == size


def test_what_is_no_size_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"source\.wal_budget: not a size: write a number with kB, MB"):
        config.load(write(tmp_path, REQUIRED.replace("[source]", '[source]\nwal_budget = "10 gigs"')))


def test_an_exit_before_the_alarm_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"health\.exit_after: must not be shorter"):
        config.load(write(tmp_path, REQUIRED + '\n[health]\nexit_after = "30s"\n'))


def test_a_bound_can_be_switched_off_and_must_be_above_zero(tmp_path: Path) -> None:
    more = '\n[reconcile]\norders_per_second = "{0}"\n[guard]\nmax_orders = "{0}"\n'
    settings = config.load(write(tmp_path, REQUIRED + 'requests_per_second = "off"' + more.format("off")))
    assert settings.redo.requests_per_second is None
    assert settings.reconcile.orders_per_second is None
    assert settings.guard.max_orders is None
    found = problems(write(tmp_path, REQUIRED + more.format("0")))
    assert found.keys() == {"reconcile.orders_per_second", "guard.max_orders"}


PLAIN = {
    "redo.base_url": '[redo]\nbase_url = "http://gateway.example"',
    "redo.orders_url": '[redo]\norders_url = "http://10.0.0.7/orders"\nbase_url = "https://redo.example"',
    "redo.stores.second.base_url": '[redo.stores.second]\napi_secret = "s"\nbase_url = "http://[2001:db8::1]:8080"',
    "redo.stores.second.orders_url": '[redo.stores.second]\napi_secret = "s"\norders_url = "http://localhost.example/o"',
}


@pytest.mark.parametrize("key", PLAIN)
def test_an_http_address_of_another_machine_is_refused_unless_a_setting_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    text = f'source.dsn = "host=db"\n{PLAIN[key]}\n'
    monkeypatch.setenv("CONNECTOR_REDO__STORE_ID", "shop")
    monkeypatch.setenv("CONNECTOR_REDO__API_SECRET", "s")
    path = write(tmp_path, text)
    found = problems(path)
    assert list(found) == [key]
    assert "in clear" in found[key]
    assert "redo.allow_http" in found[key]
    monkeypatch.setenv("CONNECTOR_REDO__ALLOW_HTTP", "true")
    assert config.load(path).redo.allow_http


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:1",
        "http://redo.localhost",
        "http://127.8.9.1:9465",
        "http://[::1]:9",
        "http://[::ffff:127.0.0.1]",
    ],
)
def test_an_http_address_of_this_machine_is_fine(tmp_path: Path, url: str) -> None:
    text = f'[source]\ndsn = "host=db"\n[redo]\nstore_id = "shop"\napi_secret = "s"\nbase_url = "{url}"\n'
    assert config.load(write(tmp_path, text)).redo.base_url == url
