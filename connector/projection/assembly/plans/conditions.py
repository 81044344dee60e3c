"""Conditions of a query or of a plan, as text: which columns of a table they are on, and whether they name a value.

Postgres prints a plan's conditions as SQL, so the same reading serves the plan's and our own queries'. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import TokenType

from connector.postgres.quoting import quoted
from connector.projection.sql.syntax import bare, name_of

_STRINGS = frozenset({"character varying", "varchar", "character", "bpchar", "char", "text", "name"})
_RESULT_OF_SUBQUERY = re.compile(r"\((?:hashed |alternatives: )?(?:SubPlan|InitPlan) [^()]*\)(?:\.\w+)?")
_CALL = re.compile(r"(?<![\w.])(?:pg_catalog\.)?(\w+)\(")
_CAST_NAME = re.compile(r'\(("(?:[^"]|"")+")\)::')
_CAST = re.compile(r'(?:("(?:[^"]|"")+")|\(("(?:[^"]|"")+")\)|\))::(character varying|[\w."]+(?:\[\])?)')
_TRIM = re.compile(r"TRIM\((BOTH|LEADING|TRAILING) (?:('(?:[^']|'')*'(?:::text)?) )?FROM (\"(?:[^\"]|\"\")+\")\)")
_TRIMS = {"BOTH": "btrim", "LEADING": "ltrim", "TRAILING": "rtrim"}
_DECORATION = str.maketrans("", "", '()" ')
_ORDERS = (" <= ", " >= ", " < ", " > ")
_OF_ARRAYS = (" OPERATOR(pg_catalog.&&) ", " OPERATOR(pg_catalog.@>) ", " && ", " @> ")
_BARE_VALUES = (exp.Cast, exp.Any, exp.Array, exp.And, exp.Or, exp.Not)
"""Of what is a function to the parser, that which names a value or a condition."""


@dataclass(frozen=True, slots=True)
class Term:
    """What an index may be on: an expression of a table's columns, without an alias. `column`: the one that it is, or
    (`cast`) is a cast of; empty when it is more than that. `elements`: it is an array whose elements are sought.
    `bounded`: what is sought is less or greater."""

    text: str
    column: str = ""
    cast: str = ""
    elements: bool = False
    bounded: bool = False

    def is_column(self, strings: frozenset[str]) -> bool:
        """An index on the column serves. `strings`: the table's columns of a string type, whose casts to another
        change nothing."""
        return bool(self.column) and (not self.cast or (self.column in strings and self.cast in _STRINGS))

    def indexed(self, strings: frozenset[str]) -> str:
        """As CREATE INDEX has it."""
        return quoted(self.column) if self.is_column(strings) else "({})".format(_CAST_NAME.sub(r"\1::", self.text))

    def printed(self, strings: frozenset[str]) -> str:
        """As a person reads it."""
        return self.column if self.is_column(strings) else self.text.replace('"', "")

    @property
    def calls(self) -> frozenset[str]:
        """Names of functions, and of what looks like one."""
        return frozenset(_CALL.findall(self.text))

    def may_be_indexed(self, strings: frozenset[str], unsettled: frozenset[str], mutable: frozenset[str]) -> bool:
        """An index on it can be made, and makes none of the OMS's own writes fail. `unsettled`, `mutable`: see
        `TableFacts`. A text that is cast may be none of the type; a CASE is how we write such a cast."""
        casts = [(_name_in(found), found[3] in _STRINGS) for found in _CAST.finditer(self.text)]
        fails = any(name in unsettled or (not kept and (name is None or name in strings)) for name, kept in casts)
        return not fails and not self.calls & mutable and not self.text.lstrip("(").startswith("CASE")

    def canonical(self, strings: frozenset[str]) -> str:
        """The same for two texts of the server's own that are of one expression: it prints one with more parentheses or
        casts than another, and some functions as they were written."""

        def without_cast(found: re.Match[str]) -> str:
            changes_nothing = _name_in(found) in strings and found[3] in _STRINGS
            return found[1] or found[2] if changes_nothing else found[0]

        text = _TRIM.sub(
            lambda found: f"{_TRIMS[found[1]]}({found[3]}{f', {found[2]}' if found[2] else ''})", self.text
        )
        return _CAST.sub(without_cast, text).translate(_DECORATION)


def _name_in(cast: re.Match[str]) -> str | None:
    """The column that is cast; None for an expression."""
    name = cast[1] or cast[2]
    return name[1:-1].replace('""', '"') if name else None


def same_expression(one: str, other: str) -> bool:
    """Whether two texts of the server's own are of one expression: it prints them with more or fewer parentheses."""
    return one.translate(_DECORATION) == other.translate(_DECORATION)


