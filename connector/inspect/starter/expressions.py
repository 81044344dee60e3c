"""Small pieces of SQL over tables of the catalog: columns, keys as text, joins."""

from __future__ import annotations

from collections.abc import Sequence

from connector.inspect.starter.columns import Found
from connector.inspect.starter.schema.facts import TEXTS, ForeignKey, TableFacts
from connector.inspect.starter.tree import Leaf


def column(alias: str, facts: TableFacts, name: str) -> str:
    return f"{alias}.{facts.quoted[name]}"


def key_text(alias: str, facts: TableFacts, columns: Sequence[str]) -> str:
    """A key as a line item's id at Redo: text without underscores."""
    parts = [
        f"replace({column(alias, facts, name)}, '_', '-')"
        if facts.columns[name].type in TEXTS
        else column(alias, facts, name)
        for name in columns
    ]
    if len(parts) == 1:
        return parts[0] if parts[0].startswith("replace(") else f"{parts[0]}::text"
    return " || '-' || ".join(parts)


def id_text(alias: str, facts: TableFacts, columns: Sequence[str]) -> str:
    """A key as an id that may look like anything."""
    parts = [column(alias, facts, name) for name in columns]
    return f"{parts[0]}::text" if len(parts) == 1 else " || '-' || ".join(parts)


def joined(key: ForeignKey, holder: tuple[str, TableFacts], target: tuple[str, TableFacts]) -> str:
    """The condition of a join along a foreign key: `holder` has it, `target` is what it names."""
    pairs = zip(key.columns, key.referred, strict=True)
    return " AND ".join(f"{column(*holder, mine)} = {column(*target, theirs)}" for mine, theirs in pairs)


def left_join(key: ForeignKey, holder: tuple[str, TableFacts], target: tuple[str, TableFacts]) -> str:
    return f"LEFT JOIN {target[1].written} AS {target[0]} ON {joined(key, holder, target)}"


def asked(found: Found, todo: str, kind: str = "text") -> Leaf:
    """A question, with the columns between which nobody could decide."""
    one_of = "one of " if len(found.rivals) > 1 else ""
    rivals = f"; it may be {one_of}{', '.join(found.rivals)}" if found.rivals else ""
    return Leaf(todo=todo + rivals, kind=kind)


def or_asked(found: Found, alias: str, facts: TableFacts, todo: str, kind: str = "text", check: str = "") -> Leaf:
    if found.column is None:
        return asked(found, todo, kind)
    return Leaf(column(alias, facts, found.column), check=check)
