"""Names of tables and columns, taken apart into words, and what the words mean."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from connector.inspect.starter.schema.vocabulary import NOISE, SECOND, WORDS

_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LIGATURES: Final = str.maketrans({"ß": "ss", "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
_SHORTEST: Final = 3
"""Letters of a word that is recognised in the middle of another."""
_NAMES: Final = 200_000
"""Distinct names of which the meaning is remembered: those of a large schema."""
_SHARED: Final = 0.6
"""Share of a schema's tables that begin with the same word: then it says nothing."""


@lru_cache(maxsize=_NAMES)
def words(name: str) -> tuple[str, ...]:
    """`ShipAddr1` and `ship_addr_1` to ship, addr, 1. Without accents; words that were written together are parted
    where both halves are known."""
    plain = unicodedata.normalize("NFKD", name.translate(_LIGATURES)).encode("ascii", "ignore").decode()
    found: list[str] = []
    for part in _PARTS.findall(plain):
        whole = found[-1] + part.lower() if found else ""
        if whole in WORDS and len(found[-1]) > 1 and _known(found[-1]) is None:  # `MwSt`, `Haus_Nr`
            found[-1] = whole
        else:
            found += _parted(part.lower())
    return tuple(found)


def _parted(word: str) -> list[str]:
    if word.isdigit() or _known(word) is not None:
        return [word]
    for at in range(_SHORTEST, len(word) - 1):
        if _known(word[:at]) is not None and _known(word[at:]) is not None:
            return [word[:at], word[at:]]
    return [word]


def _known(word: str) -> str | None:
    """The word as the vocabulary has it: in the singular."""
    if word in WORDS or word in NOISE:
        return word
    for ending, instead in (("ies", "y"), ("s", ""), ("es", ""), ("en", ""), ("n", ""), ("e", "")):
        stem = word.removesuffix(ending) + instead
        if stem != word and len(stem) >= _SHORTEST and word.endswith(ending) and stem in WORDS:
            return stem
    return None


@lru_cache(maxsize=_NAMES)
def concepts(name: str) -> frozenset[str]:
    """What the words of a name mean; a word that isn't known stands for itself, in front of a question mark."""
    found = set()
    for word in words(name):
        known = _known(word)
        if known is None:
            found.add(word if word.isdigit() else f"{word}?")
        elif known not in NOISE:
            found.add(WORDS[known])
    return frozenset(found)


@lru_cache(maxsize=_NAMES)
def may_mean(name: str) -> frozenset[str]:
    """Concepts of a name, and the second meanings of its words."""
    return concepts(name) | {SECOND[known] for word in words(name) if (known := _known(word)) in SECOND}


def singular(name: str) -> str:
    """A name's words for comparing it with another, in the singular."""
    return "_".join(_known(word) or word.removesuffix("s") for word in words(name))


def shared_prefixes(names: Iterable[str]) -> frozenset[str]:
    """First words that most of a schema's tables share, such as `spree`."""
    found = [words(name) for name in names]
    first = Counter(each[0] for each in found if len(each) > 1)
    return frozenset(word for word, count in first.items() if count > 2 and count >= _SHARED * len(found))
