"""A Redo that quotes whatever it is sent, token included, in every part of an answer. A script for `redo_servers`."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any
from urllib.parse import unquote

from connector.sandbox.read_api import shown
from tests.support.redo_servers import accepting


class Echo:
    """`next_answers`: how the next pushes of an order are answered; accepted when there are none left. `to_all`: what
    every request is answered with meanwhile. `stale`: orders that are read back with other values than were pushed."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.next_answers: defaultdict[str, list[str]] = defaultdict(list)
        self.to_all = ""
        self.stale: set[str] = set()

    def __call__(self, order_id: str, whole: bytes) -> bytes:
        head, _, body = whole.partition(b"\r\n\r\n")
        if self.to_all:
            return self._answer(self.to_all, whole)
        if not head.startswith(b"POST"):
            return self._read_back(unquote(head.split()[1].decode().rpartition("/")[2]))
        if self.next_answers[order_id] and (how := self.next_answers[order_id].pop(0)):
            return self._answer(how, whole)
        self.orders[order_id] = json.loads(body)
        return accepting(order_id)

    def _read_back(self, order_id: str) -> bytes:
        if order_id not in self.orders:
            return _said("404 Nothing", {"error": "Order not found"})
        answer = shown(self.orders[order_id])
        if order_id in self.stale:
            answer["customer"] = {**answer["customer"], "firstName": "Another", "email": "another@elsewhere.example"}
        return _said("200 OK", answer)

    def _answer(self, how: str, whole: bytes) -> bytes:
        """`400`, `401`, `422`, `500`, `page` (a web page with a 200), `cut`, `silent` (never a whole answer)."""
        text = whole.decode()
        token = text.partition("Bearer ")[2].partition("\r")[0]
        order = json.loads(whole.partition(b"\r\n\r\n")[2] or b"{}")
        email = order.get("customer", {}).get("email", token)
        quoted = f"X-Echo: {email} {token}\r\nRetry-After: {email}\r\nLocation: /?q={email}&t={token}"
        page = f"<html><title>{email}</title><pre>{text}</pre></html>"
        match how:
            case "cut":
                return b""
            case "silent":
                return f"HTTP/1.1 200 OK\r\n{quoted}\r\nContent-Length: 9999\r\n\r\n{text}".encode()
            case "page":
                return _said(f"200 {email}", page, quoted)
            case "500":
                return _said(f"500 {email}", page, quoted)
            case "401":
                return _said(f"401 {token}", {"error": f"token {token} of {email} is refused"}, quoted)
            case "422":
                problem = {"title": f"{email} is unknown", "detail": text, "instance": f"/{email}", "status": 422}
                return _said(f"422 {email}", problem, quoted)
        return _said(f"400 {email}", {"error": text, "errors": _complaints(order, token)}, quoted)


def _complaints(order: dict[str, Any], token: str) -> dict[str, Any]:
    customer, address = order["customer"], order["shippingAddress"]
    return {
        "customer": {name: [f"'{value}' is not allowed", f"{token}?"] for name, value in customer.items()},
        "shippingAddress": {name: f'expected another value than "{value}"' for name, value in address.items()},
        customer["email"]: f"unknown {customer['lastName']}",
        "lineItems": {"0": {"title": f"not for {customer['firstName']} of {address['address1']}"}},
    }


def _said(status: str, body: str | dict[str, Any], *headers: str) -> bytes:
    kind = "text/html" if isinstance(body, str) else "application/json"
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {kind}", *headers, f"Content-Length: {len(content)}"])
    return f"{head}\r\n\r\n".encode() + content
