"""No address in a log, whoever wrote the line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import structlog
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from structlog.testing import capture_logs

from newsletter import clock, logs
from newsletter.database.engine import db, transaction
from newsletter.delivery import jobs
from newsletter.delivery.models import Delivery
from tests.delivery.peer import Peer, serving
from tests.people import ALICE, BOB, CHARLIE, NOW, note_writer, person, planned, register

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


@pytest.fixture
def everything() -> Any:
    """Also what is below the level of every day, as under `flask --debug worker`."""
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(0))
    yield
    structlog.configure(wrapper_class=before)


BROKEN = "---\nsubject: A note\n---\nHello {{ subscriber.first_name.no.such.thing }}\n"


def test_every_line_about_an_email_names_it_and_none_names_its_reader(app: Flask, everything: None) -> None:
    register(app, {"note": note_writer(), "broken": note_writer(BROKEN)})
    peer = Peer(recipients={BOB: f"550 5.1.1 <{BOB}>: User unknown", CHARLIE: f"451 4.3.0 <{CHARLIE}> later"})
    with serving(peer), clock.standing_at(NOW):
        app.extensions["settings"] = replace(app.extensions["settings"], smtp=peer.smtp())
        with transaction() as session:
            readers = [person(session, address) for address in (ALICE, BOB, CHARLIE)]
            for reader in readers:
                planned(session, reader)
            planned(session, readers[0], reason="broken:1")
        with capture_logs() as lines:
            while jobs.send_due():
                pass
    about_emails = [line for line in lines if "email" in line["event"]]
    ids = {row.id: row.state for row in db.session().query(Delivery)}
    assert {line["delivery"] for line in about_emails} == set(ids)
    assert {line["outcome"] for line in about_emails if "outcome" in line} == {"accepted", "rejected", "deferred"}
    assert "@" not in str([{name: value for name, value in line.items() if name != "exc_info"} for line in lines])


QUIET = """
import structlog
from newsletter import logs
logs.init()
structlog.get_logger().debug("email handed over", delivery=7)
structlog.get_logger().info("worker started")
"""


@pytest.mark.parametrize(("debug", "told"), [("", ["worker started"]), ("1", ["email handed over", "worker started"])])
def test_a_line_per_email_that_went_out_is_there_on_request(debug: str, told: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUIET],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"FLASK_DEBUG": debug},
    )
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == told
