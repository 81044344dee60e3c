"""Redo's words without ours: what an answer says may quote the order, and outcomes end up in logs.

A message is kept word by word: words that occur in the order or in a secret are masked, however they are written
(escaped, percent-encoded, in another case, with or without accents).
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

LONGEST_MESSAGE: Final = 300
LONGEST_WORD: Final = 40
"""Characters; a longer one is a token or something encoded, not a word."""
MASK: Final = "…"
LARGE: Final = 256 * 1024
"""Bytes of an order with which an answer isn't compared: that takes seconds, and has most words by chance. All but the
words of every validator are masked."""
LEFT_OUT: Final = "(Redo's message is left out: it quotes the order)"

FIELDS: Final = frozenset(field_names(field_tree()))
"""The field names of Redo's order: the only ones that may stand in a path."""

_WORD: Final = re.compile(r"[^\W_]+")
_CAMEL: Final = re.compile(r"[A-Z]?[a-z]+|[0-9]+")
_ADDRESS: Final = re.compile(r"\S*@\S*")
_DIGITS: Final = re.compile(r"\d[\d ().-]{5,}\d")
_LETTERS: Final = re.compile(r"(?<![^\W_])(?:[^\W_][\W_]+){2,}[^\W_](?![^\W_])")
"""Something spelled out. It can't stand for anything that Redo has to say."""
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
"""Words of every validator: part of a value of ours by chance. Masked only when the order has them as words too."""


class Words:
    """Tells Redo's words from ours: those of the order (its body; None when it isn't known what Redo may quote) and of
    the secrets. `order` is the order as parsed JSON."""

    def __init__(self, body: bytes | None, secrets: Sequence[str]) -> None:
        self._body = body
        self._large = len(body or b"") > LARGE
        self._secrets = secrets
        self._judged: dict[str, str] = {}

    def safe(self, message: object) -> str:
        """The message on one line, bounded, our words masked; empty when there is none."""
        if not isinstance(message, str) or not message.strip():
            return ""
        if self._body is None:
            return ""
        if message not in self._judged:
            self._judged[message] = self._masked(message[: 4 * LONGEST_MESSAGE])
        return self._judged[message]

    def _masked(self, message: str) -> str:
        read = _read(message)
        if read is None or any(_compact(_folded(secret)) in _compact(_folded(read)) for secret in self._secrets):
            return LEFT_OUT
        read = _LETTERS.sub(MASK, _DIGITS.sub(MASK, _ADDRESS.sub(MASK, read)))
        text = _WORD.sub(lambda word: MASK if self._ours(_folded(word[0])) else word[0], read)
        text = _MASKS.sub(MASK, text)[:LONGEST_MESSAGE].strip()
        words = [_folded(word) for word in _WORD.findall(text)]
        return LEFT_OUT if not words or self._in_bits(words) else text

    @cached_property
    def order(self) -> Any:
        return json.loads(self._body, parse_int=str, parse_float=str) if self._body else {}

    @cached_property
    def _values(self) -> frozenset[str]:
        """Folded; decoded as well, since messages are."""
        found = {*_texts({name: value for name, value in self.order.items() if name != "type"}), *self._secrets}
        return frozenset(_folded(text) for value in found for text in (value, _read(value) or value))

    @cached_property
    def _whole(self) -> frozenset[str]:
        secret = {word for value in self._secrets for word in _WORD.findall(_folded(value))} & _PLAIN
        return frozenset(word for value in self._values for word in _WORD.findall(value)) - secret

    @cached_property
    def _runs(self) -> frozenset[str]:
        """All that stands in our values for three to five characters on end, without signs and spaces."""
        return frozenset(run for value in self._values for size in (3, 4, 5) for run in _cut(_compact(value), size))

    def _ours(self, word: str) -> bool:
        """Whether a folded word is ours, a part of ours, or has one in it. Single characters, and numbers below 100,
        say nothing. Redo writes English, so a word in another script is ours."""
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

    def _in_bits(self, words: Sequence[str]) -> bool:
        """Whether words next to each other, none of them ours by itself, make some of ours together."""
        if self._large:
            return False
        bits = "".join(word for word in words if len(word) < 3 or word not in _PLAIN)
        return any(run in self._runs for run in _cut(bits, 5))


def _read(message: str) -> str | None:
    """Without escapes and invisible characters; None when there is no end to its escapes."""
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
