"""What all parts of the order have in common: how their fields are spelled, and that they are read as dicts."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticOmit
from pydantic_core.core_schema import no_info_before_validator_function, typed_dict_field, typed_dict_schema

from connector.contract.schema.fields import Reading


class Part(BaseModel):
    """A part of the order: either spelling of a field's name, and none that Redo doesn't know.

    The classes only say what there is. Reading makes no instances: a part is the dict that goes to Redo, in camelCase,
    without what wasn't given. Instances would have to be written as such dicts again, field by field.
    """

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def read(cls, value: Any, reading: Reading) -> dict[str, Any]:
        """The part as Redo takes it. Raises ValidationError."""
        return cast("dict[str, Any]", cls.__pydantic_validator__.validate_python(value, context=reading))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: Any = handler.resolve_ref_schema(handler(source))
        if schema["type"] != "model":  # a class that is complete has its own again
            return cast("CoreSchema", schema)
        config = schema["config"]
        return typed_dict_schema(
            {field["validation_alias"]: _field(name, field) for name, field in schema["schema"]["fields"].items()},
            extra_behavior=config["extra_fields_behavior"],
            config=config,
        )


def _field(name: str, field: Any) -> Any:
    value, alias = field["schema"], field["validation_alias"]
    required = value["type"] != "default"
    if not required:
        value = value["schema"]
    if "serialization_exclude_if" in field:
        value = no_info_before_validator_function(_left_out_if_null, value)
    return typed_dict_field(value, required=required, validation_alias=[[alias], [name]])


def _left_out_if_null(value: Any) -> Any:
    if value is None:
        raise PydanticOmit
    return value
