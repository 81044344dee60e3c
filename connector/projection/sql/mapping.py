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
from connector.projection.sql.keys import quoted
from connector.projection.sql.vocabulary import Vocabulary, fold, of_tokens, qualifiers

ORDER_KEY = re.compile(r"^\s*--\s*order_key\s*:\s*(?P<rest>.*?)\s*$", re.MULTILINE)
_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$]*)'
_ORDER_KEY_VALUE = re.compile(rf"^({_NAME})\s*\.\s*({_NAME})\s*\(\s*({_NAME}(?:\s*,\s*{_NAME})*)\s*\)\s*;?$")

_CLAUSES = {
    TokenType.FROM: "from",
    TokenType.WHERE: "where",
    TokenType.GROUP_BY: "group",
    TokenType.HAVING: "having",
    TokenType.WINDOW: "window",
    TokenType.ORDER_BY: "order",
    TokenType.LIMIT: "limit",
    TokenType.OFFSET: "offset",
    TokenType.FETCH: "fetch",
    TokenType.FOR: "for",
}
_SET_OPERATIONS = (TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT)
_AFTER_FROM = ("where", "group", "having", "window", "order", "limit", "offset", "fetch", "for")


@dataclass(frozen=True, slots=True)
class Span:
    """One SELECT in the text: half-open range of token indexes, and the index of each clause's first token."""

    first: int
    end: int
    clauses: dict[str, int]


