"""Logs: one line an event, with ids and never an address; tracebacks without the values of variables."""

from __future__ import annotations

import logging
import sys

import structlog


def init() -> None:
    """Set up logging for this process: for people on a terminal, JSON lines otherwise."""
    terminal = sys.stderr.isatty()
    ending: list[structlog.typing.Processor] = (
        # Rich tracebacks print local variables, and those hold readers' addresses.
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *ending,
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
