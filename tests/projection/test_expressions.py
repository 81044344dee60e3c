"""Expressions that conditions compare: what is asked for instead of them, and with which index."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from connector.model.changes import Changes, Operation, TableName
from connector.model.errors import ConfigurationError
from connector.model.orders import Lookup
from connector.projection import Assembler, Projection, load
from connector.projection.analysis.values.terms import readable
from tests.projection.cases import ACCEPTED, Case, one_in, shop, shop_template
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
BY_INDEX = ("expression_", "printed_", "array_", "recursive_", "mixed_", "coalesce_")
"""Begin the names of cases whose lookups need an index."""
NONE_TO_MAKE = (
    *("expression_of_an_enum", "expression_cast_that_may_fail", "expression_cast_behind_a_filter"),
    *("recursive_casts_of_all",),
    *("array_json_of_the_changed_row", "recursive_by_moving_column"),
    *("recursive_numbers", "recursive_of_own_lines"),
)
"""Cases of expressions that no index may be on, and of those that have theirs."""
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


@pytest.mark.parametrize("case", one_in(2, [case for case in ACCEPTED if case.name.startswith(BY_INDEX)]))
async def test_the_index_that_is_asked_for_serves_the_lookup(case: Case, shop: Database) -> None:
    assembler = await assembler_of(case.text, shop)
    try:
        asked = {read.hint for read in (await assembler.plans()).whole_reads if read.why == "no index"}
        made = {hint for hint in asked if hint.startswith("CREATE ")}
        with shop.connect() as connection:
            for statement in made:
                connection.execute(statement)
        again = {read.hint for read in (await assembler.plans()).whole_reads}
    finally:
        await assembler.aclose()
    assert again == asked - made
    assert bool(made) == (case.name not in NONE_TO_MAKE)


async def assembler_of(text: str, shop: Database) -> Assembler:
    projection = await load(text, path="mapping.sql", read_dsn=shop.dsn, timezone="UTC", statement_timeout_ms=10_000)
    return Assembler(projection, read_dsn=shop.dsn, statement_timeout_ms=10_000)


async def test_a_null_that_coalesce_makes_something_of_leads_to_orders(shop: Database) -> None:
    with shop.connect() as connection:
        connection.execute("INSERT INTO shop.web_order (id, email) VALUES (1, 'none'), (2, ''), (3, 'a@x'), (4, NULL)")
    text = (
        "SELECT o.id, n.body FROM shop.web_order o LEFT JOIN shop.member_note n ON coalesce(n.email, 'none') = o.email"
    )
    assembler = await assembler_of(text, shop)
    try:
        note = TableName("shop", "member_note")
        assert set(assembler.projection.routes.interest[note]) == {"id", "email"}
        at = assembler.projection.routes.interest[note].index("email")
        led = {}
        for value in (None, "", "a@x", "="):
            image = tuple(value if place == at else "7" for place in range(2))
            affected = assembler.projection.routes.affected(Changes(note, Operation.INSERT, 1, (image,)))
            led[value] = (await assembler.resolve(list(affected.lookups), None, 10)).keys
    finally:
        await assembler.aclose()
    assert led == {None: ("1",), "": ("2",), "a@x": ("3",), "=": ()}


async def test_a_value_that_an_expression_fails_for_leads_to_all_orders(shop: Database) -> None:
    with shop.connect() as connection:
        connection.execute("INSERT INTO shop.web_order (id, external_id) VALUES (1, 8), (2, NULL)")
    text = "SELECT o.id, n.body FROM shop.web_order o LEFT JOIN shop.member_note n ON n.id + 1 = o.external_id"
    assembler = await assembler_of(text, shop)
    try:
        [route] = [use.route.name for use in assembler.projection.uses if use.alias == "n"]
        one = await assembler.resolve([Lookup(route, ("7",))], None, 10)
        both = await assembler.resolve([Lookup(route, ("7",)), Lookup(route, (str(2**63 - 1),))], None, 10)
    finally:
        await assembler.aclose()
    assert (one.keys, both.keys) == (("1",), ("1", "2"))


OVERLOADED = {
    "a function": ("lower(n.email) = o.email", "CREATE FUNCTION shop.lower(varchar) RETURNS text {} 'SELECT ''x'''"),
    "a cast": ("n.id::text = o.email", "CREATE FUNCTION shop.f(bigint) RETURNS text {} 'SELECT ''x'''"),
    "an operator": ("n.body || 'x' = o.email", "CREATE FUNCTION shop.f(text, text) RETURNS text {} 'SELECT ''x'''"),
    "concat": ("concat('x', n.id) = o.email", "CREATE FUNCTION shop.concat(text, bigint) RETURNS text {} 'SELECT $1'"),
    "an aggregate": (
        "n.id = (SELECT max(m.id) FROM shop.member m WHERE m.external_id = o.external_id)",
        "CREATE AGGREGATE shop.max(bigint) (SFUNC = int8smaller, STYPE = bigint)",
    ),
}
MADE = {
    "a cast": "CREATE CAST (bigint AS text) WITH FUNCTION shop.f(bigint)",
    "an operator": "CREATE OPERATOR shop.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = shop.f)",
}


@pytest.mark.parametrize("what", OVERLOADED)
async def test_what_may_mean_somebodys_own_function_is_no_expression_that_is_followed(
    what: str, shop: Database
) -> None:
    condition, function = OVERLOADED[what]
    text = f"SELECT o.id, n.body FROM shop.web_order o LEFT JOIN shop.member_note n ON {condition}"
    with shop.connect() as connection:
        connection.execute(f'ALTER DATABASE "{shop.name}" SET search_path = shop, public')
        await (await assembler_of(text, shop)).aclose()
        connection.execute(function.format("LANGUAGE sql IMMUTABLE AS"))
        if what in MADE:
            connection.execute(MADE[what])
    with pytest.raises(ConfigurationError) as caught:
        await assembler_of(text, shop)
    assert "no way leads from a changed row of shop.member_note" in caught.value.problems[0].what


@pytest.mark.parametrize("condition", ["ifnull(n.email = o.email, false)", "nvl(n.email, o.email) = o.ref"])
async def test_a_function_that_postgres_lacks_is_taken_for_somebodys_own(condition: str, shop: Database) -> None:
    with shop.connect() as connection:
        connection.execute(f'ALTER DATABASE "{shop.name}" SET search_path = shop, public')
        for function in ("ifnull(boolean, boolean) RETURNS boolean", "nvl(text, text) RETURNS text"):
            connection.execute(f"CREATE FUNCTION shop.{function} LANGUAGE sql IMMUTABLE AS 'SELECT $2'")
    with pytest.raises(ConfigurationError) as caught:
        await assembler_of(f"SELECT o.id, n.body FROM shop.web_order o JOIN shop.member_note n ON {condition}", shop)
    assert "no way leads from a changed row of shop.member_note" in caught.value.problems[0].what


_INDEX = 'CREATE INDEX CONCURRENTLY ON "shop"."member" ({});'
_NONE = "no index can be on {}, which is not IMMUTABLE; write {} in its place"
INDEXES = {
    "concat('x', m.external_id) = o.ref": _NONE.format("concat", "||"),
    "'x' || m.external_id = o.ref": _INDEX.format("""(('x'::text || "external_id"::text))"""),
    "encode(convert_to('M' || m.id, 'UTF8'), 'base64') = o.ref": _NONE.format("convert_to", "decode(..., 'escape')"),
    "encode(decode('M' || m.id, 'escape'), 'base64') = o.ref": _INDEX.format(
        """(encode(decode(('M'::text || "id"::text), 'escape'::text), 'base64'::text))"""
    ),
    "to_char(m.external_id, '999') = o.ref AND m.email = o.email": _INDEX.format('"email"'),
}


@pytest.mark.parametrize("condition", INDEXES)
async def test_an_index_is_asked_for_only_on_what_postgres_lets_one_be_on(condition: str, shop: Database) -> None:
    text = f"SELECT o.id, m.name FROM shop.web_order o LEFT JOIN shop.member m ON {condition}"
    assembler = await assembler_of(text, shop)
    try:
        hints = [read.hint for read in (await assembler.plans()).whole_reads]
    finally:
        await assembler.aclose()
    with shop.connect() as connection:
        for statement in hints:
            if statement.startswith("CREATE"):
                connection.execute(statement)
    assert any(hint.startswith(INDEXES[condition]) for hint in hints), hints


async def test_a_function_for_an_extensions_type_is_none_that_a_text_is_passed_to(shop: Database) -> None:
    text = (
        "SELECT o.id, n.body FROM shop.web_order o LEFT JOIN shop.member_note n ON replace(n.email, 'a', 'b') = o.email"
    )
    with shop.connect() as connection:
        connection.execute(f'ALTER DATABASE "{shop.name}" SET search_path = shop, public')
        connection.execute(
            """CREATE FUNCTION shop.replace(shop.grade, shop.grade, shop.grade) RETURNS text LANGUAGE sql IMMUTABLE
            AS 'SELECT ''x'''"""
        )
    await (await assembler_of(text, shop)).aclose()
