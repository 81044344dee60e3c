"""The status server: started once, it shows whichever generation of the pipeline runs, and takes requests for it."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from connector.daemon.descriptors import for_visitors
from connector.daemon.generation import Generation
from connector.daemon.health.facts_collector import EVERY
from connector.daemon.mapping.unusable_mapping import UnusableMapping
from connector.daemon.requests import PageRequests
from connector.daemon.startup import Startup
from connector.inspect.orders.order_story import OneOrderAssembler, OrderSources, OrderStories, story_terms
from connector.settings.config import Settings
from connector.status.facts import Facts
from connector.status.history import History
from connector.status.metrics import Metrics
from connector.status.ports import SiteContext
from connector.status.server.site import create_app
from connector.status.server.web_server import WebServer
from connector.status.timeline import Timeline
from connector.wiring import factories


class StatusServer:
    """Raises ConfigurationError for settings that describe no contract with Redo."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.metrics = Metrics()
        self.history = History()
        self.startup = Startup()
        self._timeline = Timeline()
        self._shown: Generation | None = None
        """Whose facts are shown: the present generation's, or the last one's while the next is built."""
        self._open: Generation | None = None
        """Whose store and connections are open."""
        address, status = factories.checkpoints(settings), settings.status
        self._requests = None if address.in_memory else PageRequests(address)
        self._context = SiteContext(
            token=None if status.token is None else status.token.get_secret_value(),
            hosts=(*status.hosts, status.host),
            show_values=status.show_values,
            requests=self._requests,
            orders=OrderStories(story_terms(settings), self.history, time.time(), self._order_sources),
            closing=asyncio.Event(),
        )

    async def start(self, stack: AsyncExitStack) -> int:
        """Serve until the stack closes; returns the port. Raises ConfigurationError when the address can't be had."""
        status = self._settings.status
        most = for_visitors(self._settings.redo.max_concurrency)
        app = create_app(self.metrics, self.facts, self._context, most)
        web = WebServer(app, status.host, status.port, self._context.closing, most)
        await web.start()
        if self._requests is not None:
            stack.callback(self._requests.close)
        stack.push_async_callback(web.stop)
        remembering = asyncio.create_task(self._remember(), name="timeline")
        stack.callback(remembering.cancel)
        return web.port

    def facts(self) -> Facts:
        return self._timeline.add_to(self._present())

    def _present(self) -> Facts:
        return self.startup.facts() if self._shown is None else self._shown.facts_collector.facts()

    async def _remember(self) -> None:
        """Whoever looks at the page, or nobody."""
        while True:
            self._timeline.look(self._present())
            await asyncio.sleep(EVERY)

    def show(self, generation: Generation) -> None:
        self._shown = self._open = generation

    def forget(self) -> None:
        """The generation was the last of a term: what the connector waits for is shown from now on."""
        self._shown = None

    def leave(self) -> None:
        """The generation's store and connections are about to be closed."""
        self._open = None

    def _order_sources(self) -> OrderSources | None:
        if self._open is None:
            return None
        pipeline, projection, settings = self._open.pipeline, self._open.projection, self._settings

        def new_assembler() -> OneOrderAssembler:
            if isinstance(projection, UnusableMapping):
                return projection
            return factories.assembler_for_a_person(settings, projection)

        return OrderSources(
            pipeline.ports.store,
            pipeline.in_work.__contains__,
            new_assembler,
            pipeline.options.endpoints,
        )
