"""The one reader of environment and files: settings in, one frozen object out.

Environment beats file; secrets may come from files (`CONNECTOR_REDO__API_SECRET_FILE`); an unknown key is an error with
the nearest known one. No value of a setting is ever part of an error.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from connector.model.charset import known_fallback
from connector.model.errors import ConfigurationError, Problem
from connector.settings.passwords import holds_password

PREFIX = "CONNECTOR_"
DEFAULT_PATH = "connector.toml"
FILE_SUFFIX = "_FILE"

_SPELLINGS = {
    "source.slot": "must be lower-case letters, digits and underscores, 63 at most",
    "checkpoints.postgres_schema": "must be lower-case letters, digits and underscores, 63 at most",
    "redo.base_url": "must begin with https:// or http://",
    "redo.orders_url": "must begin with https:// or http://",
}
_STORE = re.compile(r"CONNECTOR_REDO__STORES__(.+)__(API_SECRET|BASE_URL|ORDERS_URL)")
"""The environment's names for `redo.stores.<id>.*`."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*$")

_SIZE_UNITS = ("b", "kb", "mb", "gb", "tb")
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(b|kb|mb|gb|tb)?\s*$", re.IGNORECASE)


def parse_duration(value: object) -> object:
    """`500ms`, `30s`, `5m`, `24h`, `1d`, or a number of seconds, to seconds."""
    if isinstance(value, str):
        match = _DURATION.match(value)
        if not match:
            raise ValueError("not a duration: write a number with ms, s, m, h or d, such as 30s")
        return float(match[1]) * _UNITS[match[2] or "s"]
    return value


def parse_size(value: object) -> object:
    """`10GB`, `512MB`, or a number of bytes, to bytes. As in Postgres a unit is 1024 times the one before."""
    if isinstance(value, str):
        match = _SIZE.match(value)
        if not match:
            raise ValueError("not a size: write a number with kB, MB, GB or TB, such as 10GB")
        return int(float(match[1]) * 1024 ** _SIZE_UNITS.index((match[2] or "b").lower()))
    return value


def _parse_optional_size(value: object) -> object:
    return None if value in ("off", "none", "", 0, "0") else parse_size(value)


def _parse_optional_duration(value: object) -> object:
    return None if value in ("off", "never", "", 0, "0") else parse_duration(value)


def _parse_optional(value: object) -> object:
    return None if value in ("", "none", "off") else value


def _parse_zone(value: object) -> object:
    try:
        ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("not a time zone: write an IANA name such as Europe/Berlin") from error
    return value


def _parse_encoding(value: object) -> object:
    if isinstance(value, str) and not known_fallback(value):
        raise ValueError("not an encoding of one byte a character: write windows-1252 or iso-8859-1, say")
    return value


Seconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]
OptionalSeconds = Annotated[float | None, BeforeValidator(_parse_optional_duration)]
OptionalRate = Annotated[Annotated[float, Field(gt=0)] | None, BeforeValidator(_parse_optional)]
OptionalCount = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_parse_optional)]
OptionalSize = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_parse_optional_size)]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,63}$")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SourceSettings(Section):
    """`statement_timeout` bounds every query of ours in the OMS; `read_dsn` names a replica to assemble from;
    `on_slot_loss`: what to do about a slot that can't be read any more; `fallback_encoding`: of bytes that are no
    text in the database's own encoding, where it lets them in (SQL_ASCII); `silence_timeout`: when a server that says
    nothing counts as gone; `wal_budget`: how many bytes of WAL the slot should keep there at most."""

    dsn: SecretStr
    read_dsn: SecretStr | None = None
    slot: Identifier = "redo_connector"
    publication: str = Field(default="redo_connector", min_length=1, max_length=63)
    manage: bool = True
    on_slot_loss: Literal["recreate", "stop"] = "recreate"
    timezone: Annotated[str, BeforeValidator(_parse_zone)] = "UTC"
    fallback_encoding: Annotated[str | None, BeforeValidator(_parse_encoding)] = None
    statement_timeout: Seconds = 30.0
    silence_timeout: Seconds = 60.0
    wal_budget: OptionalSize = None


class MappingSettings(Section):
    """`ignore`: payload paths that alone make no difference; `missing`: what to do when an order leaves the mapping;
    `sweep_tables`: tables of which any change makes every order be compared, because it leads to no single order;
    `filtered_tables`: of which row security is meant to show the reading role only some rows."""

    path: Path = Path("mapping.sql")
    ignore: tuple[str, ...] = ("updatedAt",)
    missing: Literal["ignore", "cancel", "delete"] = "ignore"
    sweep_tables: tuple[str, ...] = ()
    filtered_tables: tuple[str, ...] = ()


