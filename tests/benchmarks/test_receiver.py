"""The lean receiver takes orders as the connector sends them, and says when."""

from __future__ import annotations

import json
import ssl
import time
from pathlib import Path

import httpx2 as httpx
import pytest

from benchmarks.receiver import order_id_of
from benchmarks.redo import Receiver, Redo, refused

ORDERS = "/stores/any/custom/orders"


async def push(redo: Redo, client: httpx.AsyncClient, **order: object) -> dict[str, str]:
    answer = await client.post(f"{redo.base_url}{ORDERS}", json=order)
    assert answer.status_code == 200
    found: dict[str, str] = answer.json()
    return found


@pytest.mark.parametrize("tls", [False, True])
async def test_the_latest_body_is_kept_and_each_push_is_logged_with_its_times(tmp_path: Path, tls: bool) -> None:
    async with Receiver(tmp_path, tls=tls) as redo:
        verify = ssl.create_default_context(cafile=redo.env["SSL_CERT_FILE"]) if tls else True
        began = time.monotonic()
        async with httpx.AsyncClient(verify=verify) as client:
            assert (await push(redo, client, id="7", note="one"))["orderId"] == "7"
            await push(redo, client, id="7", note="x" * 500_000)
            answer = await push(redo, client, note="two", id="14")
        assert (answer["orderId"], answer["redoId"]) == ("14", "kept-14")
        assert [len(json.loads(body)["note"]) for body in await redo.orders()] == [500_000, 3]
        assert [json.loads(body)["id"] for body in await redo.orders(every=14)] == ["14"]
        await redo.__aexit__()
        pushes = await redo.pushes(began)
        assert [push.order for push in pushes] == [7, 7, 14]
        assert all(began <= push.began <= push.ended <= time.monotonic() for push in pushes)
        assert [push.order for push in await redo.pushes(pushes[-1].began)] == [14]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"id":"41","customer":{"id":"9"}}', b"41"),
        (b'{"customer":{"id":"9"},"id":"41"}', b"41"),
        (b'{"id": "4\\"1"}', b'4\\"1'),
    ],
)
def test_an_orders_id_is_its_own_and_not_that_of_a_part(body: bytes, expected: bytes) -> None:
    assert order_id_of(body) == expected


def test_an_order_that_breaks_redos_rules_is_found_among_those_that_were_kept() -> None:
    assert refused([b'{"id":"41"}']) == ["41"]
