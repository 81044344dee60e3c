"""Addresses at Redo, which of them are the same one, and the proxy on the way."""

from __future__ import annotations

import asyncio
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import httpx2 as httpx
import pytest

from connector.model.errors import ConfigurationError
from connector.model.orders import OutcomeKind
from connector.redo.addresses import endpoint, environment_proxy, order_url, orders_url
from connector.settings.config import Settings
from connector.wiring import factories
from tests.support.redo_servers import listening, small_order

SAME = [
    "https://api.getredo.com/v2.2/stores/a%2Fb/custom/orders",
    "https://api.getredo.com/v2.2/stores/a%2fb/custom/orders/",
    "HTTPS://API.GetRedo.com:443/v2.2/stores/a%2Fb/custom/orders",
    "https://api.getredo.com./v2.2/stores/a%2Fb/custom/orders?key=secret",
]


@pytest.mark.parametrize("url", SAME)
def test_spelling_a_default_port_a_slash_and_a_query_make_no_difference(url: str) -> None:
    assert endpoint(url, "a/b") == "https://api.getredo.com/v2.2"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://api.getredo.com/v2.2/stores/x/custom/orders", "http://api.getredo.com/v2.2"),
        ("https://api.getredo.com:8443/v2.2/stores/x/custom/orders", "https://api.getredo.com:8443/v2.2"),
        ("https://api.getredo.com/v2.3/stores/x/custom/orders", "https://api.getredo.com/v2.3"),
        ("http://127.0.0.1:9465/stores/x/custom/orders", "http://127.0.0.1:9465"),
        ("http://localhost:9465/stores/x/custom/orders", "http://localhost:9465"),
        ("http://[::1]:9465/stores/x/custom/orders", "http://[::1]:9465"),
        ("https://bücher.example/stores/x/custom/orders", "https://xn--bcher-kva.example"),
        ("https://redo.example/inbox/4711", "https://redo.example/inbox/4711"),
        ("https://redo.example/v2.2/stores/y/custom/orders", "https://redo.example/v2.2/stores/y/custom/orders"),
    ],
)
def test_scheme_host_port_and_path_do(url: str, found: str) -> None:
    assert endpoint(url, "x") == found


def test_an_address_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(ConfigurationError) as refused:
        endpoint("https://user:hunter2@redo.example/", "x")
    assert "hunter2" not in str(refused.value)


def test_the_store_id_and_the_orders_are_percent_encoded() -> None:
    url = orders_url("https://x/v2.2/", "a/b")
    assert url == "https://x/v2.2/stores/a%2Fb/custom/orders"
    assert str(order_url(httpx.URL(url), "A/1")) == "https://x/v2.2/stores/a%2Fb/orders/A%2F1"


def test_an_endpoint_of_another_form_can_be_pushed_to_but_has_no_order_addresses() -> None:
    assert order_url(httpx.URL("https://redo.example.com/beta/hook"), "1") is None


ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"HTTPS_PROXY": "http://proxy:3128"},
    {"https_proxy": "http://lower:1", "HTTPS_PROXY": "http://upper:1"},
    {"HTTPS_PROXY": "http://upper:1", "https_proxy": ""},
    {"HTTP_PROXY": "http://proxy:3128", "HTTPS_PROXY": ""},
    {"HTTP_PROXY": "http://caller:1", "REQUEST_METHOD": "GET"},
    {"HTTP_PROXY": "http://caller:1", "http_proxy": "http://ours:1", "REQUEST_METHOD": "GET"},
    {"HTTPS_PROXY": "http://proxy:1", "HTTP_PROXY": "http://proxy:2", "NO_PROXY": "inside.example.com"},
    {"HTTPS_PROXY": "http://proxy:1", "HTTP_PROXY": "http://proxy:2", "no_proxy": ".example.com, 10.0.0.1"},
    {"HTTPS_PROXY": "http://proxy:1", "HTTP_PROXY": "http://proxy:2", "NO_PROXY": "*"},
    {"HTTPS_PROXY": "http://proxy:1", "HTTP_PROXY": "http://proxy:2", "NO_PROXY": "inside.example.com:8443"},
    {"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "*", "no_proxy": ""},
]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_the_environments_proxy_is_what_urllib_finds(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    known = getproxies_environment()
    for scheme in ("http", "https"):
        for host in ("inside.example.com", "inside.example.com:8443", "10.0.0.1", "api.getredo.com"):
            expected = None if proxy_bypass_environment(host, known) else known.get(scheme)
            assert environment_proxy(f"{scheme}://{host}/v2.2", environment) == expected


def test_one_proxy_for_all_is_found_and_may_lack_its_scheme() -> None:
    assert environment_proxy("https://x/", {"ALL_PROXY": "proxy:3128"}) == "http://proxy:3128"
    assert environment_proxy("https://x/", {"all_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}) == "http://b:1"
    assert environment_proxy("https://x/", {"all_proxy": "http://a:1", "NO_PROXY": "x"}) is None


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:1", "https://localhost:1", "http://[::1]:1"])
async def test_what_stays_on_this_machine_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch, base_url: str) -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(65536))
        writer.close()

    async with listening(proxy) as address:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{address}")
        order = small_order("1", "shop")
        redo = {"store_id": order.store_id, "api_secret": "token", "base_url": base_url}
        client = factories.redo_client(Settings(source={"dsn": "host=db"}, redo=redo), None)
        outcome = await client.push(order)
        await client.aclose()
    assert (outcome.kind, outcome.reason, asked) == (OutcomeKind.UNAVAILABLE, "connect", [])
