"""Parameters of which `make test` runs some, and `make test-long` the others."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest


def narrowed(values: Iterable[Any], *kept: Any) -> list[Any]:
    """For `pytest.mark.parametrize`: what isn't `kept` is marked `long`. Tuples are values of several parameters."""
    everything = list(values)
    assert set(kept) < set(everything), f"none of the parameters is {set(kept) - set(everything)}"
    return [each if each in kept else _long(each) for each in everything]


def narrowed_pairs(one: Iterable[Any], other: Iterable[Any], *kept: tuple[Any, Any]) -> list[Any]:
    """The same for all pairs of two parameters' values."""
    return narrowed(product(one, other), *kept)


def _long(value: Any) -> Any:
    values = value if isinstance(value, tuple) else (value,)
    return pytest.param(*values, marks=pytest.mark.long)
