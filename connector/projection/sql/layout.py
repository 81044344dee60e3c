"""Where the SELECTs, their clauses, CTEs and subqueries stand in the text, by its tokens.

By tokens and not by the tree, because edits go into the user's own text. Knows SQL text only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot.tokenizer_core import Token, TokenType

from connector.projection.sql.identifiers import unquoted

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
_AFTER_WHERE = ("group", "having", "window", "order", "limit", "offset", "fetch", "for")


@dataclass(frozen=True, slots=True)
class Span:
    """One SELECT in the text: half-open range of token indexes, and the index of each clause's first token."""

    first: int
    end: int
    clauses: dict[str, int]

    @property
    def condition_end(self) -> int:
        """The index of the first token after FROM and WHERE."""
        return min([at for name, at in self.clauses.items() if name in _AFTER_WHERE] + [self.end])


@dataclass(frozen=True, slots=True)
class Subquery:
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


class Layout:
    """`spans`: every SELECT, in the order of the text."""

    def __init__(self, tokens: Sequence[Token], text: str) -> None:
        self._tokens = tokens
        self._text = text
        self.spans = list(self._find_spans())

    def span(self, offset: int) -> Span:
        """The innermost SELECT around an offset."""
        around = [
            span for span in self.spans if self._tokens[span.first].start <= offset <= self._tokens[span.end - 1].end
        ]
        return max(around, key=lambda span: span.first)

    def subqueries(self) -> Iterator[Subquery]:
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
                written = "" if name is None else self._text[name.start : name.end + 1]
                yield Subquery(before.end + 1, inside.start, at, unquoted(written), ctes_end)
            index = end + 1

    def is_name(self, index: int) -> bool:
        """A clause's word that is no clause here: after a dot or AS, or the FROM of IS DISTINCT FROM."""
        before = self._tokens[index - 1].token_type if index else None
        if before in (TokenType.DOT, TokenType.ALIAS):
            return True
        if before == TokenType.DISTINCT and self._tokens[index].token_type == TokenType.FROM:
            return self._tokens[index - 2].token_type in (TokenType.IS, TokenType.NOT)
        return False

    def _find_spans(self) -> Iterator[Span]:
        for first, token in enumerate(self._tokens):
            if token.token_type != TokenType.SELECT or self.is_name(first):
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
                elif depth == 0 and kind in _SET_OPERATIONS and not self.is_name(index):
                    end = index
                    break
                elif depth == 0 and kind in _CLAUSES and not self.is_name(index):
                    clauses.setdefault(_CLAUSES[kind], index)
            yield Span(first, end, clauses)

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
