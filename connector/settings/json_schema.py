"""The JSON schema of connector.toml, for editors: which keys there are, and what each may be.

Draft 7, which the TOML extensions of editors read. Nothing is required in it, because the environment may give it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from connector.settings.config import Settings
from connector.settings.files import DSNS, SECRETS
from connector.settings.sections import CheckpointSettings, StoreSettings
from connector.settings.sources import FILE_SUFFIX

_SUFFIX: Final = FILE_SUFFIX.lower()
_FILE: Final = {"type": "string", "description": "A file that holds the value, and nothing else."}


def json_schema() -> dict[str, Any]:
    sections = {name: _section(name, model) for name, model in _models().items()}
    stores = {"type": "object", "additionalProperties": _section("redo.stores", StoreSettings)}
    sections["redo"]["properties"]["stores"] = stores
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Settings of redo-connector",
        "type": "object",
        "additionalProperties": False,
        "properties": sections,
    }


def _models() -> Mapping[str, type[BaseModel]]:
    fields = Settings.model_fields.items()
    return {
        name: info.annotation
        for name, info in fields
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
    }


def _section(name: str, model: type[BaseModel]) -> dict[str, Any]:
    """Of one table. Each value may be given as a file that holds it; only of secrets that is proposed."""
    made = model.model_json_schema()
    properties = {key: _property(schema) for key, schema in made["properties"].items()}
    if model is CheckpointSettings:
        properties["url"]["default"] = CheckpointSettings().url.get_secret_value()
    secret = [key for key in properties if f"{name}.{key}" in (*SECRETS, *DSNS) or key == "api_secret"]
    return {
        "type": "object",
        **({"description": made["description"]} if "description" in made else {}),
        "additionalProperties": False,
        "properties": properties | {f"{key}{_SUFFIX}": _FILE for key in secret},
        "patternProperties": {f"^({'|'.join(properties)}){_SUFFIX}$": {"type": "string"}},
    }


def _property(schema: Mapping[str, Any]) -> dict[str, Any]:
    """TOML has no null: what may be left out has no such default, either."""
    kept = {key: value for key, value in schema.items() if key not in ("title", "anyOf", "writeOnly")}
    alternatives = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(alternatives) == 1:
        kept |= {key: value for key, value in alternatives[0].items() if key != "writeOnly"}
    elif alternatives:
        kept["anyOf"] = alternatives
    if kept.get("default", "") is None:
        del kept["default"]
    return kept
