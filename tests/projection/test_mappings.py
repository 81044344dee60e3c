"""Every mapping in tests/projection/mappings: its order key and routes, or its problem with line and column."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from connector.model.changes import Changes, Operation, TableName
from connector.model.errors import ConfigurationError
from connector.projection import Assembler, Projection, load
from connector.projection.routes.route import Lookup
from tests.projection.cases import ACCEPTED, REFUSED, Case, shop, shop_template, uses_of
from tests.support.fixtures.postgres import Database

__all__ = ["shop", "shop_template"]


async def loaded(text: str, dsn: str, sweep_tables: Sequence[str] = ()) -> Projection:
    return await load(
        text,
        path="mapping.sql",
        read_dsn=dsn,
        timezone="UTC",
        statement_timeout_ms=10_000,
        sweep_tables=sweep_tables,
    )


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)
async def test_an_accepted_mapping_has_the_expected_key_and_routes(case: Case, shop_template: Database) -> None:
    projection = await loaded(case.text, shop_template.dsn, case.sweep_tables)
    assert f"{projection.order_table}({', '.join(projection.key)})" == case.key
    assert sorted(uses_of(projection)) == sorted(case.uses)
    if case.restricted is not None:
        assert projection.restricted.count("$1") == case.restricted
    warned = [f"{problem.where.removeprefix('mapping.sql:')} {problem.what}" for problem in projection.nondeterministic]
    assert len(warned) == len(case.warnings), warned
    for found, expected in zip(sorted(warned), sorted(case.warnings), strict=True):
        assert found.startswith(expected)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
async def test_a_refused_mapping_names_place_and_reason_of_each_cause_once_and_what_to_write(
    case: Case, shop_template: Database
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await loaded(case.text, shop_template.dsn, case.sweep_tables)
    found = caught.value.problems
    assert [f"{problem.where.removeprefix('mapping.sql:')} {problem.what}" for problem in found] == list(case.problems)
    for problem, hint in zip(found, case.hints, strict=True):
        assert problem.hint
        assert hint in ("...", problem.hint)


def test_what_a_refusal_proposes_is_a_mapping_that_is_accepted() -> None:
    """Its routes are tested with those of all accepted ones."""
    accepted = {case.name for case in ACCEPTED}
    for case in REFUSED:
        assert set(case.instead) <= accepted, case.name
        about_routes = [problem for problem in case.problems if "no way leads" in problem]
        assert not about_routes or case.instead, case.name


async def test_a_join_by_a_cast_asks_for_an_index_on_the_cast_and_takes_it(shop: Database) -> None:
    text = next(case.text for case in ACCEPTED if case.name == "cast_in_join")
    assembler = Assembler(await loaded(text, shop.dsn), read_dsn=shop.dsn, statement_timeout_ms=10_000)
    try:
        hints = [read.hint for read in (await assembler.plans()).whole_reads if read.table.name == "orders"]
        assert hints == [
            'CREATE INDEX CONCURRENTLY ON "shop"."orders" (("id"::text)); -- then ANALYZE "shop"."orders";'
        ]
        with shop.connect() as connection:
            connection.execute(hints[0])
        assert not [read for read in (await assembler.plans()).whole_reads if read.table.name == "orders"]
    finally:
        await assembler.aclose()


async def test_one_of_several_columns_is_looked_up_in_each_unless_an_index_is_on_the_choice(shop: Database) -> None:
    text = next(case.text for case in ACCEPTED if case.name == "coalesce_of_columns")
    apart = await lookups_of(text, shop)
    with shop.connect() as connection:
        connection.execute("CREATE INDEX ON shop.aorder (COALESCE(ship_id, bill_id))")
    whole = await lookups_of(text, shop)
    assert sorted(hop.indexed_as for lookup in apart for hop in lookup.hops) == [("bill_id",), ("ship_id",)]
    assert [hop.indexed_as for lookup in whole for hop in lookup.hops] == [("COALESCE(ship_id, bill_id)",)]
    assert all(hop.table.serves(hop.indexed_as) for lookup in whole for hop in lookup.hops)


async def lookups_of(text: str, shop: Database) -> list[Lookup]:
    return [use.route.lookup for use in (await loaded(text, shop.dsn)).uses if use.route.lookup is not None]


async def test_a_swept_table_asks_for_a_sweep_whatever_changes(shop_template: Database) -> None:
    case = next(case for case in ACCEPTED if case.name == "swept_setting")
    projection = await loaded(case.text, shop_template.dsn, case.sweep_tables)
    setting = TableName("shop", "setting")
    assert projection.routes.interest[setting] == ()
    affected = projection.routes.affected(Changes(setting, Operation.UPDATE, 1, ((),)))
    assert affected.sweep == "update on shop.setting, of which no way leads to single orders"
    assert not affected.keys
    assert not affected.lookups
