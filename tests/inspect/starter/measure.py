"""How many of the fields that Redo requires `init` fills in rightly, schema by schema, and how many it asks for.

    python -m tests.inspect.starter.measure

renews the table in docs/commands.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connector.inspect.starter.look import look
from connector.inspect.starter.mapping import ProposedMapping, propose
from connector.inspect.starter.tables import certain
from connector.inspect.starter.tree import leaves
from tests.docs import walkthrough
from tests.inspect.starter.truths import REQUIRED, TRUTHS
from tests.support.fixtures.cli import SHOP
from tests.support.fixtures.postgres import create_database
from tests.support.oms import ddl_schema
from tests.support.postgres.cluster import Cluster

ROOT: Final = Path(__file__).parents[3]
DOCS: Final = ROOT / "docs" / "commands.md"
BEGIN: Final = "<!-- starter: written by `python -m tests.inspect.starter.measure` -->"
END: Final = "<!-- /starter -->"

_TITLES: Final = {
    "demo": "the demo's",
    "mapping guide": "the mapping guide's",
    "django_oscar": "django-oscar 4.2",
    "ruby_shop": "a framework of the Ruby kind",
    "graph_shop": "a framework with a GraphQL interface",
    "erp": "an ERP with parties and modules",
    "cents": "money in cents, several schemas",
    "german": "German, keys of two columns, no foreign keys",
    "french": "French, quoted names, prices with tax only",
    "spanish": "Spanish, all in the header",
    "portuguese": "Portuguese abbreviations, keys of two columns, no foreign keys",
    "partitioned": "German, quoted names with prefixes, partitioned by time",
    "purchases": "orders called purchases, uuid keys, enums, domains, minor units",
    "partners": "an ERP with partners, users and three kinds of orders",
    "two_hundred_columns": "Spanish abbreviations, a header of 200 columns",
    "italian": "Italian, words written together",
    "traps": "names that mean two things",
    "legacy world": "no foreign keys, few columns",
    "mixed world": "composite keys, quoted names, few columns",
    "parts world": "partitioned tables, few columns",
    "mappings": "forty tables, several of them of orders",
    "command line": "three tables, hardly any columns",
    "altered": "columns that could be mistaken for each other",
}

_INLINE: Final = {"command line": SHOP, "altered": ddl_schema.SCHEMA}


def schema_sql(name: str) -> str:
    """The DDL of a schema of `TRUTHS`."""
    if name == "demo":
        return (ROOT / "connector" / "demo" / "oms.sql").read_text(encoding="utf-8")
    if name == "mapping guide":
        page = (ROOT / "docs" / "mapping-guide.md").read_text(encoding="utf-8")
        return next(block.text for block in walkthrough.blocks(page) if block.file == "legacy.sql")
    if name in _INLINE:
        return _INLINE[name]
    if name == "mappings":
        return (ROOT / "tests" / "projection" / "mappings" / "schema.sql").read_text(encoding="utf-8")
    if name.endswith(" world"):
        folder = ROOT / "tests" / "system" / "oracle" / "worlds" / name.removesuffix(" world")
        return (folder / "schema.sql").read_text(encoding="utf-8")
    return (Path(__file__).parent / "schemas" / f"{name}.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Judged:
    """Required fields by what became of them."""

    right: tuple[str, ...]
    asked: tuple[str, ...]
    wrong: Mapping[str, str]


def judge(name: str, proposed: ProposedMapping) -> Judged:
    filled = {path: leaf.sql for path, leaf in leaves(proposed.outputs) if leaf.sql}
    right = [path for path in REQUIRED if filled.get(path) in TRUTHS[name].get(path, ())]
    wrong: dict[str, str] = {path: filled[path] for path in REQUIRED if path in filled and path not in right}
    return Judged(tuple(right), tuple(path for path in REQUIRED if path not in filled), wrong)


async def proposed_for(dsn: str) -> ProposedMapping:
    found = await look(dsn, ())
    order = certain(found.ranked)
    assert order is not None, [(str(one.table.name), one.score) for one in found.ranked[:3]]
    return propose(found.around, order)


def table(results: Mapping[str, Judged]) -> str:
    """The block of the page, without its marks."""
    rows = [
        f"| {_TITLES[name]} | {len(judged.right)} | {len(judged.asked)} | {len(judged.wrong)} |"
        for name, judged in results.items()
    ]
    return "\n".join([f"| schema | filled in, of {len(REQUIRED)} | left as TODO | wrong |", "|---|---|---|---|", *rows])


def measured(cluster: Cluster) -> dict[str, Judged]:
    results = {}
    for name in TRUTHS:
        database = create_database(cluster)
        with database.connect() as conn:
            conn.execute(schema_sql(name).encode())
        results[name] = judge(name, asyncio.run(proposed_for(database.dsn)))
    return results


def main() -> None:
    cluster = Cluster.create(settings={"fsync": "off"})
    try:
        made = table(measured(cluster))
    finally:
        cluster.destroy()
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
    DOCS.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
