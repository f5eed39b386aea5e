"""The test drive in the back office: a series read as an invented reader gets it, email after email."""

from __future__ import annotations

from dataclasses import replace

from flask import Response, render_template, request, url_for
from sqlalchemy.orm import Session

from newsletter import clock
from newsletter.accounts.gate import admin_blueprint
from newsletter.accounts.rules import zone_names
from newsletter.audience.rules import is_zone
from newsletter.database.engine import db
from newsletter.errors import InputError, NotFound, SuppleError
from newsletter.forecast import drive, drive_form
from newsletter.forecast.drive import Drive, Invented, day_words, gap_words, moment_words
from newsletter.forecast.subjects import written
from newsletter.magnets import queries as magnets
from newsletter.sequences import queries as sequences
from newsletter.sequences.rules import Kind
from newsletter.web.isolation import SANDBOX, isolated

bp = admin_blueprint("drive", __name__, "/admin/sequences")

VIEWS = {"": "Wide", "phone": "Phone", "text": "Text"}


@bp.get("/<int:sequence_id>/drive")
def show(sequence_id: int) -> str | tuple[str, int]:
    """A series as somebody invented lives it: what they get and when, and one email of it open."""
    session, status, problem = db.session(), 200, None
    series = sequences.sequence(session, sequence_id)
    try:
        reader = _reader(session)
    except InputError as wrong:
        reader, problem, status = Invented(clock.now()), wrong, wrong.status
    found = drive.drive(session, sequence_id, reader)
    address = drive_form.address(reader, found.zone)
    number = _number(found)
    made = drive.read(session, reader, found.emails[number - 1]) if number else None
    page = render_template(
        "forecast/drive.html",
        series=series,
        drive=found,
        reader=reader,
        address=address,
        problem=problem,
        number=number,
        stop=found.emails[number - 1] if number else None,
        made=None if isinstance(made, SuppleError) else made,
        broken=made if isinstance(made, SuppleError) else None,
        view=request.args.get("view", "") if request.args.get("view", "") in VIEWS else "",
        VIEWS=VIEWS,
        sandbox=SANDBOX,
        asked=drive_form.asked(found.courses, sequence_id),
        emails=_emails(session, sequence_id),
        gifts=magnets.choices(session),
        zones=[("", "The studio's"), *((name, name.replace("_", " ")) for name in zone_names())],
        here=lambda **more: url_for("drive.show", sequence_id=sequence_id, **{**address, **more}),
        frame=url_for("drive.frame", sequence_id=sequence_id, **address, n=number),
        moment_words=lambda moment: moment_words(moment, found.zone),
        day_words=lambda moment: day_words(moment, found.zone),
        gap_words=lambda before, moment: gap_words(before, moment, found.zone),
    )
    return page if status == 200 else (page, status)


@bp.get("/<int:sequence_id>/drive/frame")
def frame(sequence_id: int) -> Response:
    """One email of the drive as HTML, for the frame."""
    session = db.session()
    reader = _reader(session)
    found = drive.drive(session, sequence_id, reader)
    number = _number(found)
    if not number:
        raise NotFound("This drive has no emails.", remedy="Let it run for more days.")
    made = drive.read(session, reader, found.emails[number - 1])
    if isinstance(made, SuppleError):
        return isolated(render_template("admin/frame_problem.html", problem=made))
    return isolated(made.html)


def _reader(session: Session) -> Invented:
    now, name = clock.now(), request.args.get("zone", "")
    name = name if is_zone(name) else ""
    zone = drive.zone_for(session, Invented(now, zone=name))
    reader = replace(drive_form.invented(dict(request.args.lists()), zone, now), zone=name)
    if "any" in reader.downloaded:
        reader = replace(reader, downloaded=frozenset(slug for slug, _ in magnets.choices(session)))
    return reader


def _number(found: Drive) -> int:
    """The email that is open, from 1; 0 where there is none."""
    asked = request.args.get("n", "1")
    wanted = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 5 else 1
    return max(min(wanted, len(found.emails)), 1) if found.emails else 0


def _emails(session: Session, sequence_id: int) -> list[tuple[str, str]]:
    """The emails of a series whose links may be pressed: key and words."""
    rows = [row for row in sequences.steps(session, sequence_id) if row.kind == Kind.EMAIL]
    return [(row.key, f"Email {at}: {written(row.source)}") for at, row in enumerate(rows, 1)]
