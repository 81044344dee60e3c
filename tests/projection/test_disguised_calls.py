"""Whatever makes the server call a function is judged as a call: what reads tables that nobody follows is refused,
with its place, and what doesn't is let be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.model.errors import ConfigurationError, Problem
from connector.projection import Projection, load
from tests.support.fixtures.postgres import Database, create_database, drop_database
from tests.support.postgres.cluster import Cluster

READS = "LANGUAGE sql STABLE AS 'SELECT max(rate)::text FROM app.rates'"
KNOWS = "LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(*) FROM app.rates) > 0; END $$"
SHOP = f"""
CREATE SCHEMA app;
SET search_path = app, public;
CREATE TABLE app.rates (id int PRIMARY KEY, rate numeric);
CREATE TYPE app.place AS (city text, street text);
CREATE TABLE app.orders (id int PRIMARY KEY, email varchar(99), place app.place, total int, tags int[]);

CREATE FUNCTION app.peek(app.orders) RETURNS text {READS};
CREATE FUNCTION app.peek(text) RETURNS text {READS};
CREATE FUNCTION app.peeked(text, text DEFAULT app.peek('x'::text)) RETURNS text
  LANGUAGE sql IMMUTABLE AS 'SELECT $1 || $2';
CREATE FUNCTION app.total(app.rates) RETURNS text {READS};
CREATE FUNCTION app.city(app.orders) RETURNS text {READS};
CREATE FUNCTION app.dice(app.orders) RETURNS float8 LANGUAGE sql VOLATILE AS 'SELECT random()';
CREATE FUNCTION app.known(varchar, varchar) RETURNS bool {KNOWS};
CREATE OPERATOR app.&& (LEFTARG = varchar, RIGHTARG = varchar, PROCEDURE = app.known);
CREATE FUNCTION app.inner_known(varchar) RETURNS bool LANGUAGE sql STABLE
  AS 'SELECT $1 OPERATOR(app.&&) ''x''::varchar';
CREATE FUNCTION app.wide(app.orders) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.email || $1.id';

CREATE TYPE app.code AS (value int);
CREATE FUNCTION app.code_of(int) RETURNS app.code
  LANGUAGE sql STABLE AS 'SELECT ROW(max(rate)::int)::app.code FROM app.rates';
CREATE CAST (int AS app.code) WITH FUNCTION app.code_of(int);
CREATE FUNCTION app.same_code(app.code, app.code) RETURNS bool {KNOWS};
CREATE OPERATOR app.= (LEFTARG = app.code, RIGHTARG = app.code, PROCEDURE = app.same_code);
CREATE FUNCTION app.allowed(int) RETURNS bool {KNOWS};
CREATE DOMAIN app.amount AS int CHECK (app.allowed(VALUE));
CREATE FUNCTION app.add_rate(numeric, int) RETURNS numeric
  LANGUAGE sql STABLE AS 'SELECT $1 + max(rate) FROM app.rates';
CREATE AGGREGATE app.rated(int) (SFUNC = app.add_rate, STYPE = numeric, INITCOND = 0);
CREATE FUNCTION app.itself(app.orders) RETURNS app.orders LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION app.loud(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)';

