"""Redaction of Redo's messages, which may quote the order and end up in logs.

A message is masked word by word: each word that occurs in the order or in a secret, however it is written (escaped,
percent-encoded, in another case, with or without accents).
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Final
from urllib.parse import unquote

from connector.contract.schema.field_tree import field_names, field_tree
from connector.model.off_loop import pausing

LONGEST_MESSAGE: Final = 300
LONGEST_WORD: Final = 40
"""Characters; a longer one is a token or something encoded, not a word."""
MASK: Final = "…"
LARGE: Final = 256 * 1024
"""Bytes from which an order isn't compared with a message: that would take seconds, and so large an order has most
words by chance. Then all words are masked but those in `_PLAIN`."""
LEFT_OUT: Final = "(Redo's message is left out: it quotes the order)"

FIELDS: Final = frozenset(field_names(field_tree()))
"""The field names of Redo's order: the only names shown in a violation's path."""

_WORD: Final = re.compile(r"[^\W_]+")
_CAMEL: Final = re.compile(r"[A-Z]?[a-z]+|[0-9]+")
_ADDRESS: Final = re.compile(r"(?<!\S)\S*@\S*")
_DIGITS: Final = re.compile(r"\d[\d ().-]{5,}\d")
_LETTERS: Final = re.compile(r"(?<![^\W_])(?:[^\W_][\W_]+){2,}[^\W_](?![^\W_])")
"""A word spelled letter by letter, which Redo's own messages never have."""
_ESCAPE: Final = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2}))")
_MASKS: Final = re.compile(rf"{MASK}(?:\W{{0,3}}{MASK})+")
_ROUNDS: Final = 3
_PLAIN: Final = frozenset(
    _WORD.findall(
        "a an and any are array as at be been body boolean but by can cannot character characters code contain "
        "contains could decimal does duplicate duplicated each empty error exceeds exist exists expected failed field "
        "fields for format found from given greater has have if in integer internal invalid is it item items its json "
        "key large least length less limit list long many match maximum minimum missing more most must name negative "
        "no non not null number object of on one only or order orders out positive process range received rejected "
        "request required same scope see server short should shorter small store string than that the there this to "
        "token too type unauthorized unexpected unique unknown unrecognized unsupported url valid value values was "
        "where which with without zero "
    )
) | {word.casefold() for name in FIELDS for word in (name, *_CAMEL.findall(name))}
"""Words that any validator uses. Masked only when the order has them as whole words, not when they are part of one."""


class Redactor:
    """Masks the words of an order and of the secrets in messages about that order. `body`: the order that was sent;
    None when Redo may quote another one: then no message is kept."""

    def __init__(self, body: bytes | None, secrets: Sequence[str]) -> None:
        self._body = body
        self._large = len(body or b"") > LARGE
        self._secrets = secrets
        self._redacted: dict[str, str] = {}

    def redact(self, message: object) -> str:
        """The message on one line of at most `LONGEST_MESSAGE` characters, masked; empty when there is none."""
        if self._body is None or not isinstance(message, str) or not message.strip():
            return ""
        if message not in self._redacted:
            self._redacted[message] = self._masked(message[: 4 * LONGEST_MESSAGE])
        return self._redacted[message]

    def _masked(self, message: str) -> str:
        read = _decoded(message)
        if read is None or any(_compact(_folded(secret)) in _compact(_folded(read)) for secret in self._secrets):
            return LEFT_OUT
        read = _LETTERS.sub(MASK, _DIGITS.sub(MASK, _ADDRESS.sub(MASK, read)))
        text = _WORD.sub(lambda word: MASK if self._is_private(_folded(word[0])) else word[0], read)
        text = _MASKS.sub(MASK, text)[:LONGEST_MESSAGE].strip()
        words = [_folded(word) for word in _WORD.findall(text)]
        return LEFT_OUT if not words or self._split_up(words) else text

    @cached_property
    def order(self) -> Any:
        """The order as JSON, its numbers as text."""
        if not self._body:
            return {}
        return json.loads(self._body, parse_int=str, parse_float=str, object_hook=pausing(len(self._body)))

    @cached_property
    def _values(self) -> frozenset[str]:
        """The order's and the secrets' texts, folded; also decoded, since messages are."""
        found = {*_texts({name: value for name, value in self.order.items() if name != "type"}), *self._secrets}
        return frozenset(_folded(text) for value in found for text in (value, _decoded(value) or value))

    @cached_property
    def _whole(self) -> frozenset[str]:
        """The words of those texts, without a secret's plain words."""
        secret = {word for value in self._secrets for word in _WORD.findall(_folded(value))} & _PLAIN
        return frozenset(word for value in self._values for word in _WORD.findall(value)) - secret

    @cached_property
    def _runs(self) -> frozenset[str]:
        """Every three to five consecutive letters and digits of those texts."""
        return frozenset(run for value in self._values for size in (3, 4, 5) for run in _cut(_compact(value), size))

    def _is_private(self, word: str) -> bool:
        """Whether a folded word is one of the order's, part of one, or contains one. Single characters and numbers
        below 100 are never masked; words in another script always are, since Redo writes English."""
        if len(word) > LONGEST_WORD or not word.isascii():
            return True
        if len(word) < 2 or (len(word) == 2 and word.isdigit()):
            return False
        if self._large:
            return word not in _PLAIN
        if word in self._whole:
            return True
        if word in _PLAIN:
            return False
        short = any(part in self._whole and part not in _PLAIN for part in _cut(word, 3))
        return short or any(part in self._runs for part in _cut(word, min(4, len(word))))

    def _split_up(self, words: Sequence[str]) -> bool:
        """Whether neighbouring words, none of them the order's by itself, make one of its words together."""
        if self._large:
            return False
        bits = "".join(word for word in words if len(word) < 3 or word not in _PLAIN)
        return any(run in self._runs for run in _cut(bits, 5))


def _decoded(message: str) -> str | None:
    """The message decoded, without invisible characters; None when it is escaped more than `_ROUNDS` times over."""
    for _ in range(_ROUNDS + 1):
        plain = html.unescape(unquote(_ESCAPE.sub(_unescaped, message)))
        if plain == message:
            break
        message = plain
    else:
        return None
    whole = message.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    normal = unicodedata.normalize("NFKC", whole)
    visible = (sign for sign in normal if unicodedata.category(sign) != "Cf")
    return " ".join("".join(sign if sign.isprintable() else " " for sign in visible).split())


def _unescaped(found: re.Match[str]) -> str:
    point = int(found[1] or found[2] or found[3], 16)
    return chr(point) if point <= 0x10FFFF else " "


def _folded(text: str) -> str:
    """Without case and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(sign for sign in apart if not unicodedata.combining(sign))
    return unicodedata.normalize("NFKC", bare).casefold()


def _compact(text: str) -> str:
    return "".join(sign for sign in text if sign.isalnum())


def _cut(word: str, size: int) -> Iterator[str]:
    return (word[start : start + size] for start in range(len(word) - size + 1))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, below in value.items():
            if name not in FIELDS:  # a free-form key is the shop's own word
                yield name
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)
