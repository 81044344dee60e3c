"""The text of mapping.sql: parsed, with places in it that can be named to a person and edited.

Knows SQL text only; must not know the catalog or a connection. Edits are insertions into the user's own text, so that
what the server runs is what the user wrote, never a rendering of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from connector.model.changes import TableName
from connector.model.errors import ConfigurationError, Problem
from connector.model.texts import is_storable
from connector.postgres.quoting import quoted
from connector.projection.sql.identifiers import Identifiers, fold, of_tokens, qualifiers, unquoted
from connector.projection.sql.layout import Layout, Subquery
from connector.projection.sql.syntax import Dialect, offset_of, with_plain_values
from connector.projection.sql.typography import odd_character

ORDER_KEY = re.compile(r"^\s*--\s*order_key\s*:\s*(?P<rest>.*?)\s*$", re.MULTILINE)
_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$]*)'
_ORDER_KEY_VALUE = re.compile(rf"^({_NAME})\s*\.\s*({_NAME})\s*\(\s*({_NAME}(?:\s*,\s*{_NAME})*)\s*\)\s*;?$")


_LONGEST = 1000
"""Characters of a problem, which may name what the mapping names."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Put `text` at `offset` (characters from the start of the mapping)."""

    offset: int
    text: str


class Mapping:
    """The parsed text. `path` is how problems name it."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        if not is_storable(text):
            raise ConfigurationError([Problem("holds a zero byte or half a character", "save it as UTF-8 text", path)])
        self._tokens = self._tokenize()
        odd = odd_character(text, ((token.start, token.end) for token in self._tokens))
        if odd is not None:
            hint = "type it anew: a plain blank, ' around texts, \" around names"
            raise ConfigurationError([self.problem(f"a {odd[1]} stands in the SQL", odd[0], hint)])
        self._schemas: dict[int, str] = {}
        self.identifiers: Identifiers = of_tokens(self._tokens, text)
        self.select = self._parse()
        self._layout = Layout(self._tokens, text)
        if len(self._layout.spans) != sum(1 for _ in self.select.find_all(exp.Select)):
            # `TABLE name` is a SELECT without the word; edits would land in the query around it.
            at = next(iter(self.words(frozenset({"table"})).values()), 0)
            raise ConfigurationError([self.problem("TABLE is not supported", at, "write (SELECT * FROM the table)")])

    # places

    def where(self, offset: int) -> str:
        """`mapping.sql:LINE:COLUMN` of a character offset, both counted from 1."""
        before = self.text[:offset]
        line = before.count("\n") + 1
        return f"{self.path}:{line}:{offset - (before.rfind(chr(10)) + 1) + 1}"

    def line(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1

    def problem(self, what: str, at: exp.Expr | int, hint: str = "") -> Problem:
        offset = at if isinstance(at, int) else offset_of(at)
        return Problem(what if len(what) < _LONGEST else what[:_LONGEST] + "...", hint, self.where(offset))

    # reading

    @property
    def written(self) -> str:
        """The text without a trailing semicolon or what follows it."""
        return self.text[: self._tokens[-1].end + 1]

    @property
    def statement(self) -> str:
        """The same, with the schemas of `with_schemas`."""
        return self.edited([])

    @property
    def normal_form(self) -> str:
        """The statement without comments, each token one space apart: equal for texts that mean the same."""
        words = []
        for token in self._tokens:
            schema = self._schemas.get(token.start)
            words += [] if schema is None else [schema if fold(schema) == schema else quoted(schema), "."]
            words.append(self.text[token.start : token.end + 1])
        return " ".join(words)

    def fingerprint(self, *more: str) -> str:
        return hashlib.sha256("\0".join((self.normal_form, *more)).encode()).hexdigest()

    def schemas(self) -> frozenset[str]:
        """Every name before a dot in front of a function, or of a type that something is cast to. Tables' are not
        among them."""
        return qualifiers(self._tokens, self.text)

    def words(self, wanted: frozenset[str]) -> dict[str, int]:
        """Those of the unquoted words that occur as a token and no column's name, with their first offset."""
        found: dict[str, int] = {}
        for index, token in enumerate(self._tokens):
            word = fold(self.text[token.start : token.end + 1])
            if word in wanted and not self._layout.is_name(index):
                found.setdefault(word, token.start)
        return found

    def order_key(self) -> tuple[TableName, tuple[str, ...], int] | None:
        """What an `-- order_key: schema.table(column, ...)` line says, with its offset. Raises ConfigurationError."""
        match = ORDER_KEY.search(self.text)
        if match is None:
            return None
        at = match.start("rest")
        value = _ORDER_KEY_VALUE.match(match["rest"])
        if value is None:
            hint = "write it as: -- order_key: schema.table(column)"
            raise ConfigurationError([self.problem("the order_key line can't be read", at, hint)])
        columns = tuple(unquoted(name) for name in re.findall(_NAME, value[3]))
        return TableName(unquoted(value[1]), unquoted(value[2])), columns, at

    def subqueries(self) -> Iterator[Subquery]:
        """The outermost query's CTEs and subqueries, in the order of the text."""
        return self._layout.subqueries()

    # editing

    def with_schemas(self, schemas: dict[int, str]) -> Mapping:
        """The mapping with a schema before the name at each of these offsets. Places stay those of the text."""
        made = copy(self)
        made._schemas = schemas
        return made

    def piece(self, start: int, end: int, edits: Sequence[Edit]) -> str:
        """A part of the text, with those of the edits that fall into it."""
        text = self.text[start:end]
        for edit in self._backwards(edits):
            if start <= edit.offset <= end:
                text = text[: edit.offset - start] + edit.text + text[edit.offset - start :]
        return text

    def restriction(self, inside: int, condition: str) -> list[Edit]:
        """Edits that add a condition to the WHERE of the SELECT around an offset."""
        span = self._layout.span(inside)
        first = span.clauses.get("where")
        after = self._tokens[span.condition_end - 1].end + 1
        if first is None:
            return [Edit(after, f"\nWHERE {condition}")]
        return [Edit(self._tokens[first].end + 1, f" {condition} AND ("), Edit(after, ")")]

    def more_output(self, inside: int, columns: str) -> Edit:
        """The edit that adds output columns at the end of the select list of the SELECT around an offset."""
        first = self._layout.span(inside).clauses["from"]
        return Edit(self._tokens[first - 1].end + 1, f", {columns}")

    def edited(self, edits: Sequence[Edit]) -> str:
        text = self.written
        for edit in self._backwards(edits):
            text = text[: edit.offset] + edit.text + text[edit.offset :]
        return text

    def _backwards(self, edits: Sequence[Edit]) -> list[Edit]:
        """With the schemas of `with_schemas`, so that none moves another's place."""
        schemas = [Edit(at, f"{quoted(schema)}.") for at, schema in self._schemas.items()]
        return sorted([*edits, *schemas], key=lambda edit: edit.offset, reverse=True)

    # making

    def _tokenize(self) -> list[Token]:
        try:
            tokens = sqlglot.tokenize(self.text, read="postgres")
        except TokenError as error:
            raise ConfigurationError([self._token_problem(error)]) from None
        while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
            tokens.pop()
        if not tokens:
            raise ConfigurationError([Problem("there is no SQL in it", "write one SELECT", f"{self.path}:1:1")])
        return tokens

    def _parse(self) -> exp.Query:
        try:
            statements = [tree for tree in sqlglot.parse(self.text, read=Dialect) if tree is not None]
        except ParseError as error:
            raise ConfigurationError([self._parse_problem(found) for found in error.errors]) from None
        statements = [tree for tree in statements if not isinstance(tree, exp.Semicolon)]
        if len(statements) != 1:
            second = next(index for index, token in enumerate(self._tokens) if token.token_type == TokenType.SEMICOLON)
            hint = "keep one SELECT"
            at = self._tokens[second + 1].start
            raise ConfigurationError([self.problem(f"there are {len(statements)} statements, not one", at, hint)])
        tree = statements[0]
        begins = (TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN)
        if not isinstance(tree, (exp.Select, exp.SetOperation)) or self._tokens[0].token_type not in begins:
            what = f"this is not a SELECT but {self._tokens[0].text.upper()}"
            raise ConfigurationError([self.problem(what, self._tokens[0].start, "the mapping is one SELECT")])
        with_plain_values(tree)
        return tree

    def _parse_problem(self, found: dict[str, object]) -> Problem:
        # `col` is the column of the offending token's last character.
        highlight = str(found.get("highlight") or "")
        column = max(1, int(str(found.get("col") or 1)) - max(0, len(highlight) - 1))
        what = f"syntax error at or near {highlight!r}" if highlight else "syntax error at the end"
        hint = "mend it there or just before; psql shows what the server makes of the query"
        return Problem(what, hint, f"{self.path}:{found.get('line') or 1}:{column}")

    def _token_problem(self, error: TokenError) -> Problem:
        hint = "look for a quote or a comment that is never closed"
        return Problem(f"the SQL can't be read: {_plain(error).lower()}", hint, f"{self.path}:1:1")


def _plain(error: Exception) -> str:
    """The tokenizer's message quotes the text; keep only its first words."""
    return str(error).split(" '", 1)[0].split("\n", 1)[0]
