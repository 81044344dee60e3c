"""What the status server shows and takes, whichever generation of the pipeline runs. Wiring, like `app`."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from connector import __version__
from connector.daemon.health.facts_collector import FactsCollector
from connector.daemon.inbox import Desk
from connector.daemon.mapping.mapping_watch import Parts
from connector.daemon.mapping.unmapped import Unmapped
from connector.daemon.startup import Beginning
from connector.inspect.order_story import ForOne, Generation, Teller, terms
from connector.projection import Projection
from connector.settings.config import Settings
from connector.status.facts import Facts
from connector.status.history import History
from connector.status.metrics import Metrics
from connector.status.ports import Panel
from connector.status.site import create_app
from connector.status.web import WebServer
from connector.wiring import factories


class Front:
    """Raises ConfigurationError for settings that describe no contract with Redo."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.metrics = Metrics(__version__)
        self.history = History()
        self.beginning = Beginning()
        self._facts_collector: FactsCollector | None = None
        self._parts: Parts | None = None
        address, status = factories.checkpoints(settings), settings.status
        self._desk = None if address.in_memory else Desk(address)
        token = None if status.token is None else status.token.get_secret_value()
        teller = Teller(terms(settings), self.history, time.time(), self._generation)
        hosts = (*status.hosts, status.host)
        self._panel = Panel(token, hosts, status.show_values, self._desk, teller, asyncio.Event())

    def facts(self) -> Facts:
        """Of the present generation, or of the last one while the next is built."""
        return self._facts_collector.facts() if self._facts_collector is not None else self.beginning.facts()

    def show(self, parts: Parts) -> None:
        self._facts_collector, self._parts = parts.facts_collector, parts

    def leave(self) -> None:
        """The generation's store and connections are about to be closed."""
        self._parts = None

    async def serve(self, host: str, port: int, stack: AsyncExitStack) -> WebServer:
        """Until the stack closes. Raises ConfigurationError when the address can't be had."""
        web = WebServer(create_app(self.metrics, self.facts, self._panel), host, port, self._panel.closing)
        await web.start()
        if self._desk is not None:
            stack.callback(self._desk.close)
        stack.push_async_callback(web.stop)
        return web

    def _generation(self) -> Generation | None:
        parts = self._parts
        if parts is None:
            return None
        pipeline = parts.pipeline
        return Generation(
            pipeline.ports.store,
            pipeline.in_work.__contains__,
            lambda: self._assembler(parts.projection),
            pipeline.options.endpoints,
        )

    def _assembler(self, projection: Projection | Unmapped) -> ForOne:
        if isinstance(projection, Unmapped):
            return projection
        return factories.assembler_for_a_person(self._settings, projection)
