"""Texts that functions print from values of any type: `concat`, `concat_ws`, `format`; and `encode` of such a text.

Postgres lets no index be on `concat`, `format` or `convert_to`, which are STABLE for types whose text depends on
settings. They are written anew with `||` and `decode`, of types whose text doesn't. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from sqlglot import exp

from connector.projection.analysis.nodes import column_of
from connector.projection.analysis.values.terms import HAVE_TEXT, INTEGERS, Term, as_text, cast_to, made, quoted_text
from connector.projection.sql.syntax import bare, name_of

_PRINTED: Final = HAVE_TEXT - {"bpchar"}
"""Types of which a cast to text gives what the output function gives, which keeps the blanks of char(n)."""
_ASCII: Final = frozenset({*INTEGERS, "numeric", "uuid"})
"""Types of whose texts each letter is one byte in all encodings, and none a backslash."""

_Read: TypeAlias = Callable[[exp.Expr], Term | None]


def printed(expression: exp.Expr, overloaded: Collection[str], read: _Read) -> Term | None:
    """None where the text isn't sure, or where the function may be somebody's own."""
    if isinstance(expression, exp.Encode):
        return None if {"encode", "convert_to", "decode"} & {*overloaded} else _encoded(expression, read)
    given = [read(each) for each in expression.expressions]
    if isinstance(expression, exp.Format):
        template = read(expression.this)
        known = template is not None and template.type == "literal" and "format" not in overloaded
        return _joined(_filled_in(str(bare(expression.this).this), given)) if known else None
    if {"concat", "concat_ws"} & {*overloaded}:
        return None
    return _separated(given) if isinstance(expression, exp.ConcatWs) else _joined(given)


def _filled_in(template: str, given: list[Term | None]) -> list[Term | None]:
    """Of `%s` and `%%` alone."""
    found: list[Term | None] = []
    for text, sign in re.findall(r"([^%]+)|%(.?)", template, re.DOTALL):
        if sign == "s" and given:
            found.append(given.pop(0))
        else:
            found.append(_constant(text or sign) if text or sign == "%" else None)
    return found


def _constant(text: str) -> Term:
    return Term(None, (), quoted_text(text), "literal", filled=True)


def _separated(given: list[Term | None]) -> Term | None:
    """A NULL is left out together with the separator before it: the first text must be there for certain."""
    separator, first, *more = [*given, None, None]
    if separator is None or separator.type != "literal" or first is None or not first.filled:
        return None
    return _joined([first, *more[:-2]], f"{separator.sql}::text || ")


def _joined(terms: Sequence[Term | None], before: str = "") -> Term | None:
    """The texts one behind the other, an empty one for NULL. They are empty, too, where an outer join finds no row.
    `before`: stands before each but the first."""
    known = [term for term in terms if term is not None and term.type in (*_PRINTED, "literal")]
    if len(known) < len(terms):
        return None

    def write(texts: Sequence[str]) -> str:
        found = ""
        for term, text in zip(known, texts, strict=True):
            part = f"({before}{text})" if before and found else text
            part = part if term.filled else f"COALESCE({part}, ''::text)"
            found = f"({found} || {part})" if found else part
        return found

    text = made([as_text(term) or cast_to(term, "text") for term in known], "text", write, strict=False)
    return text and replace(text, filled=True)


def _encoded(expression: exp.Encode, read: _Read) -> Term | None:
    """Of the bytes of a text in which a letter is a byte: `convert_to(text, 'UTF8')`, `text::bytea`, `decode(text,
    'escape')`."""
    form, inner = _text(expression.args["charset"]), bare(expression.this)
    if isinstance(inner, exp.Anonymous) and name_of(exp.to_identifier(inner.name)) == "convert_to":
        written, *encoding = inner.expressions
        fits = [_text(each).lower() for each in encoding] in (["utf8"], ["utf-8"])
    else:
        written = inner.this
        to_bytes = isinstance(inner, exp.Cast) and inner.to.this == exp.DType.VARBINARY
        fits = to_bytes or (isinstance(inner, exp.Decode) and _text(inner.args["charset"]) == "escape")
    text = as_text(read(written)) if fits and form in ("base64", "hex") else None
    if text is None or text.source is None or not text.sql.isascii():
        return None
    columns = [column_of((text.source, key)) for key in text.keys]
    if not all(column is not None and column.type in _ASCII for column in columns):
        return None
    encoded = f"pg_catalog.encode(pg_catalog.decode({{}}, 'escape'::text), '{form}'::text)"
    return made([text], "text", lambda texts: encoded.format(texts[0]))


def _text(expression: exp.Expr) -> str:
    constant = bare(expression)
    return str(constant.this) if isinstance(constant, exp.Literal) and constant.is_string else ""
