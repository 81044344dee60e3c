"""Order keys as text: what a person may name, and what is told apart from what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.orders import LONGEST_KEY, as_was, encoded, former, is_former, named_key
from connector.model.texts import is_storable, storable
from connector.projection.sql.keys import decode

ANY = st.text() | st.sampled_from(
    ["<former key", "<former key ", "<former key> ", "<former key 1> 7", "<former key> <"]
)
STORED = ANY.filter(is_storable)


@given(STORED)
def test_no_text_of_a_database_is_taken_for_a_former_key_and_each_is_read_back(text: str) -> None:
    key = encoded([text])
    assert not is_former(key)
    assert decode(key, 1) == (text,)
    assert named_key(key) == key
    assert is_former(former(key, 1))
    assert as_was(former(key, 1)) == key


@given(STORED, STORED)
def test_two_texts_never_have_one_key(one: str, other: str) -> None:
    assert (encoded([one]) == encoded([other])) == (one == other)
    assert decode(encoded([one, other]), 2) == (one, other)


@pytest.mark.parametrize(
    "text", ["\0", "\ud800", "a\udfffb", "x" * (LONGEST_KEY + 1), "é" * LONGEST_KEY, None, 7, b"7"]
)
def test_what_can_be_no_key_is_refused_unquoted(text: object) -> None:
    with pytest.raises(ValueError, match="order key") as caught:
        named_key(text)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    "key", ["[" * 3000, '{"a":' * 3000, "[1,2]", '["a"]', '["a","\\ud800"]', '["a","\\u0000"]', "NaN"]
)
def test_what_is_no_composite_key_is_told_so(key: str) -> None:
    with pytest.raises(ValueError):
        decode(key, 2)


@given(st.text(st.characters(categories=["Cs", "Cc", "L"])), st.integers(0, 50))
def test_text_is_storable_once_it_was_made_so(text: str, most: int) -> None:
    kept = storable(text, most)
    assert is_storable(kept)
    assert len(kept) == min(len(text), most)
    kept.encode()
    assert kept == text[:most] or not is_storable(text[:most])
