"""Where a checkpoint store is: what `checkpoints.url` says, read but not opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connector.model.errors import ConfigurationError, Problem

SETTING: Final = "checkpoints.url"
SCHEMA: Final = "redo_connector"
"""Of a store in Postgres, unless said otherwise."""

_SQLITE: Final = "sqlite:///"
_MEMORY: Final = "memory:"
_POSTGRES: Final = ("postgresql://", "postgres://")
_EXAMPLE: Final = (
    "write sqlite:///connector.db (beside the settings file), sqlite:////var/lib/redo-connector/connector.db, "
    "or postgresql://user@host:5432/database"
)


@dataclass(frozen=True, slots=True)
class Address:
    """`url` may hold a password, so that it is never shown. `schema`: of a store in Postgres."""

    url: str = field(repr=False)
    schema: str = SCHEMA

    @property
    def in_memory(self) -> bool:
        return self.url == _MEMORY

    @property
    def in_postgres(self) -> bool:
        return self.url.startswith(_POSTGRES)

    @property
    def path(self) -> Path:
        """The file a `sqlite:///` URL names. Raises ConfigurationError for any other URL."""
        name = self.url.removeprefix(_SQLITE)
        if name == self.url or not name or name.endswith("/") or ":memory:" in name or "?" in name:
            raise ConfigurationError([Problem("this is not the URL of a checkpoint store", _EXAMPLE, SETTING)])
        return Path(name)