class StoreSettings(Section):
    """A further store, `[redo.stores.<id>]`, for orders whose `store_id` the mapping gives. Without an address of its
    own it has that of `redo.base_url`."""

    api_secret: SecretStr
    base_url: str | None = Field(default=None, pattern=r"^https?://")
    orders_url: str | None = Field(default=None, pattern=r"^https?://")


def _one_spelling(value: object) -> object:
    """Environment variables know no capitals: a store that the file spells with some is the same one."""
    if not isinstance(value, Mapping):
        return value
    merged: dict[str, Any] = {}
    spelled = {str(name).casefold(): str(name) for name in sorted(value, reverse=True)}
    for name, store in value.items():
        right = spelled[str(name).casefold()]
        both = isinstance(store, Mapping) and right in merged
        merged[right] = {**merged[right], **store} if both else store
    return merged


class RedoSettings(Section):
    """`orders_url` is the whole endpoint; without it the endpoint is built from `base_url` and `store_id`.
    `confirm_after`: how long a request without an answer may still be carried out at Redo."""

    store_id: str = Field(min_length=1)
    api_secret: SecretStr
    base_url: str = Field(default="https://api.getredo.com/v2.2", pattern=r"^https?://")
    orders_url: str | None = Field(default=None, pattern=r"^https?://")
    max_concurrency: int = Field(default=32, ge=1, le=1000)
    requests_per_second: OptionalRate = None
    timeout: Seconds = 30.0
    confirm_after: Seconds = 60.0
    stores: Annotated[dict[str, StoreSettings], BeforeValidator(_one_spelling)] = {}


class CheckpointSettings(Section):
    """`url` may hold a password. `postgres_schema`: of a store in Postgres; `allow_oms_database`: whether that may be
    the database that orders are read from. `keep`: what is remembered of an accepted order. `payload_keys` seal kept
    payloads: the first one seals, all open; separated by commas."""

    url: SecretStr = SecretStr("sqlite:///connector.db")
    postgres_schema: Identifier = "redo_connector"
    allow_oms_database: bool = False
    keep: Literal["fingerprint", "payload"] = "fingerprint"
    payload_keys: SecretStr | None = None


class BackfillSettings(Section):
    on_start: Literal["auto", "always", "never"] = "auto"


class ReconcileSettings(Section):
    """`orders_per_second` paces the reconciles of `every` and of the command, so that the OMS hardly notices."""

    every: OptionalSeconds = 86400.0
    orders_per_second: OptionalRate = 500.0


class GuardSettings(Section):
    """More than this in one sweep, or of removals in a burst, waits for approval. `removal_wait`: how long a burst may
    pause before what came so far is judged."""

    max_share: float = Field(default=0.2, gt=0, le=1)
    max_orders: OptionalCount = None
    max_removal_share: float = Field(default=0.01, gt=0, le=1)
    removal_wait: Seconds = 5.0


class StatusSettings(Section):
    """`token`: who knows it may act on the page; `hosts`: further names by which the page may be asked for;
    `show_values`: whether the page of an order shows what is in it."""

    host: str = "127.0.0.1"
    port: int = Field(default=9464, ge=0, le=65535)
    hosts: tuple[str, ...] = ()
    token: Annotated[SecretStr, Field(min_length=16)] | None = None
    show_values: bool = False


class HealthSettings(Section):
    """When a part of ours that has work and doesn't get on makes the connector unready, and when it ends the process,
    so that a supervisor starts it again. What may take longer by its own time limit has that on top."""

    stalled_after: Seconds = 60.0
    exit_after: OptionalSeconds = 300.0


