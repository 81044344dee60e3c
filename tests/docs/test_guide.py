"""docs/mapping-guide.md, executed: its steps by a reader in a shell, its recipes by the whole connector."""

from __future__ import annotations

import re
import tomllib
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connector.model.errors import ConfigurationError
from connector.projection import Projection, load
from connector.sandbox.server import SandboxServer
from connector.sandbox.store import Store
from tests.docs.reader_environment import environment, the_documented_ports
from tests.docs.walkthrough import Block, Reader, blocks, difference, read, section
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import Database, MakeCluster, create_database, drop_database
from tests.support.postgres.cluster import Cluster

GUIDE = (Path(__file__).parents[2] / "docs" / "mapping-guide.md").read_text(encoding="utf-8")
LEGACY, _, FORMS = GUIDE.partition("\n# What is followed, and what is not\n")
STEPS, _, RECIPES = LEGACY.partition("\n# Recipes\n")
TITLES = re.findall(r"^## (.+)$", RECIPES, re.MULTILINE)
WARNED = {"More shipped than ordered": {"over_fulfilled": 1}}
"""What the orders of a recipe are warned of."""
_ITEM_ENDS = re.compile(r"^ {4}(?:\S.*\s)?AS (\w+),?$")


def saved(name: str) -> str:
    """What the guide has its reader save under a name."""
    return next(block.text for block in blocks(STEPS) if block.file == name)


def forms(role: str) -> list[str]:
    """The mappings in a block of the guide's last part, each with the comment above it."""
    text = next(block.text for block in blocks(FORMS) if block.role == role)
    return [form.strip() for form in re.split(r";$", text, flags=re.MULTILINE) if form.strip()]


def mapping_of(form: str) -> str:
    lines = [line for line in form.splitlines() if not line.startswith("--")]
    text = "\n".join(lines)
    return text if text.startswith("SELECT") else f"SELECT h.ord_no::text AS id FROM ord_hdr AS h\n{text}"


def items(lines: list[str]) -> dict[str, str]:
    """The expressions of a select list by their names, each written as the guide writes them."""
    found: dict[str, str] = {}
    part: list[str] = []
    for line in lines:
        part.append(line)
        if name := _ITEM_ENDS.match(line):
            found[name[1]] = "\n".join(part).removesuffix(",")
            part = []
    assert not part, f"an expression without a name: {part[0]}"
    return found


def changed(mapping: str, fragment: str) -> str:
    """The mapping with a recipe's expressions in the place of those with the same names."""
    before, old, after = mapping.partition("\nFROM ord_hdr AS h\n")
    expressions, where, condition = f"\n{fragment}".partition("\nWHERE ")
    expressions, new, source = expressions.partition("\nFROM ")
    select, *lines = before.splitlines()
    merged = {**items(lines), **items(expressions.splitlines()[1:])}
    return f"{select}\n" + ",\n".join(merged.values()) + (f"{new}{source}" if new else old) + after + where + condition


def test_the_guide_has_the_recipes_that_legacy_schemas_ask_for() -> None:
    assert TITLES == [
        "Partial refunds", "Coverage line", "Split shipments", "Multi-currency", "Tax-inclusive prices", "Soft deletes",
        "Archive tables", "Several stores", "Order-level discounts", "Cancelled orders", "Carts and drafts",
        "Missing e-mail, address or province", "Fallback address", "Minor units", "More shipped than ordered",
        "Returnable quantity after returns", "Surcharges", "Gift cards as payment", "Versioned lines",
        "Polymorphic tables", "Arrays",
    ]  # fmt: skip


def test_the_guides_steps_lead_to_an_accepted_order_as_they_are_written(
    make_cluster: MakeCluster, tmp_path: Path
) -> None:
    cluster = make_cluster()
    reader = Reader(tmp_path, environment(cluster))
    with the_documented_ports():
        try:
            assert reader.walk(blocks(STEPS)) == STEPS.count("```sh")
        finally:
            reader.end()
    with psycopg.connect(cluster.dsn()) as connection:
        left = connection.execute("SELECT slot_name FROM pg_replication_slots UNION SELECT 'legacy' FROM pg_database"
                                  " WHERE datname = 'legacy'").fetchall()  # fmt: skip
    assert left == [], "the last step leaves nothing behind"


@pytest.fixture(scope="session")
def legacy_template(cluster: Cluster) -> Database:
    made = create_database(cluster)
    with made.connect() as connection:
        connection.execute(saved("legacy.sql").encode())
    return made


