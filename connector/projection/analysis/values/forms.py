"""Expressions over the columns of one source whose value depends on nothing but the row: a fixed list of built-in
forms, written anew as SQL in which `{0}`, `{1}`, ... stand for the columns.

Constants are written as Postgres prints them in an index's definition, so that an index on the same expression is
recognised. None fails for any value, because what we ask may look at rows that the mapping passes over: a cast gives
NULL for a text of which it can't be made. On such a row the mapping fails as well, or never comes to the cast; either
way the row equals nothing by it. That is also why `json` isn't among them (an escape in it may not be readable), only
`jsonb`. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from sqlglot import exp

from connector.projection.analysis.nodes import column_of, filled_below
from connector.projection.analysis.scopes import Scope
from connector.projection.analysis.values.printed import printed
from connector.projection.analysis.values.terms import (
    HAVE_TEXT,
    INTEGERS,
    READABLE,
    TEXTS,
    Term,
    as_text,
    cast_to,
    made,
    quoted_text,
    readable,
)
from connector.projection.catalog.columns import STAMPS
from connector.projection.sql.syntax import CAST_TYPES, bare

_LONGEST: Final = 2_000
_MOST_DIGITS: Final = 19
_MOST_LETTERS: Final = 10_000


def read(scope: Scope, expression: exp.Expr) -> Term | None:
    """None for what isn't on the list, or could mean a function or operator of somebody's own; and for an expression
    over columns of several sources."""
    expression = bare(expression)
    if isinstance(expression, exp.Column):
        return _column(scope, expression)
    if isinstance(expression, exp.Literal):
        return _constant(expression)
    reader = _READERS.get(type(expression))
    found = reader(scope, expression) if reader is not None else None
    return found if found is not None and len(found.sql) <= _LONGEST else None


def _column(scope: Scope, expression: exp.Column) -> Term | None:
    source, key = scope.references.get(id(expression), (None, 0))
    column = column_of((source, key)) if source is not None else None
    if column is None or not column.deterministic or not isinstance(key, (str, int)):
        return None
    kind = "enum" if column.is_enum else column.type
    known = column.is_enum or column.type_schema == "pg_catalog"
    if source is None or not known:
        return None
    return Term(source, (key,), "{0}", kind, filled=filled_below((source, key)), collated=column.own_collation)


def _constant(expression: exp.Literal) -> Term | None:
    text = str(expression.this)
    if expression.is_string:
        # What a backslash means is a setting's matter.
        return None if "\\" in text else Term(None, (), quoted_text(text), "literal", filled=True)
    if not text.isdigit() or len(text) > _MOST_DIGITS or int(text) >= 2**63:
        return None
    return Term(None, (), text, "int4" if int(text) < 2**31 else "int8", filled=True)


# functions of a text

_ARGUMENTS: Final[dict[type[exp.Expr], tuple[str, tuple[str, ...]]]] = {
    exp.Lower: ("lower", ()),
    exp.Upper: ("upper", ()),
    exp.MD5: ("md5", ()),
    exp.Reverse: ("reverse", ()),
    exp.Left: ("left", ("expression",)),
    exp.Right: ("right", ("expression",)),
    exp.Substring: ("substr", ("start", "length")),
    exp.SplitPart: ("split_part", ("delimiter", "part_index")),
    exp.Replace: ("replace", ("expression", "replacement")),
    exp.Translate: ("translate", ("from_", "to")),
    exp.Pad: ("pad", ("expression", "fill_pattern")),
    exp.Trim: ("trim", ("expression",)),
}
_NUMBERS: Final = frozenset({exp.Left, exp.Right, exp.Substring, exp.Pad})
"""Those whose first argument after the text is a number."""
_TRIMS: Final = {"LEADING": "ltrim", "TRAILING": "rtrim", "BOTH": "btrim"}


def _function(scope: Scope, expression: exp.Expr) -> Term | None:
    """One of a text, with constants after it."""
    name, arguments = _ARGUMENTS[type(expression)]
    more = {key for key, value in expression.args.items() if value and key not in ("this", *arguments)}
    if isinstance(expression, exp.Pad):
        name, more = ("lpad" if expression.args.get("is_left") else "rpad"), more - {"is_left"}
    if isinstance(expression, exp.Trim):
        name, more = _TRIMS.get(expression.args.get("position") or "BOTH", "btrim"), more - {"position"}
    written = {name, "substring"} if name == "substr" else {name}
    subject = as_text(read(scope, expression.this))
    if more or subject is None or written & scope.overloaded:
        return None
    if subject.collated and name in ("lower", "upper"):
        # A value that is compared with the column's would be in the database's collation.
        return None
    constants: list[str] = []
    for number, key in enumerate(key for key in arguments if expression.args.get(key) is not None):
        wanted = int if type(expression) in _NUMBERS and (number == 0 or name == "substr") else str
        wanted = int if key == "part_index" else wanted
        constant = _argument(scope, expression.args[key], wanted)
        if constant is None:
            return None
        constants.append(constant)
    called = f'"{name}"' if name in ("left", "right") else name
    return made([subject], "text", lambda texts: f"pg_catalog.{called}({', '.join([texts[0], *constants])})")


def _argument(scope: Scope, expression: exp.Expr, wanted: type) -> str | None:
    constant = read(scope, expression)
    if constant is None or constant.source is not None:
        return None
    if wanted is int:
        return constant.sql if constant.type == "int4" and int(constant.sql) <= _MOST_LETTERS else None
    text = as_text(constant)
    return text.sql if text is not None else None


def _split(scope: Scope, expression: exp.Expr) -> Term | None:
    """A text's parts as an array."""
    text, constant = as_text(read(scope, expression.this)), _argument(scope, expression.expression, str)
    if text is None or constant is None or expression.args.get("null") or "string_to_array" in scope.overloaded:
        return None
    return made([text], "_text", lambda texts: f"pg_catalog.string_to_array({texts[0]}, {constant})")


