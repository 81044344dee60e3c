"""Every mapping in tests/mappings: its order key and routes, or its problem with line and column."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from connector.errors import ConfigurationError
from connector.projection import Projection, load
from tests.fix_postgres import Database
from tests.projection_cases import ACCEPTED, REFUSED, Case, shop_template, uses_of

__all__ = ["shop_template"]


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
    warned = [f"{problem.where.removeprefix('mapping.sql:')} {problem.what}" for problem in projection.moving]
    assert len(warned) == len(case.warnings), warned
    for found, expected in zip(sorted(warned), sorted(case.warnings), strict=True):
        assert found.startswith(expected)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
async def test_a_refused_mapping_names_the_place_and_the_reason(case: Case, shop_template: Database) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await loaded(case.text, shop_template.dsn, case.sweep_tables)
    found = [f"{problem.where.removeprefix('mapping.sql:')} {problem.what}" for problem in caught.value.problems]
    for expected in case.problems:
        place, _, words = expected.partition(" ")
        assert any(line.startswith(place + " ") and words in line for line in found), found
