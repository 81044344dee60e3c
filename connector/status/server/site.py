"""The HTTP side of status: which path answers what. Facts and stories come from outside; nothing is changed but by
requests that are left for the connector.

Metrics and health answer to any name, because scrapers and probes use what they like and neither holds an order's key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib.resources import files
from typing import Final

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from connector.model.errors import ConnectorError
from connector.model.orders import OrderKey, named_key
from connector.status import order_story as stories
from connector.status.facts import Facts
from connector.status.metrics import CONTENT_TYPE, Metrics
from connector.status.order_story import OrderPreview, OrderStory, order_path
from connector.status.page import render
from connector.status.ports import RequestStatus, SiteContext
from connector.status.server.actions import PageActions
from connector.status.server.event_streams import EventStreams
from connector.status.server.pace import Pace
from connector.status.server.responses import HEADERS, as_json, html, message_page, refuse_foreign_host
from connector.status.status_json import as_json as facts_as_json
from connector.status.verdict import fit, ready

Answer = Callable[[Request], Awaitable[Response]]

METRICS_A_SECOND: Final = 8
"""Renderings; each takes the event loop several milliseconds."""

_FILES: Final[Mapping[str, tuple[bytes, str]]] = {
    name: (files("connector.status.page").joinpath("static", name).read_bytes(), kind)
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript"), ("icon.svg", "image/svg+xml"))
}


class _Anything(Convertor[str]):
    """The rest of a path, line breaks too."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anything", _Anything())


class Site:
    def __init__(self, metrics: Metrics, facts: Callable[[], Facts], context: SiteContext, connections: int) -> None:
        self._metrics = metrics
        self._facts = facts
        self._context = context
        self.actions = PageActions(context)
        self._streams = EventStreams(context.closing, connections)
        self._renderings = Pace(METRICS_A_SECOND)
        self._rendered = b""

    async def exposition(self, _: Request) -> Response:
        """Of this moment, unless more than METRICS_A_SECOND are asked for: those get the last one."""
        if self._renderings.take():
            self._metrics.update(self._facts())
            self._rendered = self._metrics.exposition()
        return Response(self._rendered, headers={**HEADERS, "Content-Type": CONTENT_TYPE})

    async def alive(self, request: Request) -> Response:
        """With `role=leader`, whether it is the one that leads, ready or not."""
        if request.query_params.get("role") != "leader":
            return as_json({"alive": True})
        leads = self._facts().leads
        return as_json({"alive": True, "leads": leads}, 200 if leads else 503)

    async def readiness(self, request: Request) -> Response:
        """Of the leader; with `role=any`, of a connector that waits to take over, too."""
        now = self._facts()
        is_ready, reason = (fit if request.query_params.get("role") == "any" else ready)(now)
        body = {"ready": is_ready, "state": now.state, "reason": reason, "next": now.next_step or None}
        return as_json(body, 200 if is_ready else 503)

    async def status(self, _: Request) -> Response:
        return as_json(facts_as_json(self._facts()))

    async def page(self, request: Request) -> Response:
        return html(render.status(self._facts(), self.actions.visitor(request), await self._asked(request)))

    async def events(self, request: Request) -> Response:
        """The page's parts, again and again, as they change."""

        async def look() -> Mapping[str, str]:
            return render.parts(self._facts(), self.actions.visitor(request), await self._asked(request))

        return self._stream(look)

    async def order_events(self, request: Request) -> Response:
        """The parts of an order's page that need no look at the OMS. The query tells of the look that is shown."""
        orders, key, query = self._context.orders, _key(request), request.query_params
        verdict, at = query.get("verdict", ""), _moment(query.get("at", ""))
        if orders is None or key is None or at is None:
            return message_page(404, "Nothing here", "An order's page asks for this by itself.")

        async def look() -> Mapping[str, str]:
            try:
                story = await orders.remembered(key, OrderPreview(verdict))
            except ConnectorError:
                return {}  # between two mappings, or the pipeline's own error says it better
            return render.order_parts(replace(story, as_of=at, looked=query.get("look")), await self._asked(request))

        return self._stream(look)

    def _stream(self, look: Callable[[], Awaitable[Mapping[str, str]]]) -> Response:
        if self._streams.full:
            return message_page(503, "Too many", "Too many pages are open. Close some; a reload shows how things are.")
        return StreamingResponse(self._streams.stream(look), headers=HEADERS, media_type="text/event-stream")

    async def find(self, request: Request) -> Response:
        """The form that asks for an order."""
        key = request.query_params.get("key", "").strip()
        return Response(status_code=303, headers={**HEADERS, "Location": order_path(key) if key else "/"})

    async def order(self, request: Request) -> Response:
        story = await self._story(_key(request))
        if isinstance(story, Response):
            return story
        if not story.known:
            text = f"Neither the connector nor the mapping knows an order {story.key}."
            return message_page(404, "No such order", text)
        visitor, asked = self.actions.visitor(request), await self._asked(request)
        page = partial(render.order, story, visitor, asked, show_values=self._context.show_values)
        return html(await asyncio.to_thread(page))  # with all of its values it may be long

    async def order_json(self, request: Request) -> Response:
        story = await self._story(_key(request))
        if isinstance(story, Response):
            return story
        return await asyncio.to_thread(lambda: as_json(stories.as_json(story), 200 if story.known else 404))

    async def file(self, request: Request) -> Response:
        found = _FILES.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return Response(found[0], headers=HEADERS, media_type=found[1])

    async def _story(self, key: OrderKey | None) -> OrderStory | Response:
        if key is None:
            return message_page(404, "No such order", "No order can have such a key.")
        if self._context.orders is None:
            return message_page(503, "Not yet", "The connector is still starting: ask again in a moment.")
        try:
            return await self._context.orders.story(key)
        except ConnectorError as error:
            return message_page(503, "The order can't be read", str(error))

    async def _asked(self, request: Request) -> RequestStatus | None:
        number = request.query_params.get("asked", "")
        requests = self._context.requests
        if requests is None or not (number.isdecimal() and len(number) < 10):
            return None
        try:
            return await requests.get(int(number))
        except ConnectorError:
            return None  # the pipeline's own error says it better


