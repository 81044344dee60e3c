"""The proxy does to connections what it says, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.support.fault_proxy import FaultProxy, Way
from tests.support.postgres.followed_database import eventually


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    """In front of a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass  # the reset that a test asked for
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with FaultProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as made:
        yield made
    server.close()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def of(cls, proxy: FaultProxy) -> Client:
        return cls(*await asyncio.open_connection(proxy.host, proxy.port))

    async def echo(self, text: bytes) -> bytes:
        self.writer.write(text)
        return await self.reader.readexactly(len(text))

    def close(self) -> None:
        self.writer.close()


async def test_bytes_pass_both_ways_and_an_end_is_passed_on(proxy: FaultProxy) -> None:
    client = await Client.of(proxy)
    much = bytes(range(256)) * 4_000
    assert await client.echo(much) == much
    assert proxy.passed(Way.TO_SERVER) == proxy.passed(Way.TO_CLIENT) == len(much)
    client.writer.write_eof()
    assert await client.reader.read() == b""
    client.close()
    await eventually(lambda: proxy.connections == 0)


async def test_latency_delays_each_way_without_reordering(proxy: FaultProxy) -> None:
    client = await Client.of(proxy)
    await client.echo(b"warm")
    proxy.latency = 0.05
    began = time.monotonic()
    for number in range(10):
        client.writer.write(b"%d" % number)
        await asyncio.sleep(0)
    assert await client.reader.readexactly(10) == b"0123456789"
    assert 0.1 <= time.monotonic() - began < 5
    client.close()


@pytest.mark.parametrize("way", Way)
async def test_a_black_hole_holds_one_way_back_until_healed(proxy: FaultProxy, way: Way) -> None:
    client = await Client.of(proxy)
    await client.echo(b"before")
    other = Way.TO_CLIENT if way is Way.TO_SERVER else Way.TO_SERVER
    before = {one: proxy.passed(one) for one in Way}
    proxy.black_hole(way)
    answer = asyncio.create_task(client.echo(b"held"))
    if way is Way.TO_CLIENT:
        await eventually(lambda: proxy.passed(other) == before[other] + 4)
    done, _ = await asyncio.wait([answer], timeout=0.1)
    assert not done
    assert proxy.passed(way) == before[way]
    await proxy.heal()
    assert await answer == b"held"
    client.close()


async def test_a_black_hole_tells_nobody_that_a_side_hung_up(proxy: FaultProxy) -> None:
    client = await Client.of(proxy)
    await client.echo(b"before")
    proxy.black_hole()
    client.close()
    await client.writer.wait_closed()
    late = await Client.of(proxy)
    assert proxy.connections >= 1, "it connects, as to a host whose packets are dropped after the handshake"
    reading = asyncio.create_task(late.reader.read(1))
    done, _ = await asyncio.wait([reading], timeout=0.05)
    assert not done
    await proxy.heal()
    late.writer.write(b"x")
    assert await reading == b"x"
    late.close()
    await eventually(lambda: proxy.connections == 0)


@pytest.mark.parametrize("way", Way)
async def test_it_cuts_in_the_middle_of_a_message(proxy: FaultProxy, way: Way) -> None:
    client = await Client.of(proxy)
    await client.echo(b"before")
    before = proxy.passed(way)
    proxy.cut_after(3, way)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.echo(b"message")
    assert proxy.passed(way) == before + 3
    again = await Client.of(proxy)
    assert await again.echo(b"once only") == b"once only"
    again.close()


async def test_a_reset_is_a_reset_and_a_hang_up_an_end(proxy: FaultProxy) -> None:
    client = await Client.of(proxy)
    await client.echo(b"before")
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await client.reader.read(1)
    client = await Client.of(proxy)
    await client.echo(b"before")
    proxy.hang_up()
    assert await client.reader.read() == b""
    client.close()


async def test_it_refuses_and_takes_connections_again_on_the_same_port(proxy: FaultProxy) -> None:
    open_one = await Client.of(proxy)
    await open_one.echo(b"before")
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await Client.of(proxy)
    assert await open_one.echo(b"stays") == b"stays"
    await proxy.heal()
    again = await Client.of(proxy)
    assert await again.echo(b"again") == b"again"
    for client in (open_one, again):
        client.close()