class Condition:
    """One condition among those that all must hold."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tree = _parsed(text)
        # In a subquery of ours nothing of the query around it is named.
        columns = self._tree.find_all(exp.Column) if self._tree is not None else ()
        self._columns = [column for column in columns if column.find_ancestor(exp.Query) is None]
        self.aliases = frozenset(_alias(column) for column in self._columns) - {""}
        self.has_parameter = self._tree is not None and self._tree.find(exp.Parameter) is not None

    def entering(self, alias: str) -> tuple[Term, ...]:
        """What of the alias is set equal to something of another table, or to a parameter."""
        if self._tree is None or alias not in self.aliases:
            return ()
        if len(sides := split(self.text, " IN ")) == 2:
            listed = sides[0].strip()
            names = split(listed[1:-1], ", ") if _in_parentheses(listed) else [listed]
            terms = [Condition(name).as_term(alias) for name in names]
            return tuple(term for term in terms if term is not None) if "SELECT" in sides[1] and all(terms) else ()
        for sign in _OF_ARRAYS:
            if len(sides := split(self.text, sign)) == 2:
                array = Condition(sides[0]).as_term(alias)
                return (replace(array, elements=True),) if array and alias not in Condition(sides[1]).aliases else ()
        return tuple(term for term, _ in self._compared(alias, " = "))[:1]

    def bounding(self, alias: str) -> tuple[tuple[Term, bool], ...]:
        """Columns of the alias that are less or greater than something of another table, or than a parameter; each with
        whether it is less."""
        if self._tree is None or alias not in self.aliases:
            return ()
        found = [(term, left == (sign[1] == "<")) for sign in _ORDERS for term, left in self._compared(alias, sign)]
        return tuple((replace(term, bounded=True), less) for term, less in found if term.column and not term.cast)

    def _compared(self, alias: str, sign: str) -> Iterator[tuple[Term, bool]]:
        """What of the alias is compared with what isn't, and isn't constant; whether it stands on the left."""
        if len(sides := split(self.text, sign)) != 2:
            return
        for mine, theirs in (sides, sides[::-1]):
            # An index on an array doesn't serve `= ANY (array)`.
            term = Condition(mine.strip()).as_term(alias) if not mine.strip().startswith("ANY ") else None
            other = Condition(theirs.strip().removeprefix("ANY "))
            if term is not None and alias not in other.aliases and (other.aliases or other.has_parameter):
                yield term, mine is sides[0]

    def as_term(self, alias: str) -> Term | None:
        """None unless it is an expression of columns of the alias alone."""
        if self._tree is None or self.aliases != {alias} or self.has_parameter or self._tree.find(exp.Query):
            return None
        text = self.with_columns(lambda _, name: quoted(name))
        node, cast = bare(self._tree), ""
        if isinstance(node, exp.Cast):
            cast, node = node.args["to"].sql("postgres").lower(), bare(node.this)
        return Term(text, name_of(node.this), cast) if isinstance(node, exp.Column) else Term(text)

    def is_constant(self, alias: str) -> bool:
        """It is on columns of the alias alone, and the same for each row and at any time: an index may be on the rows
        that it holds for."""
        if self._tree is None or self.has_parameter or self.aliases != {alias} or self._tree.find(exp.Query):
            return False
        functions = self._tree.find_all(exp.Func)
        return all(isinstance(each, _BARE_VALUES) for each in functions) and all(map(_alias, self._columns))

    def columns_of(self, alias: str) -> frozenset[str]:
        """Names of columns of the alias, or of none."""
        return frozenset(name_of(column.this) for column in self._columns if _alias(column) in ("", alias))

    def is_presence(self) -> bool:
        """IS NOT NULL of something."""
        tree = self._tree and bare(self._tree)
        return isinstance(tree, exp.Is) and bool(tree.args.get("negate"))

    def with_columns(self, written: Callable[[str, str], str]) -> str:
        """The text with each column as `written` has it, given its alias and its name."""
        text = self.text
        for column in sorted(self._columns, key=_start, reverse=True):
            end = column.this.meta["end"] + 1
            text = text[: _start(column)] + written(_alias(column), name_of(column.this)) + text[end:]
        return text


def sought(conditions: Iterable[Condition], alias: str) -> tuple[Term, ...]:
    """By what rows of the alias are found, as an index on all of it would find them: what is equal, and then a column
    that is less or greater. That alone leads to few rows only if it is both."""
    conditions = list(conditions)
    equal = tuple(dict.fromkeys(term for each in conditions for term in each.entering(alias)))
    bounds = dict.fromkeys(bound for each in conditions for bound in each.bounding(alias))
    both = [term for term, less in bounds if (term, not less) in bounds]
    # An index on the column serves its day as well.
    days = {term.column for term in both}
    equal = tuple(term for term in equal if not (term.cast == "date" and term.column in days))
    known = {term.column for term in equal}
    useful = both or ([term for term, _ in bounds] if any(not term.elements for term in equal) else [])
    return (*equal, *[term for term in useful if term.column not in known][:1])


def conjuncts(text: str) -> Iterator[Condition]:
    """Those of a text of conditions joined by AND."""
    text = text.strip()
    parts = split(text, " AND ")
    if len(parts) > 1:
        for part in parts:
            yield from conjuncts(part)
    elif _in_parentheses(text):
        yield from conjuncts(text[1:-1])
    elif text:
        yield Condition(text)


def split(text: str, word: str) -> list[str]:
    """The parts between a word, wherever it stands in no parentheses and no quotes."""
    parts, depth, quote, begun, at = [], 0, "", 0, 0
    while at < len(text):
        letter = text[at]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "()[]":
            depth += 1 if letter in "([" else -1
        elif depth == 0 and text.startswith(word, at):
            parts.append(text[begun:at])
            at = begun = at + len(word)
            continue
        at += 1
    return [*parts, text[begun:]]


def without_parameters(query: str) -> str:
    """The query with a value that nothing is known of in the place of each parameter, so that it can be planned for
    any values."""
    parts, end = [], 0
    for sign, number in pairwise(sqlglot.tokenize(query, read="postgres")):
        if sign.token_type == TokenType.PARAMETER:
            parts += [query[end : sign.start], "(SELECT NULL)"]
            end = number.end + 1
    return "".join([*parts, query[end:]])


def _parsed(text: str) -> exp.Expr | None:
    try:
        return sqlglot.parse_one(_RESULT_OF_SUBQUERY.sub(_of_same_length, text), read="postgres")
    except (ParseError, TokenError):
        return None


def _of_same_length(found: re.Match[str]) -> str:
    """A parameter in its place, so that what follows stays where it is."""
    return "$0".ljust(len(found[0]))


def _alias(column: exp.Column) -> str:
    table = column.args.get("table")
    return name_of(table) if isinstance(table, exp.Identifier) else ""


def _start(column: exp.Column) -> int:
    first = column.args.get("table") or column.this
    return int(first.meta["start"])


def _in_parentheses(text: str) -> bool:
    """One pair is around all of it."""
    depth, quote = 0, ""
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        if depth == 0:
            return at > 0 and at == len(text) - 1
    return False
