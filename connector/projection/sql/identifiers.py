"""The names that a text uses besides those of tables and columns: functions, operators, types, and schemas before them.

By its tokens and not by its tree, so that the bodies of functions in any language can be asked, too, and nothing that
is written in a way that the parser turns into something else is overlooked. What merely looks like a use (a word before
a parenthesis, a part of an operator) is among them: the catalog knows which of them are. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlglot
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

OPERATORS = frozenset({"=", "<>", "<", "<=", ">", ">=", "~~", "!~~", "~~*", "!~~*", "~"})
"""Meant by words (IN, BETWEEN, LIKE, SIMILAR TO, DISTINCT FROM, USING), and by what we add to a mapping."""
_OPERATOR = frozenset("+-*/<>=~!@#%^&|`?")
_LONGEST = 8
"""Letters of an operator that may be one among others beside it."""
_NAMED = (TokenType.DCOLON, TokenType.ALIAS)


@dataclass(frozen=True, slots=True)
class Identifiers:
    """Each name with its first offset. `functions`: before a parenthesis. `parts`: `name` of `(expression).name`;
    `fields`: `word.name` of `(word).name` and of `(other.word).name`; `columns`: `name` of `word.name`; the name may be
    a function's in all of them. `types`: every name, since it may be a type's; `rows`: after `::` or AS, or before a
    text, where a table's name is that of its row type."""

    functions: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)
    fields: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, int] = field(default_factory=dict)
    operators: Mapping[str, int] = field(default_factory=dict)
    types: Mapping[str, int] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    schemas: frozenset[str] = frozenset()

    def offset(self, name: str) -> int:
        """Where it is used first; 0 where it isn't in the text itself."""
        found = (self.functions, self.parts, self.fields, self.columns, self.operators, self.rows, self.types)
        return next((names[name] for names in found if name in names), 0)

    def __or__(self, other: Identifiers) -> Identifiers:
        kinds = ("functions", "parts", "fields", "columns", "operators", "types", "rows")
        names = {kind: {**getattr(other, kind), **getattr(self, kind)} for kind in kinds}
        return Identifiers(**names, schemas=self.schemas | other.schemas)


def identifiers_in(text: str) -> Identifiers:
    """Of SQL, or of a language whose names and operators look like SQL's; nothing of what can't be split into words."""
    try:
        return of_tokens(sqlglot.tokenize(text, read="postgres"), text)
    except TokenError:
        return Identifiers()


def of_tokens(tokens: Sequence[Token], text: str) -> Identifiers:
    kinds = ("functions", "parts", "fields", "columns", "types", "rows")
    names: dict[str, dict[str, int]] = {kind: {} for kind in kinds}
    schemas: set[str] = set()
    for index, token in enumerate(tokens):
        name = _name(token, text)
        if name is None:
            continue
        before = tokens[index - 1].token_type if index else None
        after = tokens[index + 1].token_type if index + 1 < len(tokens) else None
        if after == TokenType.DOT:
            schemas.add(name)
            continue
        start = _first_of_dotted(tokens, index)
        names["types"].setdefault(name, token.start)
        if after == TokenType.L_PAREN:
            names["functions"].setdefault(name, token.start)
        elif before == TokenType.DOT and start == index and index > 1:
            word = _in_parentheses(tokens, index - 2, text)
            names["fields" if word else "parts"].setdefault(f"{word}.{name}" if word else name, token.start)
        elif before == TokenType.DOT:
            names["columns"].setdefault(name, token.start)
        if after == TokenType.STRING or (start and tokens[start - 1].token_type in _NAMED):
            names["rows"].setdefault(name, token.start)
    return Identifiers(**names, operators=dict(_operators(tokens, text)), schemas=frozenset(schemas))


def qualifiers(tokens: Sequence[Token], text: str) -> frozenset[str]:
    """Schemas before functions, and before types that something is cast to."""
    found = set()
    for index in range(1, len(tokens) - 1):
        before, token, after = tokens[index - 1 : index + 2]
        if after.token_type != TokenType.DOT or before.token_type == TokenType.DOT or index + 3 > len(tokens):
            continue
        calls = index + 3 < len(tokens) and tokens[index + 3].token_type == TokenType.L_PAREN
        cast = before.token_type == TokenType.DCOLON
        if calls or cast or before.token_type == TokenType.ALIAS:
            found.add(token.text if text[token.start] == '"' else fold(token.text))
    return frozenset(found)


def _first_of_dotted(tokens: Sequence[Token], index: int) -> int:
    """The index of `a` for that of `c` in `a.b.c`; the same for `c` in `(...).c`."""
    while index > 1 and tokens[index - 1].token_type == TokenType.DOT:
        if tokens[index - 2].token_type in (TokenType.R_PAREN, TokenType.R_BRACKET):
            return index
        index -= 2
    return index


def _in_parentheses(tokens: Sequence[Token], end: int, text: str) -> str | None:
    """The last name of what ends at this parenthesis, if that is a dotted name and nothing else."""
    index = end - 1
    while index > 1 and tokens[index - 1].token_type == TokenType.DOT:
        index -= 2
    opened = index > 0 and tokens[index - 1].token_type == TokenType.L_PAREN
    called = opened and index > 1 and _name(tokens[index - 2], text) is not None
    return _name(tokens[end - 1], text) if opened and not called else None


def _name(token: Token, text: str) -> str | None:
    written = text[token.start : token.end + 1]
    if written.startswith('"'):
        return token.text
    first = written[:1]
    return fold(written) if first.isalpha() or first == "_" else None


def _operators(tokens: Sequence[Token], text: str) -> list[tuple[str, int]]:
    """Each part of each row of operators' letters, since where one ends is for the server to say; the whole first."""
    runs: list[tuple[int, int]] = []
    for token in tokens:
        if set(text[token.start : token.end + 1]) <= _OPERATOR:
            begins = runs.pop()[0] if runs and runs[-1][1] == token.start else token.start
            runs.append((begins, token.end + 1))
    found: dict[str, int] = {}
    for begins, ends in runs:
        for start in range(begins, ends):
            for end in range(min(ends, start + _LONGEST), start, -1):
                found.setdefault(text[start:end], start)
    return list(found.items())


def fold(name: str) -> str:
    """An unquoted name as Postgres stores it: ASCII letters lowered."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def unquoted(name: str) -> str:
    """A name as Postgres stores it, of how it is written."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else fold(name)
