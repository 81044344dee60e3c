"""Parts of an expression: SQL over the columns of one source, and what is known of its value. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from connector.projection.analysis.scopes import Source
from connector.projection.catalog.columns import nested

INTEGERS: Final = {"int2": "smallint", "int4": "integer", "int8": "bigint"}
TEXTS: Final = {"text": "text", "varchar": "character varying", "bpchar": "bpchar"}
HAVE_TEXT: Final = frozenset({*INTEGERS, *TEXTS, "numeric", "uuid", "enum"})
"""Types whose text depends on no setting."""
_BLANK = r"[ \t\n\v\f\r]*"
_WHOLE = "[0-9](_?[0-9])*|0[xX](_?[0-9a-fA-F])+|0[oO](_?[0-7])+|0[bB](_?[01])+"
_UUID = "([0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}"
READABLE: Final = {
    **dict.fromkeys(INTEGERS, f"^{_BLANK}[-+]?({_WHOLE}){_BLANK}$"),
    "uuid": f"^([{{]{_UUID}[}}]|{_UUID})$",
}
"""The texts that can be cast to the type, whole numbers of any size
(https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/numutils.c, .../uuid.c)."""


@dataclass(frozen=True, slots=True)
class Term:
    """An expression; without `source` a constant. `type`: its name in pg_catalog, or `enum`, or `literal`: a string
    that takes the type of what is beside it. `cast`: it ends in a cast, and needs no parentheses as an operand.
    `strict`: NULL where one of the columns is. `filled`: never NULL on a row of the source. `indexable`: there may be
    an index on it. `collated`: in a collation of its own."""

    source: Source | None
    keys: tuple[str | int, ...]
    sql: str
    type: str
    strict: bool = True
    filled: bool = False
    indexable: bool = True
    collated: bool = False
    cast: bool = False


def quoted_text(text: str) -> str:
    return "'" + text.replace("'", "''").replace("{", "{{").replace("}", "}}") + "'"


def made(
    terms: Sequence[Term],
    result: str,
    write: Callable[[Sequence[str]], str],
    *,
    strict: bool = True,
) -> Term | None:
    """An expression over other ones; None when they are of several sources."""
    sources = {term.source for term in terms if term.source is not None}
    if len(sources) != 1:
        return None
    keys = tuple(dict.fromkeys(key for term in terms for key in term.keys))
    texts = [nested(term.sql, [f"{{{keys.index(key)}}}" for key in term.keys]) for term in terms]
    return Term(
        sources.pop(),
        keys,
        write(texts),
        result,
        strict=strict and all(term.strict for term in terms),
        indexable=all(term.indexable for term in terms),
        collated=any(term.collated for term in terms),
    )


def as_text(term: Term | None) -> Term | None:
    """A term as text, as the parser makes it one for a function or operator of texts."""
    if term is None or term.type == "text":
        return term
    if term.type == "literal":
        return replace(term, sql=f"{term.sql}::text", type="text")
    return cast_to(term, "text") if term.type in TEXTS else None


def cast_to(term: Term, target: str) -> Term:
    name = INTEGERS.get(target) or TEXTS.get(target, target)
    # The texts of an enum's labels are no constants to Postgres.
    indexable = term.indexable and term.type != "enum"
    return replace(term, sql=f"{term.sql}::{name}", type=target, indexable=indexable, cast=True)


def readable(text: str, target: str) -> str:
    pattern = quoted_text(READABLE[target]).replace("\\", "\\\\")
    value = f"{text}::{INTEGERS.get(target, target)}"
    if target in INTEGERS:
        most = 2 ** (8 * int(target[-1]) - 1)
        value = f"CASE WHEN {text}::numeric BETWEEN -{most} AND {most - 1} THEN {value} END"
    return f"(CASE WHEN {text} ~ E{pattern} THEN {value} END)"
