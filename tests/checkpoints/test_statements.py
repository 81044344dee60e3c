"""A statement is written once and put into the words of each engine."""

from __future__ import annotations

import re
from pathlib import Path

import connector.checkpoints
from connector.checkpoints.statements import PARKED, script, statements, tables


def test_rows_are_arrays_in_postgres_and_parameters_in_sqlite() -> None:
    name, where = "line_item_remove", "WHERE (line, key) IN (SELECT {}, {}{})"
    arrays = "\nFROM unnest(%(line)s::bigint[], %(key)s::text[]) AS rows (line, key)"
    assert statements("sqlite")[name].text == f"DELETE FROM line_item {where.format('?1', '?2', '')}"
    assert statements("postgres")[name].text == (
        f"DELETE FROM line_item {where.format('rows.line', 'rows.key', arrays)}"
    )


def test_a_statement_is_written_for_each_of_its_tables_by_their_columns() -> None:
    assert statements("sqlite")["payload_put"].text == (
        "INSERT INTO payload (key, store_id, order_id, sealed) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (key, store_id, order_id) DO UPDATE SET sealed = excluded.sealed"
    )
    assert statements("sqlite")["payload_give_way"].text == (
        "DELETE FROM payload\nWHERE payload.key = ?2 AND (store_id, order_id)"
        " IN (SELECT store_id, order_id FROM payload WHERE key = ?1)"
    )
    assert statements("sqlite")["line_item_of"].text.startswith("SELECT line, key FROM line_item WHERE key IN")


def test_a_column_has_one_type_in_all_tables() -> None:
    found = re.findall(r"^  (\w+) +([a-z]\w+)", script("schema.sql"), re.MULTILINE)
    assert len({name for name, _ in found}) == len(set(found)) > 50


def test_a_list_is_an_array_in_postgres_and_a_json_text_in_sqlite() -> None:
    assert statements("postgres")["dead_letter_forget"].text == "DELETE FROM dead_letter WHERE key = ANY (%(keys)s)"
    assert statements("sqlite")["dead_letter_forget"].text == (
        "DELETE FROM dead_letter WHERE key IN (SELECT value FROM json_each(?1))"
    )


def test_tables_are_written_in_the_words_of_both_engines_and_made_in_those_of_one() -> None:
    in_sqlite, in_postgres = tables("schema.sql", "sqlite"), tables("schema.sql", "postgres")
    assert "leftover (\n  key      text NOT NULL,\n" in in_sqlite
    assert 'leftover (\n  key      text COLLATE "C" NOT NULL,\n' in in_postgres
    assert "id   integer PRIMARY KEY,\n" in in_sqlite
    assert "id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n" in in_postgres
    assert "number    integer PRIMARY KEY AUTOINCREMENT,\n" in in_sqlite
    assert "fillfactor" not in in_sqlite
    assert "WITHOUT" not in re.sub("^--.*", "", in_postgres, flags=re.MULTILINE)


def test_columns_like_another_tables_are_written_out_for_sqlite() -> None:
    columns = "line integer NOT NULL,\n  key text NOT NULL"
    key = "PRIMARY KEY (endpoint, line, key)"
    made = re.sub(r"\s+", " ", tables("schema.sql", "sqlite"))
    wanted = f"CREATE TABLE parked_line_item ( endpoint integer NOT NULL, {columns}, {key} ) WITHOUT ROWID;"
    assert re.sub(r"\s+", " ", wanted) in made


def test_every_statement_is_run_by_somebody() -> None:
    folder = Path(connector.checkpoints.__file__).parent
    source = "\n".join(file.read_text(encoding="utf-8") for file in folder.rglob("*.py"))
    named = set(re.findall(r'"([a-z_]+)"', source))
    patterns = re.findall(r'f"\{table\}(_[a-z_]+)"', source)
    named |= {f"{table}{end}" for table in (*PARKED, "warning") for end in patterns}
    assert (statements("sqlite").keys() | statements("postgres").keys()) <= named