@pytest.fixture
def legacy(cluster: Cluster, legacy_template: Database) -> Iterator[Database]:
    made = create_database(cluster, legacy_template.name)
    yield made
    drop_database(cluster, made.name)


@pytest.fixture
async def guided(legacy: Database, sandbox: SandboxServer, tmp_path: Path) -> AsyncIterator[Rig]:
    """The guide's tables, settings and mapping; the connector isn't started yet."""
    settings = tomllib.loads(saved("connector.toml"))
    made = Rig(
        legacy, sandbox, tmp_path, saved("mapping.sql"), {"source": {"timezone": settings["source"]["timezone"]}}
    )
    yield made
    await made.stop()


async def follow(rig: Rig, recipe: list[Block]) -> None:
    """Do what a recipe says, up to its last change."""
    for block in recipe:
        if block.role == "tables":
            rig.execute(block.text)
        elif block.role == "mapping":
            rig.mapping = changed(rig.mapping, block.text)
        elif block.role == "settings":
            for name, values in tomllib.loads(block.text).items():
                rig.overrides.setdefault(name, {}).update(values)
    for name, store in rig.overrides.get("redo", {}).get("stores", {}).items():
        rig.sandbox.state.stores[name] = store["api_secret"]
    await rig.start()
    await rig.quiet()
    for block in recipe:
        if block.role == "then":
            rig.execute(block.text)
            await rig.quiet()


def store_of(rig: Rig, block: Block) -> Store:
    named = rig.sandbox.state.store(block.role.removeprefix("store=")) if block.role else rig.sandbox.state
    assert named is not None
    return named


def gone(store: Store, order_id: str) -> bool:
    return order_id not in store.orders


def held(store: Store, order_id: str) -> Any:
    body = store.orders.get(order_id)
    return None if body is None else read(body.decode())


@pytest.mark.parametrize("title", [*TITLES, *re.findall(r"^### (.+)$", RECIPES, re.MULTILINE)])
async def test_redo_holds_what_the_recipe_claims(title: str, guided: Rig) -> None:
    recipe = blocks(section(RECIPES, title))
    claims = [block for block in recipe if block.language == "json"]
    assert claims
    await follow(guided, recipe)
    for claim in claims:
        store = store_of(guided, claim)
        for order_id, wanted in read(claim.text).items():
            if wanted is None:
                await eventually(f"{order_id} is gone", partial(gone, store, order_id))
            assert difference(wanted, held(store, order_id), order_id) == ""
    tally = await guided.tally()
    assert not sum(tally.dead_letters.values())
    assert dict(tally.warnings) == WARNED.get(title, {})


async def test_moving_lines_to_the_archive_in_one_transaction_sends_nothing(guided: Rig) -> None:
    await follow(guided, blocks(section(RECIPES, "Archive tables")))
    assert [len(guided.sandbox.state.history(order_id)) for order_id in ("1001", "1002")] == [1, 1]


@pytest.fixture(scope="session")
def forms_database(cluster: Cluster, legacy_template: Database) -> Database:
    made = create_database(cluster, legacy_template.name)
    with made.connect() as connection:
        connection.execute(next(block.text for block in blocks(FORMS) if block.role == "tables").encode())
    return made


async def loaded(form: str, database: Database) -> Projection:
    return await load(
        mapping_of(form), path="mapping.sql", read_dsn=database.dsn, timezone="UTC", statement_timeout_ms=10_000
    )


@pytest.mark.parametrize("form", forms("followed"))
async def test_a_form_that_the_guide_says_is_followed_has_a_route_for_every_table(
    form: str, forms_database: Database
) -> None:
    projection = await loaded(form, forms_database)
    swept = {str(use.route.table.name) for use in projection.uses if use.route.kind == "sweep"}
    assert swept == ({"public.set_mst"} if "set_mst" in form else set())


REFUSED = forms("refused")


@pytest.mark.parametrize(("refused", "instead"), list(zip(REFUSED[::2], REFUSED[1::2], strict=True)))
async def test_a_form_that_the_guide_says_is_not_followed_is_refused_in_its_words_and_what_it_proposes_is_followed(
    refused: str, instead: str, forms_database: Database
) -> None:
    reason = refused.splitlines()[0].removeprefix("-- ")
    with pytest.raises(ConfigurationError) as caught:
        await loaded(refused, forms_database)
    assert [reason.lower() in problem.what.lower() for problem in caught.value.problems] == [True]
    assert all(use.route.kind != "sweep" for use in (await loaded(instead, forms_database)).uses)