CREATE VIEW app.seen AS SELECT id, email OPERATOR(app.&&) email AS known FROM app.orders;
CREATE VIEW app.whole AS SELECT o.id, o.peek FROM app.orders o;
"""

REFUSED = {
    "the attribute of a row": ("(o).peek", "3:7", "peek, a function and no column, may read tables"),
    "the attribute of a row that is a query": ("(SELECT o).peek", "3:14", "peek, a function and no column,"),
    "the attribute of a value": ("(o.email::text).peek", "3:19", "peek, a function and no column, may read tables"),
    "a column that is none": ("o.peek", "3:3", "o has no column peek"),
    "an operator": ("o.email && 'x'::varchar", "3:11", "the operator && may read tables"),
    "an operator with its schema": ("o.email OPERATOR(app.&&) 'x'", "3:24", "the operator && may read tables"),
    "an operator in a function": ("app.inner_known(o.email)", "3:7", "inner_known may read tables .* calls known,"),
    "a cast": ("(o.total::app.code).value", "3:17", "a cast to code may read tables .* calls code_of,"),
    "a cast in words": ("(CAST(o.total AS app.code)).value", "3:24", "a cast to code may read tables"),
    "a domain's check": ("o.total::app.amount", "3:16", "a cast to amount may read tables .* calls allowed,"),
    "an argument's default": ("app.peeked(o.email)", "3:7", "the function peeked may read tables .* calls peek,"),
    "an aggregate's step": (
        "(SELECT app.rated(t) FROM unnest(o.tags) t)",
        "3:15",
        "the function rated may read tables .* calls add_rate,",
    ),
    "a comparison in words": (
        "CASE WHEN NULL::app.code IN (NULL::app.code) THEN 1 END",
        "3:23",
        "a cast to code may read tables|the operator = may read tables",
    ),
    "chance as an attribute": ("(o).dice", "3:7", "dice, a function and no column, answers anew on each call"),
    "the attribute of what a function gives": (
        "(SELECT g.peek FROM app.itself(o) g)",
        "3:13",
        "peek, a function and no column, may read tables",
    ),
}


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> Iterator[Database]:
    made = create_database(cluster)
    with made.connect() as conn:
        conn.execute(SHOP.encode())
        conn.execute(f"ALTER DATABASE {made.name} SET search_path = app, public".encode())
    yield made
    drop_database(cluster, made.name)


async def loaded(database: Database, expression: str, source: str = "orders o") -> Projection:
    text = f"SELECT o.id,\n\n  {expression} AS found\nFROM {source}"
    return await load(text, path="m", read_dsn=database.dsn, timezone="UTC", statement_timeout_ms=30_000)


async def problems(database: Database, expression: str, source: str = "orders o") -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as refused:
        await loaded(database, expression, source)
    return refused.value.problems


@pytest.mark.parametrize(("expression", "place", "words"), REFUSED.values(), ids=REFUSED)
async def test_a_call_in_disguise_that_reads_unmapped_tables_is_refused_with_its_place(
    shop: Database, expression: str, place: str, words: str
) -> None:
    found = await problems(shop, expression)
    with pytest.raises(AssertionError, match=words):
        raise AssertionError("; ".join(problem.what for problem in found))
    assert f"m:{place}" in {problem.where for problem in found}


async def test_an_operator_in_a_view_is_judged_and_so_is_the_attribute_of_a_row(shop: Database) -> None:
    (problem,) = await problems(shop, "o.known", "seen o")
    assert "the operator && may read tables" in problem.what
    (problem,) = await problems(shop, "o.peek", "whole o")
    assert "peek may read tables" in problem.what


ACCEPTED = {
    "an attribute that reads nothing": "(o).wide",
    "a field of a type, whatever functions have its name": "(o.place).city",
    "a column, whatever functions have its name": "o.total",
    "an operator of the name over types that don't occur": "o.total = 1",
    "a built-in function as an attribute": "(o.email::text).upper",
    "a function that reads nothing": "app.loud(o.email)",
}


@pytest.mark.parametrize("expression", ACCEPTED.values(), ids=ACCEPTED)
async def test_what_reads_nothing_is_let_be(shop: Database, expression: str) -> None:
    assert (await loaded(shop, expression)).columns["found"]


async def test_the_same_name_in_a_schema_that_is_not_looked_in_is_none_of_the_mappings(database: Database) -> None:
    """Else anybody who may create a schema could stop the connector by the name of a function in it."""
    with database.connect() as conn:
        conn.execute("CREATE TABLE orders (id int PRIMARY KEY, email text)")
        conn.execute("CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.t (x text)")
        body = "RETURNS text LANGUAGE sql STABLE AS 'SELECT max(x) FROM elsewhere.t'"
        conn.execute(f"CREATE FUNCTION elsewhere.lower(text) {body}".encode())
        conn.execute(f"CREATE FUNCTION elsewhere.f(text) {body}".encode())
    assert await loaded(database, "lower(o.email)")
    with pytest.raises(ConfigurationError, match="f may read tables"):
        await loaded(database, "elsewhere.f(o.email)")
