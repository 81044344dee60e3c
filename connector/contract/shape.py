"""The tree of field names in Redo's order, read off the models, to check ignore paths and suggestions against."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from connector.contract.fields import Read
from connector.contract.models import CustomOrder

Shape: TypeAlias = "dict[str, Shape]"
"""camelCase field names, each with the fields below it (none for a scalar)."""


@cache
def shape(model: type[BaseModel] = CustomOrder) -> Shape:
    """The fields of a model, nested; lists are seen through."""
    return {
        to_camel(name): _below(field.annotation) | _merged(field.metadata) for name, field in model.model_fields.items()
    }


def _below(annotation: Any) -> Shape:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return shape(annotation)
    if isinstance(annotation, Read):
        return _below(annotation.parts)
    return _merged((*typing.get_args(annotation), *getattr(annotation, "__metadata__", ())))


def _merged(annotations: Iterable[Any]) -> Shape:
    below: Shape = {}
    for annotation in annotations:
        below.update(_below(annotation))
    return below


def names(tree: Shape) -> Iterator[str]:
    """Every field name in the tree, repeated as often as it occurs."""
    for name, below in tree.items():
        yield name
        yield from names(below)