@dataclass(frozen=True, slots=True)
class Group:
    """A CTE or subquery of the outermost query, in parentheses: `start` to `end` are the offsets of what is inside.
    `name`: of a CTE, else empty; `at`: where it begins for a person; `ctes_end`: up to there stand the CTEs that it may
    read (itself, when it is one), 0 when there are none."""

    start: int
    end: int
    at: int
    name: str
    ctes_end: int

    def holds(self, offset: int) -> bool:
        return self.start <= offset < self.end


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
        self._tokens = self._tokenize()
        self._schemas: dict[int, str] = {}
        self.vocabulary: Vocabulary = of_tokens(self._tokens, text)
        self.select = self._parse()
        self._spans = list(self._find_spans())
        if len(self._spans) != sum(1 for _ in self.select.find_all(exp.Select)):
            # `TABLE name` is a SELECT without the word; edits would land in the query around it.
            raise ConfigurationError([self.problem("TABLE is not supported: write SELECT", 0)])

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
        return Problem(what, hint, self.where(offset))

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
            if word in wanted and not self._is_name(index):
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
        columns = tuple(_fold_written(name) for name in re.findall(_NAME, value[3]))
        return TableName(_fold_written(value[1]), _fold_written(value[2])), columns, at

    def groups(self) -> Iterator[Group]:
        """The outermost query's CTEs and subqueries, in the order of the text."""
        ctes = self._tokens[0].token_type == TokenType.WITH
        ctes_end, index = 0, 0
        while index < len(self._tokens):
            token = self._tokens[index]
            if token.token_type == TokenType.SELECT:
                ctes = False
            if token.token_type != TokenType.L_PAREN or not (ctes or self._is_query(index)):
                index += 1
                continue
            end = self._closing(index)
            if self._is_query(index):
                name = self._cte_name(index) if ctes else None
                before, inside = self._tokens[index], self._tokens[end]
                ctes_end = inside.end + 1 if name is not None else ctes_end
                at = name.start if name is not None else self._tokens[index + 1].start
                written = "" if name is None else self.text[name.start : name.end + 1]
                yield Group(before.end + 1, inside.start, at, _fold_written(written), ctes_end)
            index = end + 1

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
        span = self._span(inside)
        first = span.clauses.get("where")
        end = min([at for name, at in span.clauses.items() if name in _AFTER_FROM and name != "where"] + [span.end])
        after = self._tokens[end - 1].end + 1
        if first is None:
            return [Edit(after, f"\nWHERE {condition}")]
        return [Edit(self._tokens[first].end + 1, f" {condition} AND ("), Edit(after, ")")]

    def more_output(self, inside: int, columns: str) -> Edit:
        """The edit that adds output columns at the end of the select list of the SELECT around an offset."""
        first = self._span(inside).clauses["from"]
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
            statements = [tree for tree in sqlglot.parse(self.text, read="postgres") if tree is not None]
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

    def _find_spans(self) -> Iterator[Span]:
        for first, token in enumerate(self._tokens):
            if token.token_type != TokenType.SELECT or self._is_name(first):
                continue
            clauses: dict[str, int] = {}
            depth, end = 0, len(self._tokens)
            for index in range(first + 1, len(self._tokens)):
                kind = self._tokens[index].token_type
                if kind == TokenType.L_PAREN:
                    depth += 1
                elif kind == TokenType.R_PAREN:
                    depth -= 1
                    if depth < 0:
                        end = index
                        break
                elif depth == 0 and kind in _SET_OPERATIONS and not self._is_name(index):
                    end = index
                    break
                elif depth == 0 and kind in _CLAUSES and not self._is_name(index):
                    clauses.setdefault(_CLAUSES[kind], index)
            yield Span(first, end, clauses)

    def _is_name(self, index: int) -> bool:
        """A clause's word that is no clause here: after a dot or AS, or the FROM of IS DISTINCT FROM."""
        before = self._tokens[index - 1].token_type if index else None
        if before in (TokenType.DOT, TokenType.ALIAS):
            return True
        if before == TokenType.DISTINCT and self._tokens[index].token_type == TokenType.FROM:
            return self._tokens[index - 2].token_type in (TokenType.IS, TokenType.NOT)
        return False

    def _is_query(self, index: int) -> bool:
        """Whether a query stands in the parentheses that open here."""
        after = self._tokens[index + 1].token_type if index + 1 < len(self._tokens) else None
        return after in (TokenType.SELECT, TokenType.WITH)

    def _closing(self, index: int) -> int:
        """Where the parentheses close that open here."""
        depth = 0
        for at in range(index, len(self._tokens)):
            kind = self._tokens[at].token_type
            depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
            if depth == 0:
                return at
        return len(self._tokens) - 1

    def _cte_name(self, index: int) -> Token:
        """Of the CTE whose parentheses open here: name [(columns)] AS [NOT] [MATERIALIZED] ("""
        at = index
        while self._tokens[at].token_type != TokenType.ALIAS:
            at -= 1
        at -= 1
        if self._tokens[at].token_type == TokenType.R_PAREN:
            while self._tokens[at].token_type != TokenType.L_PAREN:
                at -= 1
            at -= 1
        return self._tokens[at]

    def _span(self, offset: int) -> Span:
        around = [
            span for span in self._spans if self._tokens[span.first].start <= offset <= self._tokens[span.end - 1].end
        ]
        return max(around, key=lambda span: span.first)


def read_query(text: str) -> exp.Query | None:
    """One query that is no mapping (a view's, a function's); None when it isn't one."""
    try:
        trees = [tree for tree in sqlglot.parse(text, read="postgres") if tree is not None]
    except (ParseError, TokenError):
        return None
    if len(trees) != 1 or not isinstance(trees[0], (exp.Select, exp.SetOperation)):
        return None
    return trees[0]


def name_of(identifier: exp.Identifier) -> str:
    return str(identifier.this) if identifier.args.get("quoted") else fold(str(identifier.this))


def offset_of(node: exp.Expr) -> int:
    """Where a node begins: its first name, or that of the nearest node around it that has one."""
    around: exp.Expr | None = node
    while around is not None:
        starts = [found.meta["start"] for found in around.find_all(exp.Identifier) if "start" in found.meta]
        if starts:
            return int(min(starts))
        around = around.parent
    return 0


def _fold_written(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else fold(name)


def _plain(error: Exception) -> str:
    """The tokenizer's message quotes the text; keep only its first words."""
    return str(error).split(" '", 1)[0].split("\n", 1)[0]
