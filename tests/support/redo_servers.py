"""A client of Redo and servers for its tests: raw ones, one that answers by a script, and certificates for TLS."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connector.model.orders import Order
from connector.redo.addresses import orders_url
from connector.redo.client import HttpSettings, RedoClient
from tests.support.redo_orders import document, order_of

ACCEPTED = {"message": "Order synced successfully", "redoId": "r1"}
_ORDER = order_of(document())
Script: TypeAlias = Callable[[str, bytes], bytes]
"""An order's id and the request, as it came, to the answer, head and all. Empty: hang up."""


SECRET = "s3cret-Token"
Handler: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def client_of(base_url: str, secret: str = SECRET, **http: Any) -> AsyncIterator[RedoClient]:
    """A client of one store, which orders without a store id go to. `http`: for `HttpSettings`."""
    client = RedoClient({"": (orders_url(base_url, "s"), secret)}, HttpSettings(**http))
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """A raw server on localhost: its `host:port`."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def small_order(order_id: str, store_id: str = "") -> Order:
    """Enough of an order for a server that looks at the id alone."""
    return replace(_ORDER, order_id=order_id, store_id=store_id, body=json.dumps({"id": order_id}).encode())


def said(status: int, body: bytes = b"", *headers: str) -> bytes:
    """An answer on the wire."""
    lines = [f"HTTP/1.1 {status} Whatever", *headers]
    if status not in (204, 304) and status >= 200:
        lines.append(f"Content-Length: {len(body)}")
    else:
        body = b""
    return "\r\n".join([*lines, "", ""]).encode() + body


def accepting(order_id: str, _: bytes = b"") -> bytes:
    return said(200, json.dumps({**ACCEPTED, "orderId": order_id}).encode())


@dataclass
class Seen:
    """What a server saw. `closed` counts the connections that the server has closed."""

    url: str = ""
    connections: int = 0
    requests: int = 0
    at_once: int = 0
    most_at_once: int = 0
    closed: int = 0
    secrets: list[str] = field(default_factory=list)
    hold: bool = False
    """Answers wait for `release`."""
    _held: list[Callable[[], None]] = field(default_factory=list)

    def answer(self, how: Callable[[], None]) -> None:
        if self.hold:
            self._held.append(how)
        else:
            asyncio.get_running_loop().call_soon(how)

    def release(self) -> None:
        self.hold = False
        for how in self._held:
            how()


class _Peer(asyncio.Protocol):
    """One connection: answers each whole request a turn of the loop later, or when released."""

    def __init__(self, script: Script, seen: Seen, close: bool) -> None:
        self._script, self._seen, self._close = script, seen, close
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._seen.connections += 1

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, rest = self._got.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        if not found or len(rest) < int(headers["content-length"]):
            return
        whole, self._got = self._got, b""
        self._seen.requests += 1
        self._seen.at_once += 1
        self._seen.most_at_once = max(self._seen.most_at_once, self._seen.at_once)
        self._seen.secrets.append(headers["authorization"].removeprefix("Bearer "))
        order_id = str(json.loads(rest or b'{"id": ""}')["id"])
        self._seen.answer(lambda: self._answer(order_id, whole))

    def _answer(self, order_id: str, whole: bytes) -> None:
        self._seen.at_once -= 1
        answer = self._script(order_id, whole)
        self._transport.write(answer)
        if self._close or not answer:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        self._seen.closed += 1


@asynccontextmanager
async def serving(
    script: Script = accepting,
    *,
    close: bool = False,
    tls: ssl.SSLContext | None = None,
    seen: Seen | None = None,
) -> AsyncIterator[Seen]:
    """A server on localhost. `close`: it closes each connection right after its first answer, without saying so.
    `seen`: counts go there, several servers' together; the url is the last one's."""
    seen = seen or Seen()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Peer(script, seen, close), "127.0.0.1", 0, ssl=tls)
    seen.url = f"{'https' if tls else 'http'}://localhost:{server.sockets[0].getsockname()[1]}"
    try:
        yield seen
    finally:
        server.close()


class Authority:
    """A certificate authority for one test: its certificate is in `file`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of a test")])
        usage = {name: False for name in x509.KeyUsage.__init__.__annotations__ if name != "return"}
        signs = x509.KeyUsage(**{**usage, "key_cert_sign": True, "crl_sign": True})
        made = self._builder(self._name, self._key.public_key(), 1).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        made = made.add_extension(signs, critical=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def server(self, name: str = "localhost", days: int = 1) -> ssl.SSLContext:
        """A server's side of TLS, for a host, valid until so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Server of a test")])
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        if name == "localhost":
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        made = self._builder(subject, key.public_key(), days).add_extension(
            x509.SubjectAlternativeName(names), critical=False
        )
        kept = self._folder / f"{name}{days}.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        kept.write_bytes(secret + made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(kept)
        return context

    def _builder(self, subject: x509.Name, key: Any, days: int) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=9))
            .not_valid_after(now + datetime.timedelta(days=days))
        )
