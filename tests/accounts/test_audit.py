"""The audit log: whatever is given another name or other words is in it, and every line is in words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.accounts.audit import AUDIT_WORDS
from newsletter.accounts.models import AuditEntry
from newsletter.audience import actions as audience
from newsletter.database.engine import db, transaction
from tests import people
from tests.house import modules

DEED = re.compile(r"[a-z]+(\.[a-z_-]+[a-z])+")


def noted(action: str) -> list[tuple[str, dict[str, object]]]:
    """What the log says was done to what, the first first."""
    db.session.rollback()
    found = select(AuditEntry.subject, AuditEntry.detail).where(AuditEntry.action == action)
    return [tuple(row) for row in db.session.execute(found.order_by(AuditEntry.id))]


def test_another_name_of_a_series_is_written_down(operator: FlaskClient) -> None:
    place = operator.post("/admin/sequences", data={"name": "Hips"}).location
    subject = f"sequence:{place.rpartition('/')[2]}"
    for name, about in (("Hips", ""), (" Calm  hips", ""), ("Calm hips", "For runners"), ("hips@home", "For runners")):
        operator.post(f"{place}/name", data={"name": name, "description": about})
    operator.post(f"{place}/name", data={"name": ""})
    assert noted("series.renamed") == [
        (subject, {"was": "Hips", "name": "Calm hips"}),
        (subject, {"was": "Calm hips", "name": "Calm hips"}),
        (subject, {"was": "Calm hips", "name": "hips at home"}),
    ]
    log = operator.get("/admin/activity").text
    assert "Changed the name or description of a series" in log
    assert "was: Calm hips · name: hips at home" in log


def test_a_draft_that_is_begun_worded_and_thrown_away_is_written_down(operator: FlaskClient) -> None:
    number = operator.post("/admin/broadcasts", data={"start": "empty"}).location.split("/")[-2]
    for subject in ("Ten calm minutes", "Ten calm minutes", "Eleven"):
        operator.post(f"/admin/broadcasts/{number}", data={"subject": subject, "preheader": "", "body": "Breathe."})
    copied = operator.post(f"/admin/broadcasts/{number}/copy").location.split("/")[-2]
    operator.post(f"/admin/broadcasts/{number}/delete")
    line: tuple[str, dict[str, object]] = (f"broadcast:{number}", {})
    assert noted("broadcast.begun") == [line, (f"broadcast:{copied}", {})]
    assert noted("broadcast.edited") == [line, line], "saved without a change it is no line"
    assert noted("broadcast.deleted") == [line]


def test_whom_an_email_goes_to_is_written_down_also_where_a_tag_looks_like_an_address(operator: FlaskClient) -> None:
    with transaction() as session:
        audience.add_tag(session, people.person(session, people.ALICE).id, "met@home", clock.now())
    number = operator.post("/admin/broadcasts", data={"start": "empty"}).location.split("/")[-2]
    operator.post(f"/admin/broadcasts/{number}", data={"subject": "Ten calm minutes", "body": "Breathe."})
    when = {"when": "later", "date": "2031-03-04", "time": "07:30"}
    operator.post(f"/admin/broadcasts/{number}/aim", data={"to": "tag", "tag": "met@home"} | when)
    assert operator.post(f"/admin/broadcasts/{number}/queue").status_code == 302
    subject, to = f"broadcast:{number}", {"audience": "tag:met at home"}
    assert noted("broadcast.aimed") == [(subject, to | {"when": "2031-03-04 07:30 UTC"})]
    assert noted("broadcast.queued") == [(subject, to)]


def test_what_is_about_nobody_in_particular_begins_with_what_is_known(operator: FlaskClient) -> None:
    with transaction() as session:
        accounts.record(session, "subscribers.imported", by=None, now=clock.now(), added=2, updated=0)
    log = " ".join(operator.get("/admin/activity").text.split())
    assert re.search(r">\s*added: 2 · updated: 0", log)
    assert "the server" in log


def test_every_deed_that_is_written_down_is_read_in_words() -> None:
    assert len(written := set(_written())) > 30
    assert sorted(written - set(AUDIT_WORDS)) == []


def _written() -> Iterator[str]:
    """The deeds that are named where something is recorded; those made of pieces are not found."""
    for module in modules():
        for node in ast.walk(module.tree):
            name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in {"record", "_record", "_change"}:
                said = (str(one.value) for one in ast.walk(node) if isinstance(one, ast.Constant))
                yield from filter(DEED.fullmatch, said)
