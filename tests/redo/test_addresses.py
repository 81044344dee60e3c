"""Which addresses of Redo are the same one."""

from __future__ import annotations

import pytest

from connector.model.errors import ConfigurationError
from connector.redo.addresses import endpoint

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
