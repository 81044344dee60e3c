"""The settings: a TOML file and the environment in, one frozen object out.

Environment beats file; secrets may come from files (`files`); an unknown key is an error with
the nearest known one. No value of a setting is ever part of an error.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_origin

from pydantic import BaseModel, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from connector.model.errors import ConfigurationError
from connector.settings import exposure, sections
from connector.settings.files import add_files, beside
from connector.settings.problems import no_file, no_settings, problems_of, unknown_variables, unreadable_variables
from connector.settings.sources import (
    DEFAULT_PATH,
    PREFIX,
    STORE_VARIABLE,
    env_name,
    fill,
    read_toml,
    unstorable,
)

_DSN: Final = "source.dsn"
_PATHS: Final = {
    "mapping": {"path": str(sections.MappingSettings().path)},
    "checkpoints": {"url": sections.CheckpointSettings().url.get_secret_value()},
}
"""Settings that are paths, or may hold one, with their defaults."""


class _KnownEnvironment(EnvSettingsSource):
    """Only the variables that are settings and can be read: the others get a better message from `problems`."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        known = {env_name(key).lower() for key in known_keys()}
        refused = {problem.where.lower() for problem in unreadable_variables(os.environ, structured_keys())}
        variables = super()._load_env_vars().items()
        return {
            name: value
            for name, value in variables
            if (name.lower() in known - refused) or STORE_VARIABLE.fullmatch(name.upper())
        }


class Settings(BaseSettings):
    """All settings, by section. Frozen; secrets are SecretStr, so that printing this prints none."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_ignore_empty=True,
    )

    source: sections.SourceSettings
    mapping: sections.MappingSettings = sections.MappingSettings()
    contract: sections.ContractSettings = sections.ContractSettings()
    redo: sections.RedoSettings
    checkpoints: sections.CheckpointSettings = sections.CheckpointSettings()
    daemon: sections.DaemonSettings = sections.DaemonSettings()
    backfill: sections.BackfillSettings = sections.BackfillSettings()
    reconcile: sections.ReconcileSettings = sections.ReconcileSettings()
    guard: sections.GuardSettings = sections.GuardSettings()
    status: sections.StatusSettings = sections.StatusSettings()
    health: sections.HealthSettings = sections.HealthSettings()
    log: sections.LogSettings = sections.LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then what `load` read from the TOML file (handed in as init values)."""
        return (_KnownEnvironment(settings_cls), init_settings)

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        keep, keys = self.checkpoints.keep, self.checkpoints.payload_keys
        if self.mapping.missing == "cancel" and keep != "payload":
            raise ValueError("mapping.missing: to cancel an order its last payload is sent again: set checkpoints.keep")
        if keep == "payload" and keys is None:
            raise ValueError("checkpoints.payload_keys: is required, because payloads are only kept sealed")
        health = self.health
        if health.exit_after is not None and health.exit_after < health.stalled_after:
            raise ValueError("health.exit_after: must not be shorter than health.stalled_after")
        if not all(self.redo.stores):
            raise ValueError("redo.stores: a store's id is empty")
        if self.redo.store_id in self.redo.stores:
            raise ValueError("redo.stores: holds redo.store_id itself, whose secret is redo.api_secret")
        if not self.redo.allow_http and (exposed := exposure.sent_in_clear(self.redo.addresses())):
            raise ValueError(f"{exposed[0]}: {exposure.IN_CLEAR}")
        return self


def load(path: str | None = None, unused: Collection[str] = ()) -> Settings:
    """Read `path`, else the file that CONNECTOR_CONFIG names, else ./connector.toml when there is one.

    Relative paths in the file are relative to it. `unused`: settings that the caller does without, though `run` needs
    them. Raises ConfigurationError with every problem found.
    """
    chosen = path or os.environ.get(PREFIX + "CONFIG")
    file = Path(chosen or DEFAULT_PATH)
    found = bool(chosen) or file.exists()
    values: dict[str, Any] = read_toml(file) if found else {}
    known = sorted(known_keys())
    if found:
        beside(values, file.parent, _PATHS)
    problems = [
        *unknown_variables(os.environ, known),
        *unreadable_variables(os.environ, structured_keys()),
        *add_files(values, file.parent, os.environ, known, unused),
        *unstorable(values),
    ]
    fill(values, unused, os.environ)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        if not found and not problems and not any(name.upper().startswith(PREFIX) for name in os.environ):
            raise ConfigurationError([no_settings(file)]) from None
        problems.extend(problems_of(error, str(file) if found else no_file(file), known))
    else:
        if not problems and not (problems := list(unstorable(settings.model_dump()))):  # JSON of the environment, too
            return settings
    raise ConfigurationError(problems)


def dsn_of_environment() -> str | None:
    """`source.dsn`, as far as the environment alone gives it. Raises ConfigurationError for an unreadable file."""
    values: dict[str, Any] = {}
    problems = [*add_files(values, Path(), os.environ, [_DSN])]
    if problems:
        raise ConfigurationError(problems)
    given = os.environ.get(env_name(_DSN)) or values.get("source", {}).get("dsn")
    return None if given is None else str(given)


def known_keys() -> Iterator[str]:
    """`section.key` of every setting there is."""
    for section, fields in _sections():
        yield from (f"{section}.{key}" for key in fields)


def structured_keys() -> Iterator[str]:
    """Those of them that are lists or tables: JSON in the environment."""
    for section, fields in _sections():
        yield from (f"{section}.{key}" for key, info in fields.items() if get_origin(info.annotation) in (tuple, dict))


def _sections() -> Iterator[tuple[str, Mapping[str, FieldInfo]]]:
    for section, info in Settings.model_fields.items():
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield section, annotation.model_fields


def environment() -> Mapping[str, str]:
    """The process's environment, for the settings that every HTTP client (proxies) and libpq (PGSSLMODE) honour."""
    return os.environ
