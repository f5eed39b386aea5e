"""Logs: one line an event, with ids and never an address; tracebacks without the values of variables."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from flask.helpers import get_debug_flag

# A mail server's refusal and a database's complaint quote the address they are about.
_ADDRESS = re.compile(r"[^\s\"'<>()=:,]+@[^\s\"'<>()=:,]+")


def without_addresses(text: str) -> str:
    """`text` with every address in it masked."""
    return _ADDRESS.sub("***@***", text)


def _masked(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: without_addresses(value) if isinstance(value, str) else value for name, value in event.items()}


class _Masking(logging.Formatter):
    """For what libraries log, their tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one text without an address."""
        return without_addresses(super().format(record))


def init() -> None:
    """Set up logging for this process: for people on a terminal, JSON lines otherwise.

    With FLASK_DEBUG=1 also one line for each email that went out; it is off because the ledger tells the same.
    """
    terminal = sys.stderr.isatty()
    level = logging.DEBUG if get_debug_flag() else logging.INFO
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Made into plain text here: rich tracebacks print local variables, and those hold readers' addresses.
            structlog.processors.format_exc_info,
            _masked,
            renderer,
        ],
        # What is below the level costs 3 microseconds, so a line per email may stand in the code without being written.
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Masking("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)
