"""Databases that aren't in UTF-8: keys keep their bytes, nothing stops the stream, and only text reaches Redo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.charset import CODECS, Charset, known_fallback
from connector.model.orders import OrderKey
from connector.projection import Projection
from connector.sandbox.server import SandboxServer
from connector.wiring import factories
from tests.support.fixtures.connector import Rig
from tests.support.fixtures.postgres import Database
from tests.support.oms.minimal_mapping import encoded_database, mapping

charsets = st.sampled_from(sorted(CODECS.values())).map(Charset)
LOOKALIKES = st.text(st.characters(min_codepoint=0xEF70, max_codepoint=0xF010)).map(str.encode)


@given(charsets, st.binary() | LOOKALIKES)
def test_any_bytes_come_back_and_every_store_takes_their_text(charset: Charset, raw: bytes) -> None:
    text = charset.read(raw)
    assert text.encode().decode() == text
    assert charset.write(text) == raw


@given(charsets, st.binary() | LOOKALIKES, st.binary() | LOOKALIKES)
def test_different_bytes_never_read_alike(charset: Charset, one: bytes, other: bytes) -> None:
    assert (charset.read(one) == charset.read(other)) == (one == other)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_in_utf8_reaches_documents_as_it_is(text: str) -> None:
    charset = Charset("utf-8", "cp1252")
    assert charset.document(charset.read(text.encode())) == text


def test_what_is_no_text_is_read_by_the_fallback_or_marked_so_that_nobody_takes_it() -> None:
    raw = "größe ".encode() + b"caf\xe9 \x81"
    text = Charset("utf-8").read(raw)
    assert Charset("utf-8", "cp1252").document(text) == "größe café \udc81"
    assert Charset("utf-8", "latin-1").document(text) == "größe café \x81"
    with pytest.raises(UnicodeEncodeError):
        Charset("utf-8").document(text).encode()


def test_only_encodings_of_one_byte_a_character_are_fallbacks() -> None:
    assert all(map(known_fallback, ["windows-1252", "latin-1", "ISO-8859-15", "koi8-r"]))
    assert not any(map(known_fallback, ["utf-8", "shift_jis", "klingon", "hex"]))


CONVERT = """
CREATE FUNCTION pg_temp.utf8(raw bytea, encoding text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN RETURN convert_from(raw, encoding); EXCEPTION WHEN others THEN RETURN NULL; END $$
"""


def test_pythons_tables_are_the_servers(database: Database) -> None:
    with database.connect() as conn:
        conn.execute(CONVERT)
        for name, codec in CODECS.items():
            if name == "SQL_ASCII":
                continue
            raws = [bytes([byte]) for byte in range(0x80, 0x100)]
            query = "SELECT pg_temp.utf8(raw, %s) FROM unnest(%s::bytea[]) WITH ORDINALITY AS b(raw, n) ORDER BY n"
            theirs = [text for (text,) in conn.execute(query, (name, raws))]
            ours = [Charset(codec).document(Charset(codec).read(raw)) for raw in raws]
            differ = [
                (raw, their, our)
                for raw, their, our in zip(raws, theirs, ours, strict=True)
                if their is not None and their != our
            ]
            assert differ == [], name


DDL = """
CREATE TABLE orders (id text PRIMARY KEY, no int, vip text, name text, remark text);
CREATE TABLE item (order_id text, line int, sku text, PRIMARY KEY (order_id, line));
CREATE TABLE vip (code text PRIMARY KEY, words text);
"""
MAPPING = mapping(
    "o.no::text AS id, v.words AS sales_channel",
    "orders o LEFT JOIN vip v ON v.code = o.vip -- order_key: public.orders(id)\n",
    customer="jsonb_build_object('email', 'a@shop.example', 'first_name', o.name, 'last_name', 'Byron')",
    items="(SELECT jsonb_agg(jsonb_build_object('id', o.no || '-' || i.line, 'product_id', 'p', 'sku', 's', 'title',"
    " i.sku, 'quantity', 1, 'price_set', 1) ORDER BY i.line) FROM item i WHERE i.order_id = o.id)",
)
DAMAGED = r"E'K\xe9\x81'"
ROWS = rf"""
INSERT INTO vip VALUES ('plain', 'web'), (E'g\xfc\x81', 'gold');
INSERT INTO orders VALUES ('plain', 1, 'plain', 'Ann', NULL), ({DAMAGED}, 2, E'g\xfc\x81', 'Eve', E'never read: \x81');
INSERT INTO item VALUES ('plain', 1, 'mug'), ({DAMAGED}, 1, 'cup');
"""


class Encoded:
    """A rig in front of a database in one encoding, talked to in bytes."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.rig.dsn, autocommit=True) as conn:
            encoding = conn.info.parameter_status("server_encoding")
            conn.execute(f"SET client_encoding = {encoding}".encode())
            conn.execute(statement.encode("ascii"))

    def order(self, number: str) -> Any:
        return self.rig.stored()[number]


@pytest.fixture(params=["SQL_ASCII", "WIN1252", "LATIN1"])
async def encoded(
    request: pytest.FixtureRequest, database: Database, sandbox: SandboxServer, tmp_path: Path
) -> AsyncIterator[Encoded]:
    with encoded_database(database.cluster, f"{database.name}_encoded", request.param) as made:
        rig = Rig(made, sandbox, tmp_path, MAPPING)
        found = Encoded(rig)
        found.execute(DDL + ROWS)
        yield found
        await rig.stop()


async def test_keys_and_routed_columns_of_any_bytes_lead_to_their_orders(encoded: Encoded) -> None:
    rig = encoded.rig
    await rig.start()
    await rig.quiet()
    assert set(rig.stored()) == {"1", "2"}
    encoded.execute(f"UPDATE item SET sku = 'can' WHERE order_id = {DAMAGED}")
    await rig.quiet()
    assert encoded.order("2")["lineItems"][0]["title"] == "can"
    encoded.execute(r"UPDATE vip SET words = 'silver' WHERE code = E'g\xfc\x81'")
    await rig.quiet()
    assert encoded.order("2")["salesChannel"] == "silver"
    encoded.execute(f"INSERT INTO item VALUES ({DAMAGED}, 2, 'lid'), (E'\\xe9\\x81', 1, 'of no order')")
    encoded.execute(f"DELETE FROM item WHERE order_id = {DAMAGED} AND line = 1")
    await rig.quiet()
    assert [item["title"] for item in encoded.order("2")["lineItems"]] == ["lid"]
    moved = r"E'\x81\\\"moved'"
    encoded.execute(f"UPDATE orders SET id = {moved} WHERE no = 2; DELETE FROM item WHERE order_id = {DAMAGED}")
    encoded.execute(f"INSERT INTO item VALUES ({moved}, 7, 'pot')")
    await rig.quiet()
    tally = await rig.tally()
    assert tally.checkpoints - tally.missing == 2
    assert [item["title"] for item in encoded.order("2")["lineItems"]] == ["pot"]


async def test_a_sweep_over_keys_of_any_bytes_finds_every_order_once(encoded: Encoded) -> None:
    rig = encoded.rig
    encoded.execute(
        "INSERT INTO orders SELECT 'k' || n || chr(1), n, NULL, 'Ann' FROM generate_series(10, 40) n;"
        "INSERT INTO item SELECT id, 1, 'mug' FROM orders WHERE no >= 10"
    )
    await rig.start()
    await rig.quiet()
    assert len(rig.stored()) == 33
    key = next(key for key in await rig.running.pipeline.ports.store.page_checkpoints(None, 100) if key[0] == "K")
    reading = await rig.running.pipeline.ports.assembler.assemble([key])
    assert [row.document()["id"] for row in reading.rows[key]] == ["2"]
    assert OrderKey(key.encode().decode()) == key


@pytest.mark.parametrize("encoded", ["SQL_ASCII", "WIN1252"], indirect=True)
async def test_bytes_that_are_no_text_make_one_dead_letter_and_a_fallback_reads_them(encoded: Encoded) -> None:
    rig = encoded.rig
    encoded.execute(r"UPDATE orders SET name = E'Jos\xe9 \x81' WHERE no = 1")
    await rig.start()
    await rig.quiet()
    assert set(rig.stored()) == {"2"}
    [letter] = await rig.running.pipeline.ports.store.dead_letters(None, 10)
    assert "customer.firstName: holds bytes that are no text in the database's encoding" in letter.message
    assert "Jos" not in letter.message
    await rig.stop()
    rig.overrides["source"] = {"fallback_encoding": "latin-1"}
    rig.overrides["backfill"] = {"on_start": "always"}
    await rig.start()
    await rig.quiet()
    assert encoded.order("1")["customer"]["firstName"] == "José \x81"
    projection = rig.running.projection
    assert isinstance(projection, Projection)
    made = factories.assembler_for_a_person(rig.settings(), projection)
    async with aclosing(made):
        [seen] = (await made.assemble([letter.key])).rows[letter.key]
    assert seen.document()["customer"]["first_name"] == "José \x81", "a person who looks at it sees the same"


@pytest.mark.parametrize("encoded", ["LATIN1", "WIN1252"], indirect=True)
async def test_text_of_the_encoding_reaches_redo_as_itself(encoded: Encoded) -> None:
    encoded.execute(r"UPDATE orders SET name = E'Jos\xe9' WHERE no = 1")
    encoded.rig.mapping = MAPPING.replace("'Byron'", "'Müller'")
    await encoded.rig.start()
    await encoded.rig.quiet()
    customer = encoded.order("1")["customer"]
    assert (customer["firstName"], customer["lastName"]) == ("José", "Müller")
