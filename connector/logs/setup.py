"""Log lines: one event a line, on standard error; for people on a terminal, JSON elsewhere.

What says the same again and again is written a few times a minute (`repeats`).

Libraries speak through the same format, at warning and above only: their lower levels name URLs and connections.
An exception is told by its type and where it was raised: its message, and local variables, may hold rows and secrets.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from typing import Any, Final, Literal

import orjson
import structlog
from structlog.typing import ExcInfo, Processor

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
        processors=[repeats, *shared, renderer],
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
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


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
    """asyncio writes tasks, their exceptions and callbacks' arguments into its messages: only its words are kept."""
    if record.name == "asyncio" and (words := _WORDS.match(record.getMessage())):
        record.msg, record.args = words[0].rstrip(), ()
    return True


def without_values(exc_info: ExcInfo) -> str:
    """Where it was raised, and its type."""
    kind, _, frames = exc_info
    return "".join([*traceback.format_tb(frames), kind.__qualname__])


def _to_json(event: dict[str, Any], **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()