def _key(request: Request) -> OrderKey | None:
    """As `order_path` writes it; None for what can't be one."""
    try:
        return named_key(request.path_params["key"] or request.query_params.get("key", ""))
    except ValueError:
        return None


def _moment(text: str) -> float | None:
    """Seconds since 1970, before the year 3000."""
    try:
        moment = float(text)
    except ValueError:
        return None
    return moment if 0 <= moment < 32_500_000_000 else None


def create_app(
    metrics: Metrics, facts: Callable[[], Facts], context: SiteContext | None = None, connections: int = 128
) -> ASGIApp:
    """The application. `facts` is called for each request and must be cheap; it must not block. `connections`: how many
    its server has at a time."""
    context = context or SiteContext()
    site = Site(metrics, facts, context, connections)
    actions = site.actions
    open_to_all = [
        Route("/metrics", site.exposition),
        Route("/healthz", site.alive),
        Route("/readyz", site.readiness),
        Route("/static/{name}", site.file),
    ]
    asked_by_name: list[tuple[str, Answer, str]] = [
        ("/", site.page, "GET"),
        ("/api/status", site.status, "GET"),
        ("/events", site.events, "GET"),
        ("/events/orders/{key:anything}", site.order_events, "GET"),
        ("/orders", site.find, "GET"),
        ("/orders/{key:anything}", site.order, "GET"),
        ("/api/orders/{key:anything}", site.order_json, "GET"),
        ("/sign-in", actions.sign_in_form, "GET"),
        ("/sign-in", actions.sign_in, "POST"),
        ("/sign-out", actions.sign_out, "POST"),
        ("/actions/{verb}", actions.act, "POST"),
    ]
    guarded = [Route(path, _guarded(answer, context), methods=[method]) for path, answer, method in asked_by_name]
    return Starlette(routes=[*open_to_all, *guarded], exception_handlers=_HANDLERS)


def _guarded(answer: Answer, context: SiteContext) -> Answer:
    """Refuses who asks by a name that isn't ours."""

    async def guarded(request: Request) -> Response:
        return refuse_foreign_host(request, context.hosts) or await answer(request)

    return guarded


async def _unknown(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    text = "There is no such page." if status == 404 else "That can't be done here."
    return message_page(status, "Nothing here", text)


async def _gone(_: Request, __: Exception) -> Response:
    """Who asked is no longer there to read it."""
    return Response(status_code=400, headers=HEADERS)


_HANDLERS: Final = {404: _unknown, 405: _unknown, ClientDisconnect: _gone}
