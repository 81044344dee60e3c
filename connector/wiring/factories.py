"""What the settings describe, made: addresses, the mapping, the assembler, the clients for Redo. It must not know what
they are used for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from connector import projection as projections
from connector.checkpoints.address import Address
from connector.checkpoints.vault import Vault
from connector.contract.order_builder import RedoContract
from connector.contract.rules.rule_book import RuleBook
from connector.model.errors import ConfigurationError, Problem, SourceUnavailable, scarcity
from connector.model.texts import decoded
from connector.postgres.connections import connection
from connector.postgres.dsn import conninfo
from connector.projection import Access, Assembler, Projection
from connector.redo.addresses import endpoint, environment_proxy, orders_url
from connector.redo.client import HttpSettings, RedoClient
from connector.settings.config import Settings, environment
from connector.settings.exposure import leads_here
from connector.wiring.bounds import LONGEST_LOOK_MS, grace


def source_dsn(settings: Settings) -> str:
    """Raises ConfigurationError when it can't be read."""
    return conninfo(settings.source.dsn.get_secret_value(), settings.source.silence_timeout)


def read_dsn(settings: Settings) -> str:
    """Raises ConfigurationError when it can't be read."""
    dsn = settings.source.read_dsn or settings.source.dsn
    return conninfo(dsn.get_secret_value(), settings.source.silence_timeout)


def checkpoints(settings: Settings) -> Address:
    return Address(settings.checkpoints.url.get_secret_value(), settings.checkpoints.postgres_schema)


def timeout_ms(settings: Settings) -> int:
    return int(settings.source.statement_timeout * 1000)


async def load_projection(settings: Settings) -> Projection:
    """Read and analyse the mapping against the live catalog. Raises ConfigurationError, also when the database can't
    be reached; SourceUnavailable."""
    text = mapping_text(settings.mapping.path)
    await _reach(settings)
    return await analysed(settings, text)


async def analysed(settings: Settings, text: str) -> Projection:
    """Raises ConfigurationError, SourceUnavailable."""
    return await projections.load(
        text,
        path=settings.mapping.path.name,
        read_dsn=read_dsn(settings),
        timezone=settings.source.timezone,
        statement_timeout_ms=timeout_ms(settings),
        sweep_tables=settings.mapping.sweep_tables,
    )


async def load_access(settings: Settings) -> Access:
    """What the mapping needs to be let into, which a role without any privilege may ask. Raises as `load_projection`
    does."""
    text = mapping_text(settings.mapping.path)
    await _reach(settings)
    return await projections.access(
        text,
        path=settings.mapping.path.name,
        read_dsn=read_dsn(settings),
        statement_timeout_ms=timeout_ms(settings),
        sweep_tables=settings.mapping.sweep_tables,
    )


def mapping_text(path: Path) -> str:
    """Raises ConfigurationError; SourceUnavailable when the system has run out of what reading a file needs."""
    try:
        return decoded(path.read_bytes())
    except OSError as error:
        if scarce := scarcity(error):
            raise SourceUnavailable(f"{path} can't be read now: {error.strerror}", scarce) from None
        hint = f"set mapping.path to your mapping; it was looked for in {path.absolute().parent}"
        raise ConfigurationError([Problem(f"can't be read: {error.strerror}", hint, str(path))]) from None
    except ValueError as error:
        raise ConfigurationError([Problem(str(error), "save it as UTF-8", str(path))]) from None


async def _reach(settings: Settings) -> None:
    """Connect once, so that a failure is explained in plain words."""
    try:
        async with connection(read_dsn(settings)):
            return
    except SourceUnavailable as error:
        where = "source.read_dsn" if settings.source.read_dsn else "source.dsn"
        hint = "check host, port, database, user, password, pg_hba.conf and TLS settings, and that the server runs"
        raise ConfigurationError([Problem(str(error), error.hint or hint, where)]) from None


def new_assembler(settings: Settings, projection: Projection) -> Assembler:
    return _assembler(settings, projection, timeout_ms(settings))


def _assembler(settings: Settings, projection: Projection, statement_timeout_ms: int) -> Assembler:
    return Assembler(
        projection,
        read_dsn=read_dsn(settings),
        statement_timeout_ms=statement_timeout_ms,
        grace=grace(settings),
        fallback_encoding=settings.source.fallback_encoding,
    )


def assembler_for_a_person(settings: Settings, projection: Projection) -> Assembler:
    """One for a look at a single order, with a bound so short that it can't hurt the OMS."""
    return _assembler(settings, projection, min(LONGEST_LOOK_MS, timeout_ms(settings)))


def redo_contract(settings: Settings) -> RedoContract:
    """Raises ConfigurationError for a zone, a path or a rule that doesn't exist, and for what a rule can't be."""
    redo, contract = settings.redo, settings.contract
    rules = RuleBook(contract.rules, keep_digits=contract.amounts == "keep")
    return RedoContract(settings.source.timezone, settings.mapping.ignore, redo.store_id, frozenset(redo.stores), rules)


class RequestObserver(Protocol):
    """Is called for each request and each connection to Redo."""

    def http_request(self, method: str, code: str, seconds: float) -> None: ...

    def http_connection(self) -> None: ...


def redo_client(
    settings: Settings, observer: RequestObserver | None, permit: Callable[[], Awaitable[bool]] | None = None
) -> RedoClient:
    """`permit`: as of `HttpSettings`. Raises ConfigurationError for an address or a secret that can't be sent."""
    redo = settings.redo
    secrets = {redo.store_id: redo.api_secret, **{name: store.api_secret for name, store in redo.stores.items()}}
    http = HttpSettings(
        timeout=redo.timeout,
        max_connections=redo.max_concurrency,
        permit=permit,
        # What stays on this machine may be in clear, so that it must stay there.
        proxy=lambda url: None if leads_here(url) else environment_proxy(url, environment()),
        on_request=None if observer is None else observer.http_request,
        on_connect=None if observer is None else observer.http_connection,
    )
    stores = {name: (url, secrets[name].get_secret_value()) for name, url in _orders_urls(settings).items()}
    return RedoClient(stores, http)


def redo_endpoints(settings: Settings) -> dict[str, str]:
    """What checkpoints are bound to: each store's address. Raises ConfigurationError for one that can't be asked."""
    return {name: endpoint(url, name) for name, url in _orders_urls(settings).items()}


def _orders_urls(settings: Settings) -> dict[str, str]:
    redo = settings.redo
    urls = {redo.store_id: redo.orders_url or orders_url(redo.base_url, redo.store_id)}
    for name, store in redo.stores.items():
        urls[name] = store.orders_url or orders_url(store.base_url or redo.base_url, name)
    return urls


def payload_vault(settings: Settings) -> Vault | None:
    """What seals and opens kept payloads, None without keys. Raises ConfigurationError for a key that is none."""
    keys = settings.checkpoints.payload_keys
    if keys is None:
        return None
    return Vault([key.strip() for key in keys.get_secret_value().split(",") if key.strip()])
