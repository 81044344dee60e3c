from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from connector.model.off_loop import keep_out_of_collections


class Node:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_what_was_built_is_not_collected_again_until_something_else_is_built_in_its_place() -> None:
    built = Node()
    seen = weakref.ref(built)
    keep_out_of_collections()
    frozen = gc.get_freeze_count()
    assert frozen > 10_000, "modules and what tests hold"
    del built
    gc.collect()
    assert seen() is not None, "a collection doesn't look at it"
    keep_out_of_collections()
    assert seen() is None, "what an earlier generation left is freed"
