"""Characters that word processors and web pages put into SQL: the server takes them for letters of a name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_ODD: Final = re.compile("[\u00a0\u200b\u2018\u2019\u201c\u201d\u2028\ufeff]")
_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*\*/", re.DOTALL)


def odd_character(text: str, tokens: Iterable[tuple[int, int]]) -> tuple[int, str] | None:
    """The first outside of comments, strings and quoted names, with its offset and what it is called. `tokens`: first
    and last character of each."""
    end = 0
    for first, last in tokens:
        between, word = text[end:first], text[first : last + 1]
        pieces = [(end, _COMMENT.sub(lambda found: " " * len(found[0]), between))]
        pieces += [] if {"'", '"', "$"} & {*word} else [(first, word)]
        for at, piece in pieces:
            if found := _ODD.search(piece):
                return at + found.start(), unicodedata.name(found[0], "BLANK").lower()
        end = last + 1
    return None