def _joined(scope: Scope, expression: exp.Expr) -> Term | None:
    """`||` of texts and of what it makes a text of."""
    terms = [read(scope, side) for side in (expression.this, expression.expression)]
    sides = [term for term in terms if term is not None and term.type in (*HAVE_TEXT, "literal")]
    if len(sides) < 2 or "||" in scope.overloaded or not any(side.type in (*TEXTS, "literal") for side in sides):
        return None
    texts = [as_text(side) or cast_to(side, "text") for side in sides]
    return made(texts, "text", lambda both: f"({both[0]} || {both[1]})")


def _printed(scope: Scope, expression: exp.Expr) -> Term | None:
    """concat, concat_ws, format, encode."""
    return printed(expression, scope.overloaded, partial(read, scope))


# JSON

_SIGNS: Final[dict[type[exp.Expr], str]] = {
    exp.JSONExtract: "->",
    exp.JSONExtractScalar: "->>",
    exp.JSONBExtract: "#>",
    exp.JSONBExtractScalar: "#>>",
}


def _json(scope: Scope, expression: exp.Expr) -> Term | None:
    sign, subject = _SIGNS[type(expression)], read(scope, expression.this)
    if sign.startswith("-") and not expression.args.get("only_json_types"):
        return None  # json_extract_path, to which a number in quotes is a place
    step = _step(scope, expression.expression, sign)
    if subject is None or step is None or subject.type != "jsonb" or sign in scope.overloaded:
        return None
    result = "text" if sign.endswith(">>") else "jsonb"
    return made([subject], result, lambda texts: f"({texts[0]} {sign} {step})")


def _step(scope: Scope, expression: exp.Expr, sign: str) -> str | None:
    """A constant key, place or path."""
    if isinstance(expression, exp.JSONPath):
        last = expression.expressions[-1]
        if len(expression.expressions) != 2:
            return None
        if isinstance(last, exp.JSONPathKey) and isinstance(last.this, str) and "\\" not in last.this:
            return f"{quoted_text(last.this)}::text"
        number = last.this if isinstance(last, exp.JSONPathSubscript) else None
        return str(number) if isinstance(number, int) else None
    constant = read(scope, expression)
    if constant is None or constant.type != "literal":
        return None
    return f"{constant.sql}::text[]" if sign.startswith("#") else f"{constant.sql}::text"


