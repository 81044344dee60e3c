"""Expressions that conditions compare: what is asked for instead of them, and with which index."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from connector.projection import Projection, load
from connector.projection.analysis.terms import readable
from tests.projection.cases import ACCEPTED, Case, shop, shop_template
from tests.support.fixtures.postgres import Database

__all__ = ["shop", "shop_template"]

TEXTS = (
    *(
        "1",
        "+1",
        "-1",
        " 1",
        "1 ",
        "\t1\n",
        "00012",
        "- 1",
        "1 2",
        "",
        " ",
        "+",
        "x",
        "1x",
        "1.0",
        "1e3",
        "\uff11",
        "\u00a01",
    ),
    *("32767", "32768", "-32768", "-32769", "2147483647", "2147483648", "-2147483648", "-2147483649", "1" * 400),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"),
    *("550e8400-e29b-41d4-a716-446655440000", "550E8400E29B41D4A716446655440000", "550e-8400e29b41d4a716446655440000"),
    *("{550e8400-e29b-41d4-a716-446655440000}", "{550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716"),
    *(
        "550e8400-e29b-41d4-a716-446655440000-",
        "-550e8400-e29b-41d4-a716-446655440000",
        "550e8400--e29b41d4a716446655440000",
    ),
)
OF_LATER_VERSIONS = ("0x1F", "0x", "0xG", "0b101", "0b2", "0o17", "0o8", "1_000", "1__0", "_1", "1_", "0x_1", "-0x8000")


@pytest.mark.parametrize("target", ["int2", "int4", "int8", "uuid"])
def test_a_text_is_cast_as_the_server_casts_it_and_one_that_it_refuses_is_null(
    target: str, shop_template: Database
) -> None:
    with shop_template.connect() as connection:
        texts = TEXTS + (OF_LATER_VERSIONS if connection.info.server_version >= 160000 else ())
        ours = readable("%s::text", target).format()
        for text in texts:
            row = connection.execute(f"SELECT ({ours})::text", [text] * ours.count("%s")).fetchone()
            assert row == (_cast(connection, text, target),), repr(text)


def _cast(connection: psycopg.Connection[Any], text: str, target: str) -> str | None:
    try:
        row = connection.execute(f"SELECT %s::text::{target}::text", [text]).fetchone()
    except psycopg.DataError:
        return None
    return str(row[0]) if row is not None else None


async def loaded(case: Case, dsn: str) -> Projection:
    return await load(case.text, path="mapping.sql", read_dsn=dsn, timezone="UTC", statement_timeout_ms=10_000)


@pytest.mark.parametrize(
    "case", [case for case in ACCEPTED if case.name.startswith(("expression_", "array_"))], ids=lambda case: case.name
)
async def test_the_index_that_is_asked_for_serves_the_lookup(case: Case, shop: Database) -> None:
    projection = await loaded(case, shop.dsn)
    wanted = [use for use in projection.uses if use.route.lookup is not None]
    advice = {use["reverse_sql"]: use["create_index"] for use in _explained(projection)}
    with shop.connect() as connection:
        for statement in {each for statements in advice.values() for each in statements}:
            connection.execute(statement)
        connection.execute("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
        for use in wanted:
            lookup = use.route.lookup
            assert lookup is not None
            if not advice[lookup.sql]:
                continue
            arrays = ", ".join("'{}'::text[]" for _ in lookup.value_types)
            types = ", ".join("text[]" for _ in lookup.value_types)
            connection.execute(f"PREPARE looked ({types}) AS {lookup.sql}")
            plan = connection.execute(f"EXPLAIN (FORMAT JSON) EXECUTE looked ({arrays})").fetchone()
            connection.execute("DEALLOCATE looked")
            assert plan is not None
            assert "Seq Scan" not in json.dumps(plan[0]), lookup.sql
    again = await loaded(case, shop.dsn)
    assert all(use["indexed"] for use in _explained(again) if advice[use["reverse_sql"]]), "the index isn't recognised"


def _explained(projection: Projection) -> list[dict[str, Any]]:
    return [use for table in projection.explain()["tables"] for use in table["uses"]]
