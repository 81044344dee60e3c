"""Log lines: one event a line, on standard error; for people on a terminal, JSON elsewhere.

What says the same again and again is written a few times a minute (`repeats`).

Libraries speak through the same format, at warning and above only: their lower levels name URLs and connections.
An exception is told by its type and where it was raised: its message, and local variables, may hold rows and secrets.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, Final, Literal

import orjson
import structlog
from structlog.typing import ExcInfo, Processor

from connector.logs import colours
from connector.logs.repeats import Repeats

_WORDS: Final = re.compile(r"[\w' ]*")


def configure(form: Literal["auto", "console", "json"], level: str) -> None:
    """Set up structlog and the standard library's logging, once, at the start of a command."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(without_values),
    ]
    repeats, renderer = Repeats(), _renderer(form)
    structlog.configure(
        processors=[_without_nothing, repeats, *shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    _configure_libraries(formatter, repeats)


def _renderer(form: Literal["auto", "console", "json"]) -> Processor:
    if writes_json(form):
        return structlog.processors.JSONRenderer(serializer=_to_json)
    # Exceptions that come to it are rendered already.
    plain = structlog.dev.plain_traceback
    return _Console(
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and colours.wanted(), exception_formatter=plain)
    )


class _Console:
    """For a terminal, which must not take orders from a key: what doesn't print is escaped."""

    def __init__(self, renderer: structlog.dev.ConsoleRenderer) -> None:
        self._renderer = renderer

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        for name, value in event.items():
            if isinstance(value, str) and name != "exception" and not value.isprintable():
                event[name] = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in value)
        return self._renderer(logger, method, event)


def _configure_libraries(formatter: logging.Formatter, repeats: Repeats) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    # Not only the root: whoever sets a library's logger lower, its lower levels quote what a server answers.
    handler.setLevel(logging.WARNING)
    handler.addFilter(_without_reprs)
    handler.addFilter(repeats.filter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)


def writes_json(form: Literal["auto", "console", "json"]) -> bool:
    return form == "json" or (form == "auto" and not sys.stderr.isatty())


def _without_reprs(record: logging.LogRecord) -> bool:
    """asyncio writes tasks, their exceptions and callbacks' arguments into its messages, psycopg what a server said,
    which may quote a row: only their words are kept."""
    if record.name.partition(".")[0] in ("asyncio", "psycopg") and (words := _WORDS.match(record.getMessage())):
        record.msg, record.args = words[0].rstrip(), ()
    return True


def without_values(exc_info: ExcInfo) -> str:
    """Where it was raised, and its type."""
    kind, _, frames = exc_info
    return "".join([*traceback.format_tb(frames), kind.__qualname__])


def _without_nothing(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A field that has nothing to say isn't written."""
    return {name: value for name, value in event.items() if value is not None}


def _to_json(event: dict[str, Any], **_: Any) -> str:
    try:
        return orjson.dumps(event, default=str).decode()
    except TypeError:  # half a surrogate pair, or a whole number beyond 64 bits: no line may fail
        return json.dumps(event, default=str)
