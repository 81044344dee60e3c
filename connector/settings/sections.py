"""The sections of the settings: what each key is called, what it may be, and its default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from connector.settings import values


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SourceSettings(Section):
    """`statement_timeout` bounds every query of ours in the OMS; `read_dsn` names a replica to assemble from;
    `on_slot_loss`: what to do about a slot that can't be read any more; `fallback_encoding`: of bytes that are no
    text in the database's own encoding, where it lets them in (SQL_ASCII); `silence_timeout`: when a server that says
    nothing counts as gone; `wal_budget`: how many bytes of WAL the slot should keep there at most."""

    dsn: SecretStr
    read_dsn: SecretStr | None = None
    slot: values.Identifier = "redo_connector"
    publication: str = Field(default="redo_connector", min_length=1, max_length=63)
    manage: bool = True
    on_slot_loss: Literal["recreate", "stop"] = "recreate"
    timezone: values.Zone = "UTC"
    fallback_encoding: values.Encoding = None
    statement_timeout: values.Seconds = 30.0
    silence_timeout: values.Seconds = 60.0
    wal_budget: values.OptionalSize = None


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


class ContractSettings(Section):
    """`rules`: what becomes of an order that breaks a rule of Redo's, by the rule's name; `amounts`: whether digits
    beyond a currency's decimals are rounded."""

    rules: dict[str, Literal["refuse", "warn", "off"]] = {}
    amounts: Literal["round", "keep"] = "round"


class RedoSettings(Section):
    """`orders_url` is the whole endpoint; without it the endpoint is built from `base_url` and `store_id`.
    `confirm_after`: how long a request without an answer may still be carried out at Redo; `max_pause`: how long
    nothing is sent at most, whatever Redo's `Retry-After` says; `allow_http`: to other machines, too."""

    store_id: str = Field(min_length=1)
    api_secret: SecretStr
    base_url: str = Field(default="https://api.getredo.com/v2.2", pattern=r"^https?://")
    orders_url: str | None = Field(default=None, pattern=r"^https?://")
    max_concurrency: int = Field(default=32, ge=1, le=1000)
    requests_per_second: values.OptionalRate = None
    timeout: values.Seconds = 30.0
    confirm_after: values.Seconds = 60.0
    max_pause: values.Seconds = 900.0
    stores: Annotated[dict[str, StoreSettings], BeforeValidator(_one_spelling)] = {}
    allow_http: bool = False

    def addresses(self) -> dict[str, str]:
        """The URLs that are pushed to, by the setting that gives each."""
        given = {"redo.orders_url": self.orders_url} if self.orders_url else {"redo.base_url": self.base_url}
        for name, store in self.stores.items():
            key = "orders_url" if store.orders_url else "base_url"
            given[f"redo.stores.{name}.{key}"] = store.orders_url or store.base_url or self.base_url
        return given


class CheckpointSettings(Section):
    """`url` may hold a password. `postgres_schema`: of a store in Postgres; `allow_oms_database`: whether that may be
    the database that orders are read from. `keep`: what is remembered of an accepted order. `payload_keys` seal kept
    payloads: the first one seals, all open; separated by commas."""

    url: SecretStr = SecretStr("sqlite:///connector.db")
    postgres_schema: values.Identifier = "redo_connector"
    allow_oms_database: bool = False
    keep: Literal["fingerprint", "payload"] = "fingerprint"
    payload_keys: SecretStr | None = None


class DaemonSettings(Section):
    """`standby`: while another connector has the checkpoints, wait to take over, instead of ending; `instance`: what
    this one is called for people; `silence_timeout`: when a leader that says nothing to the checkpoint database is
    deposed."""

    standby: bool = True
    instance: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    silence_timeout: values.Seconds = 10.0


class BackfillSettings(Section):
    on_start: Literal["auto", "always", "never"] = "auto"


class ReconcileSettings(Section):
    """`orders_per_second` paces the reconciles of `every` and of the command, so that the OMS hardly notices."""

    every: values.OptionalSeconds = 86400.0
    orders_per_second: values.OptionalRate = 500.0


class GuardSettings(Section):
    """More than this in one sweep, or of removals in a burst, waits for approval. `removal_wait`: how long a burst may
    pause before what came so far is judged."""

    max_share: float = Field(default=0.2, gt=0, le=1)
    max_orders: values.OptionalCount = None
    max_removal_share: float = Field(default=0.01, gt=0, le=1)
    removal_wait: values.Seconds = 5.0


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

    stalled_after: values.Seconds = 60.0
    exit_after: values.OptionalSeconds = 300.0


class LogSettings(Section):
    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"