# NULL, numbers


def _coalesce(scope: Scope, expression: exp.Expr) -> Term | None:
    terms = [read(scope, item) for item in (expression.this, *expression.expressions)]
    known = [term for term in terms if term is not None]
    types = {term.type for term in known if term.type != "literal"}
    if len(known) < len(terms):
        return None
    if types <= INTEGERS.keys() and types and len({term.type for term in known}) == len(types):
        result = max(types)
    elif types and types <= TEXTS.keys():
        result = types.pop() if len(types) == 1 else "text"
    else:
        return None
    same = [term if term.type == result else cast_to(term, result) for term in known]
    return made(same, result, lambda texts: f"COALESCE({', '.join(texts)})", strict=False)


def _nullif(scope: Scope, expression: exp.Expr) -> Term | None:
    subject, constant = read(scope, expression.this), read(scope, expression.expression)
    if subject is None or constant is None or constant.source is not None or "=" in scope.overloaded:
        return None
    if subject.type in ("text", "varchar") and constant.type == "literal":
        subject, constant = as_text(subject), as_text(constant)
    elif subject.type not in INTEGERS or constant.type not in INTEGERS:
        return None
    if subject is None or constant is None:
        return None
    return made([subject, constant], subject.type, lambda texts: f"NULLIF({texts[0]}, {texts[1]})")


def _sum(scope: Scope, expression: exp.Expr) -> Term | None:
    sign = "+" if isinstance(expression, exp.Add) else "-"
    sides = [read(scope, side) for side in (expression.this, expression.expression)]
    known = [side for side in sides if side is not None and side.type in INTEGERS]
    if len(known) < 2 or sign in scope.overloaded or all(side.source is not None for side in known):
        return None
    wide = [side if side.type == "int8" else cast_to(side, "int8") for side in known]
    return made(wide, "int8", lambda both: f"({both[0]} {sign} {both[1]})")


# casts


def _cast(scope: Scope, expression: exp.Expr) -> Term | None:
    target = CAST_TYPES.get(expression.args["to"].this) if not expression.args["to"].expressions else None
    term = read(scope, expression.this)
    if target is None or term is None or f"::{target}" in scope.overloaded:
        return None
    if target in ("text", "varchar"):
        if term.type in ("text", "varchar", "literal"):
            return term
        return cast_to(term, "text") if term.type in (*HAVE_TEXT, "jsonb") else None
    if target == term.type or (term.type in INTEGERS and target in (*INTEGERS, "numeric")):
        # It keeps the value, or fails.
        return term
    if target == "date" and term.type in STAMPS:
        return _day(term)
    if term.source is None or target not in READABLE:
        return None
    text = as_text(term)
    if text is None:
        return None
    found = made([text], target, lambda one: readable(one[0], target))
    return found and replace(found, indexable=False)


def _date(scope: Scope, expression: exp.Expr) -> Term | None:
    """`date(x)`, which is `x::date`."""
    term = read(scope, expression.this) if expression.this is not None else None
    alone = not any(value for name, value in expression.args.items() if name != "this")
    known = term is not None and term.type in STAMPS and alone and "date" not in scope.overloaded
    return _day(term) if term is not None and known else None


def _day(term: Term) -> Term:
    """By the session's time zone, which is the same for all that we ask, but not for whoever writes an index."""
    return replace(cast_to(term, "date"), indexable=term.type == "timestamp")


_READERS: Final[dict[type[exp.Expr], Callable[[Scope, exp.Expr], Term | None]]] = {
    **dict.fromkeys(_ARGUMENTS, _function),
    **dict.fromkeys(_SIGNS, _json),
    exp.DPipe: _joined,
    **dict.fromkeys((exp.Concat, exp.ConcatWs, exp.Format, exp.Encode), _printed),
    exp.StringToArray: _split,
    exp.Coalesce: _coalesce,
    exp.Nullif: _nullif,
    exp.Add: _sum,
    exp.Sub: _sum,
    exp.Cast: _cast,
    exp.Date: _date,
}