class LogSettings(Section):
    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class _KnownEnvironment(EnvSettingsSource):
    """Only the variables that are settings: the others get a better message from `_unknown_environment`."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        known = {env_name(key).lower() for key in known_keys()}
        variables = super()._load_env_vars().items()
        return {name: value for name, value in variables if name.lower() in known or _STORE.fullmatch(name.upper())}


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

    source: SourceSettings
    mapping: MappingSettings = MappingSettings()
    redo: RedoSettings
    checkpoints: CheckpointSettings = CheckpointSettings()
    backfill: BackfillSettings = BackfillSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    guard: GuardSettings = GuardSettings()
    status: StatusSettings = StatusSettings()
    health: HealthSettings = HealthSettings()
    log: LogSettings = LogSettings()

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
        if self.redo.store_id in self.redo.stores:
            raise ValueError("redo.stores: holds redo.store_id itself, whose secret is redo.api_secret")
        return self


def load(path: str | None = None) -> Settings:
    """Read `path`, else the file that CONNECTOR_CONFIG names, else ./connector.toml when there is one.

    Raises ConfigurationError with every problem found. Relative paths inside are relative to the working directory.
    """
    chosen = path or os.environ.get(PREFIX + "CONFIG")
    file = Path(chosen or DEFAULT_PATH)
    values: dict[str, Any] = {}
    if chosen or file.exists():
        values = _read_toml(file)
    problems = [*_unknown_environment(os.environ), *_secret_files(values, os.environ)]
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems.extend(_problems(error, str(file)))
    else:
        if not problems:
            return settings
    raise ConfigurationError(problems)


def files_with_secrets(path: str | None) -> Iterator[tuple[str, Path]]:
    """Files that `load` reads secrets from, with the setting or variable that names them. A DSN is one when it holds a
    password."""
    file = Path(path or os.environ.get(PREFIX + "CONFIG") or DEFAULT_PATH)
    if file.exists() and any(_secrets(_read_toml(file))):
        yield str(file), file
    for name, named in sorted(os.environ.items()):
        key = name.upper().removesuffix(FILE_SUFFIX).rpartition("__")[2].lower()
        if not name.upper().startswith(PREFIX) or not name.upper().endswith(FILE_SUFFIX) or not Path(named).is_file():
            continue
        values = {key: Path(named).read_text(encoding="utf-8", errors="replace").strip()}
        if any(_secrets(values)):
            yield name, Path(named)


def _secrets(values: Mapping[str, Any]) -> Iterator[bool]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _secrets(value)
        elif key in ("dsn", "read_dsn", "url"):
            yield holds_password(str(value))
        elif key in ("api_secret", "payload_keys", "token"):
            yield True


def environment() -> Mapping[str, str]:
    """The process's environment, for the settings that every HTTP client (proxies) and libpq (PGSSLMODE) honour."""
    return os.environ


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        hint = "name an existing file with --config, or set everything by environment (CONNECTOR_SOURCE__DSN, ...)"
        raise ConfigurationError([Problem(f"can't be read: {error.strerror}", hint, str(file))]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([Problem(f"is not valid TOML: {error}", "mend that line", str(file))]) from None


def known_keys() -> Iterator[str]:
    """`section.key` of every setting there is."""
    for section, info in Settings.model_fields.items():
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for key in annotation.model_fields:
                yield f"{section}.{key}"


def env_name(key: str) -> str:
    """`redo.store_id` to `CONNECTOR_REDO__STORE_ID`."""
    return PREFIX + key.upper().replace(".", "__")


def _unknown_environment(environment: Mapping[str, str]) -> Iterator[Problem]:
    known = {env_name(key) for key in known_keys()}
    allowed = known | {name + FILE_SUFFIX for name in known} | {PREFIX + "CONFIG"}
    for name in sorted(environment):
        upper = name.upper()
        of_store = _STORE.fullmatch(upper.removesuffix(FILE_SUFFIX)) is not None
        if upper.startswith(PREFIX) and upper not in allowed and not of_store:
            yield Problem("is not a setting", _nearest(name, sorted(known)), name)


def _secret_files(values: dict[str, Any], environment: Mapping[str, str]) -> Iterator[Problem]:
    """Put what `CONNECTOR_X__Y_FILE` names into the values; the variable without _FILE still wins."""
    stores = [match for name in environment if (match := _STORE.fullmatch(name.upper().removesuffix(FILE_SUFFIX)))]
    of_stores = [f"redo.stores.{match[1].lower()}.{match[2].lower()}" for match in stores]
    for key in [*known_keys(), *of_stores]:
        name = env_name(key) + FILE_SUFFIX
        file = environment.get(name)
        if not file:
            continue
        try:
            text = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it isn't UTF-8 text"
            yield Problem(
                f"names a file that can't be read: {why}", f"check the path and its permissions: {file}", name
            )
            continue
        *sections, field = key.split(".")
        level = values
        for section in sections:
            level = level.setdefault(section, {})
        level[field] = text


def _problems(error: ValidationError, file: str) -> Iterator[Problem]:
    known = sorted(known_keys())
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        parts = [str(part) for part in item["loc"]]
        key = ".".join(parts)
        if item["type"] == "missing":
            wanted = (
                [key]
                if len(parts) > 1
                else [name for name in ("source.dsn", "redo.store_id", "redo.api_secret") if name.startswith(key + ".")]
            )
            for name in wanted:
                yield Problem("is required", f"set it in {file} or as {env_name(name)}", name)
        elif item["type"] == "extra_forbidden":
            yield Problem("is not a setting", _nearest(key, known), key)
        else:
            message = item["msg"].removeprefix("Value error, ")
            if item["type"] == "string_pattern_mismatch":
                message = _SPELLINGS.get(key, "must begin with https:// or http://")
            where, _, rest = message.partition(": ")
            if not key and rest:
                key, message = where, rest
            yield Problem(message, f"mend it in {file} or in {env_name(key)}", key)


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else "docs/settings.md lists them all"
