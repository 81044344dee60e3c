"""The mistakes of a first user: each is told in words that name what to do next."""

from __future__ import annotations

import shutil

import psycopg
import pytest

from tests.support.fixtures.cli import Cli, started
from tests.support.fixtures.postgres import MakeCluster


def test_paths_in_a_settings_file_are_relative_to_it(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> None:
    cli.set("mapping", path="mapping.sql")
    cli.set("checkpoints", url="sqlite:///state/connector.db")
    (cli.folder / "state").mkdir()
    assert cli("backfill").code == 0
    shop, cli.folder = cli.folder, tmp_path_factory.mktemp("elsewhere")
    assert (shop / "state" / "connector.db").exists()
    ran = cli("status", "--json", "--config", str(shop / "connector.toml"))
    assert ran.json["checkpoints"] == 6
    assert cli("explain", "--config", str(shop / "connector.toml")).code == 0
    assert list(cli.folder.glob("*.db*")) == []


def test_defaults_of_paths_are_beside_the_settings_file_too(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> None:
    shop, cli.folder = cli.folder, tmp_path_factory.mktemp("elsewhere")
    cli("status")  # writes the files there
    for name in ("connector.toml", "mapping.sql"):
        shutil.move(cli.folder / name, shop / name)
    assert cli("backfill", "--config", str(shop / "connector.toml")).code == 0
    assert (shop / "connector.db").exists()


def test_a_path_in_the_environment_is_relative_to_the_working_folder(
    cli: Cli, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cli("status")
    shop, cli.folder = cli.folder, tmp_path_factory.mktemp("elsewhere")
    (cli.folder / "other.sql").write_text("SELECT 1 AS id")
    ran = cli("explain", "--config", str(shop / "connector.toml"), env={"CONNECTOR_MAPPING__PATH": "other.sql"})
    assert "problem: other.sql" in ran.err


def test_a_secret_file_in_the_settings_is_relative_to_them(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = cli.settings["redo"].pop("api_secret")
    cli.set("redo", api_secret_file="secrets/api_secret")
    (cli.folder / "secrets").mkdir()
    (cli.folder / "secrets" / "api_secret").write_text(f"{secret}\n")
    shop, folder = cli.folder, tmp_path_factory.mktemp("elsewhere")
    assert cli("check").code == 0
    cli.folder = folder
    ran = cli("check", "--config", str(shop / "connector.toml"))
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "Ready: `redo-connector run` can start.")


def test_a_connector_with_another_store_is_told_from_none(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> None:
    daemon = started(cli)
    cli.folder = tmp_path_factory.mktemp("elsewhere")
    for verb in (["pause"], ["backfill"], ["dead-letters", "list"]):
        ran = cli(*verb)
        assert ran.code == 2, verb
        assert f"no connector uses {cli.folder / 'connector.db'}, but one with another store answers at " in ran.err
        assert "--config" in ran.err
    assert list(cli.folder.glob("connector.db*")) == []
    assert "but one with another store answers" in cli("status").err
    assert daemon.stop() == 0


@pytest.mark.parametrize("verb", ["explain", "grants", "preview"])
def test_a_verb_that_only_looks_needs_no_secret(cli: Cli, verb: str) -> None:
    del cli.settings["redo"]["api_secret"]
    assert cli(verb).code == 0


@pytest.mark.parametrize("verb", [["status"], ["dead-letters", "list"], ["approve", "--list"]])
def test_what_only_looks_into_the_store_needs_neither_database_nor_redo(cli: Cli, verb: list[str]) -> None:
    assert cli("backfill").code == 0
    del cli.settings["source"]
    del cli.settings["redo"]
    assert "is required" not in cli(*verb).err


def test_run_says_where_else_a_forgotten_secret_may_be(cli: Cli) -> None:
    del cli.settings["redo"]["api_secret"]
    ran = cli("run")
    assert ran.code == 2
    assert "redo.api_secret: is required" in ran.err
    assert "CONNECTOR_REDO__API_SECRET_FILE" in ran.err
    assert "redo.api_secret_file" in ran.err


def test_missing_settings_say_where_a_file_was_looked_for(offline: Cli) -> None:
    offline("sandbox", "--help")
    (offline.folder / "empty").mkdir()
    offline.folder = offline.folder / "empty"
    ran = offline("run", "--config", "connector.tmol")
    assert f"it was looked for in {offline.folder}" in ran.err


def test_a_mapping_that_is_not_there_says_where_it_was_looked_for(cli: Cli) -> None:
    cli.set("mapping", path="maping.sql")
    assert f"it was looked for in {cli.folder}" in cli("explain").err


def test_files_with_a_byte_order_mark_are_read(cli: Cli) -> None:
    cli("status")
    marked = cli.folder / "marked.toml"
    marked.write_bytes(b"\xef\xbb\xbf" + (cli.folder / "connector.toml").read_bytes())
    cli.mapping = "\ufeff" + cli.mapping
    assert cli("explain", "--config", str(marked)).code == 0


def test_a_file_in_utf_16_is_named_as_such(cli: Cli) -> None:
    cli("status")
    for name, option in (("wide.toml", "--config"), ("wide.sql", "--mapping")):
        for encoding in ("utf-16", "utf-16-le"):  # with a byte order mark, and without one
            wide = cli.folder / name
            wide.write_text("SELECT 1", encoding=encoding)
            ran = cli("preview", option, str(wide))
            assert ran.code == 2
            assert f"{wide}: is saved as UTF-16, not as UTF-8\n    save it as UTF-8" in ran.err


@pytest.mark.parametrize("arguments", [["explain"], ["init", "--output-dir", "starter", "--dsn", "{dsn}"]])
def test_a_missing_password_has_a_hint_of_its_own(
    offline: Cli, make_cluster: MakeCluster, arguments: list[str]
) -> None:
    server = make_cluster()
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute("CREATE ROLE clerk LOGIN PASSWORD 'unknown to us'")
    server.stop()
    (server.data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    server.start()
    dsn = server.dsn(user="clerk")
    offline.set("source", dsn=dsn)
    ran = offline(*(each.format(dsn=dsn) for each in arguments), env={"PGPASSFILE": str(offline.folder / "none")})
    assert ran.code == 2
    assert "no password supplied" in ran.err
    for name in ("PGPASSWORD", "PGPASSFILE", "CONNECTOR_SOURCE__DSN_FILE"):
        assert name in ran.err


def test_an_empty_token_file_is_named(cli: Cli) -> None:
    empty = cli.folder / "token"
    empty.write_text("\n")
    ran = cli("run", env={"CONNECTOR_REDO__API_SECRET_FILE": str(empty)})
    assert ran.code == 2
    assert "CONNECTOR_REDO__API_SECRET_FILE: names an empty file" in ran.err
    assert str(empty) in ran.err


@pytest.mark.parametrize("content", [None, b"gl\xfcck"])
def test_a_token_file_that_cannot_be_read_is_one_problem(cli: Cli, content: bytes | None) -> None:
    named = cli.folder / "token"
    if content is not None:
        named.write_bytes(content)
    ran = cli("run", env={"CONNECTOR_REDO__API_SECRET_FILE": str(named)})
    assert ran.code == 2
    assert [line.split(": ")[1] for line in ran.err.splitlines() if line.startswith("problem")] == [
        "CONNECTOR_REDO__API_SECRET_FILE"
    ]
    assert ("check the path" in ran.err, "save it as UTF-8" in ran.err) == (content is None, content is not None)


def test_a_misspelled_section_is_told_with_the_nearest(offline: Cli) -> None:
    offline.set("maping", path="mapping.sql")
    ran = offline("explain")
    assert ran.code == 2
    assert "maping: is not a setting\n    did you mean [mapping]?" in ran.err
