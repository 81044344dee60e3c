"""Where settings come from: the TOML file and the environment. Files that hold a single one: `files`."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from connector.model.errors import ConfigurationError, Problem
from connector.model.texts import decoded, is_storable, storable

PREFIX: Final = "CONNECTOR_"
DEFAULT_PATH: Final = "connector.toml"
FILE_SUFFIX: Final = "_FILE"
STORE_VARIABLE: Final = re.compile(r"CONNECTOR_REDO__STORES__(.+)__(API_SECRET|BASE_URL|ORDERS_URL)")
"""The environment's names for `redo.stores.<id>.*`."""


def env_name(key: str) -> str:
    """`redo.store_id` to `CONNECTOR_REDO__STORE_ID`."""
    return PREFIX + key.upper().replace(".", "__")


def read_toml(file: Path) -> dict[str, Any]:
    """Raises ConfigurationError."""
    try:
        text = decoded(file.read_bytes())
    except OSError as error:
        hint = (
            f"it was looked for in {file.absolute().parent}; name an existing file with --config, "
            "or set everything by environment (CONNECTOR_SOURCE__DSN, ...)"
        )
        raise ConfigurationError([Problem(f"can't be read: {error.strerror}", hint, str(file))]) from None
    except ValueError as error:
        raise ConfigurationError([Problem(str(error), "save it as UTF-8", str(file))]) from None
    try:
        return tomllib.loads(text)
    except ValueError as error:  # not TOML, or a number with thousands of digits
        raise ConfigurationError([Problem(f"is not valid TOML: {error}", "mend that line", str(file))]) from None
    except RecursionError:
        raise ConfigurationError([Problem("is nested too deeply", "no setting has such a value", str(file))]) from None


def not_json(text: str) -> str | None:
    """What is wrong with JSON, without quoting any of it; None when nothing is."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"is not valid JSON: {error.msg} at character {error.pos + 1} of {len(text)}"
    except (ValueError, RecursionError):
        return "is JSON with a number of thousands of digits, or nested too deeply"
    return None


def unstorable(values: Mapping[str, Any], path: str = "") -> Iterator[Problem]:
    """Texts with characters that no name, address or secret has, by setting."""
    for name, value in values.items():
        where = f"{path}{name}"
        if isinstance(value, Mapping):
            yield from unstorable(value, f"{where}.")
        texts = [
            name,
            *(one for one in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(one, str)),
        ]
        if not all(map(is_storable, texts)):
            yield Problem("holds a zero byte or half a character", "write it without", storable(where, 200))


def fill(values: dict[str, Any], unused: Iterable[str], environment: Iterable[str]) -> None:
    """Put a word in the place of each setting that nobody asks for, where none is given: `redo.api_secret` stands for
    those of further stores, too."""
    for key in unused:
        section, _, field = key.partition(".")
        tables = [values.setdefault(section, {})]
        if key == "redo.api_secret" and isinstance(tables[0], dict):
            matches = [STORE_VARIABLE.fullmatch(name.upper()) for name in environment]
            stores = tables[0].setdefault("stores", {}) if any(matches) else tables[0].get("stores", {})
            if isinstance(stores, dict):
                tables += [stores.setdefault(match[1].lower(), {}) for match in matches if match]
                tables += stores.values()
        for table in tables:
            if isinstance(table, dict):
                table.setdefault(field, "unused")
