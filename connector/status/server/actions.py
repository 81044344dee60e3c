"""Signing in and out, and the actions of the page. Each action is left as a request for the connector; none is done
here."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import structlog
from starlette.requests import Request
from starlette.responses import Response

from connector.model.errors import ConnectorError
from connector.model.orders import named_key
from connector.status.order_story import order_path
from connector.status.page import render
from connector.status.page.render import Visitor
from connector.status.ports import Requests, SiteContext
from connector.status.server.responses import HEADERS, html, message_page
from connector.status.server.sessions import LASTS, Sessions
from connector.status.server.wrong_tokens import WrongTokens, owner_of

log = structlog.get_logger("connector.status")

COOKIE: Final = "redo_connector_session"
_LONGEST: Final = 16_384
"""Bytes of a form."""
_MOST: Final = 20
"""Fields of a form."""
_LOOKS: Final = 20
_LOOK_EVERY: Final = 0.1
"""Seconds between looks at whether a request is done."""
_FORM: Final = "application/x-www-form-urlencoded"


def _redrive(form: Mapping[str, str]) -> dict[str, Any]:
    return {"keys": [named_key(form["key"])]} if "key" in form else {"group": form["group"]}


def _approve(form: Mapping[str, str]) -> dict[str, Any]:
    return {"hold": int(form["hold"]), "limit": int(form["limit"]) if "limit" in form else None}


ACTIONS: Final[Mapping[str, Callable[[Mapping[str, str]], dict[str, Any]]]] = {
    "redrive": _redrive,
    "set-aside": _redrive,
    "approve": _approve,
    "pause": lambda _: {},
    "resume": lambda _: {},
    "reconcile": lambda _: {},
}
"""From a form's fields to the arguments of a request. Raise KeyError and ValueError for a form that lacks them."""


class PageActions:
    def __init__(self, context: SiteContext) -> None:
        self._context = context
        self._sessions = Sessions(context.token) if context.token is not None else None
        self._wrong = WrongTokens()

    def visitor(self, request: Request) -> Visitor:
        session = _session(request)
        if not self._context.acts or self._sessions is None or not self._sessions.is_open(session):
            return Visitor(self._context.acts)
        return Visitor(acts=True, seal=self._sessions.seal(session or ""))

    async def sign_in_form(self, request: Request) -> Response:
        if not self._context.acts:
            return _off()
        return html(render.sign_in(self.visitor(request), "", _path(request.query_params.get("then", "/"))))

    async def sign_in(self, request: Request) -> Response:
        if not self._context.acts or self._sessions is None:
            return _off()
        form = await _form(request)
        if "token" not in form:
            return message_page(400, "Not a form of this page", "It has no token. Go back, and send it again.")
        then, address = _path(form.get("then", "/")), request.client.host if request.client is not None else ""
        if wait := math.ceil(self._wrong.wait(address)):
            problem = f"Too many wrong tokens came from your address. Try again in {wait} s."
            return html(render.sign_in(self.visitor(request), problem, then), 429, {"Retry-After": str(wait)})
        session = self._sessions.open(form["token"].strip())
        if session is None:
            self._count(address)
            return html(render.sign_in(self.visitor(request), "That is not the token.", then), 403)
        answer = _go(then)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, session, max_age=int(LASTS), httponly=True, samesite="strict", secure=secure)
        return answer

    def _count(self, address: str) -> None:
        """One more wrong token. Never with the token: it may be the right one but for a letter."""
        self._wrong.count(address)
        if self._wrong.too_many:
            log.warning("sign_ins_refused", next="somebody guesses: see who can reach the page, and who may")
        else:
            log.warning("sign_in_refused", peer=owner_of(address))

    async def sign_out(self, request: Request) -> Response:
        form = await _form(request)
        if (refused := self._refused(request, form)) is not None:
            return refused
        assert self._sessions is not None  # noqa: S101 -- refused above without
        self._sessions.close(_session(request))
        answer = _go("/")
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    async def act(self, request: Request) -> Response:
        """Leave a request for the connector, then show the page again, with what becomes of it."""
        verb = request.path_params["verb"]
        form = await _form(request)
        if (refused := self._refused(request, form)) is not None:
            return refused
        if verb not in ACTIONS:
            return message_page(404, "No such action", "There is no such action.")
        try:
            arguments = ACTIONS[verb](form)
        except (KeyError, ValueError):
            return message_page(400, "Not a form of this page", "The form lacks something. Go back, and send it again.")
        assert self._context.requests is not None  # noqa: S101 -- refused above without
        try:
            number = await self._context.requests.ask(verb, arguments)
            await _shortly(self._context.requests, number)
        except ConnectorError as error:
            return message_page(503, "It can't be asked for", str(error))
        return _go(order_path(form["key"], asked=number) if "key" in form else f"/?asked={number}")

    def _refused(self, request: Request, form: Mapping[str, str]) -> Response | None:
        if not self._context.acts or self._sessions is None:
            return _off()
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return message_page(403, "Not from here", "That form was sent by another site's page, so nothing was done.")
        if not self._sessions.sealed(_session(request), form.get("seal", "")):
            text = "Sign in with the token first, then send the form again. Nothing was done."
            return message_page(403, "Not signed in", text)
        return None


def _session(request: Request) -> str | None:
    """What the cookie holds. Not by `request.cookies`: before Python 3.11.10 one cookie full of backslashes takes it
    seconds (CVE-2024-7592)."""
    given = (one.strip().partition("=") for one in request.headers.get("cookie", "").split(";"))
    return next((value for name, _, value in given if name == COOKIE), None)


async def _shortly(requests: Requests, number: int) -> None:
    """Most requests are done at once: then the next page can say so."""
    for _ in range(_LOOKS):
        asked = await requests.get(number)
        if asked is None or asked.state in ("done", "failed"):
            return
        await asyncio.sleep(_LOOK_EVERY)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form, the first of each name; nothing when it is none."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != _FORM:
        return {}
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST:
            return {}
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST)
    except ValueError:  # more fields than that
        return {}
    return {name: values[0] for name, values in fields.items()}


def _off() -> Response:
    text = "Nothing can be changed here: no status.token is set, or the store is in memory. Use the command instead."
    return message_page(403, "Actions are off", text)


def _path(text: str) -> str:
    """A path of this page, whatever somebody wrote into a link."""
    return (
        text
        if text.startswith("/") and not text.startswith(("//", "/\\")) and text.isascii() and text.isprintable()
        else "/"
    )


def _go(path: str) -> Response:
    # 303: the browser asks for it with GET, so that a reload sends no form again.
    return Response(status_code=303, headers={**HEADERS, "Location": path})
