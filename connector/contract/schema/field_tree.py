"""The field names of Redo's order, nested as in the models: what ignore paths and names are checked against."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from connector.contract.schema.fields import Read
from connector.contract.schema.models import CustomOrder

FieldTree: TypeAlias = "dict[str, FieldTree]"
"""camelCase field names, each with the fields below it (none for a scalar)."""


@cache
def field_tree(model: type[BaseModel] = CustomOrder) -> FieldTree:
    """The fields of a model, nested; a list has the fields of its items."""
    return {
        to_camel(name): _below(field.annotation) | _merged(field.metadata) for name, field in model.model_fields.items()
    }


def _below(annotation: Any) -> FieldTree:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return field_tree(annotation)
    if isinstance(annotation, Read):
        return _below(annotation.parts)
    return _merged((*typing.get_args(annotation), *getattr(annotation, "__metadata__", ())))


def _merged(annotations: Iterable[Any]) -> FieldTree:
    below: FieldTree = {}
    for annotation in annotations:
        below.update(_below(annotation))
    return below


def field_names(tree: FieldTree) -> Iterator[str]:
    """Every field name in the tree, once for each place."""
    for name, below in tree.items():
        yield name
        yield from field_names(below)
