"""`flask series drive`: a series read as somebody invented gets it; nothing is sent."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from newsletter import clock
from newsletter.audience.rules import is_zone
from newsletter.cli import Moment, speaks_plainly
from newsletter.database.engine import db
from newsletter.errors import InputError, NotFound, SuppleError
from newsletter.forecast import drive as driving
from newsletter.forecast import drive_form
from newsletter.forecast.drive import LONGEST, Invented, Stop
from newsletter.magnets import queries as magnets
from newsletter.sequences import queries


@click.command("drive")
@click.argument("name")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, LONGEST))
@click.option("--start", type=Moment(), help="When they join; now if not given.")
@click.option("--zone", default="", help="Where they live, like Europe/Berlin; where the studio is if not given.")
@click.option("--name", "first_name", default="Alice", show_default=True, help="Their first name.")
@click.option("--tag", "tags", multiple=True, help="A tag they have; may be given several times.")
@click.option("--field", "fields", multiple=True, metavar="NAME=VALUE", help="A field of theirs.")
@click.option("--clicks", multiple=True, metavar="KEY", help="An email whose links they press, by its key, or any.")
@click.option("--downloads", multiple=True, metavar="SLUG", help="A gift they have downloaded, or any.")
@click.option("--brief", is_flag=True, help="Only dates and subjects.")
@with_appcontext
@speaks_plainly
def test_drive(
    name: str,
    days: int,
    start: datetime | None,
    zone: str,
    first_name: str,
    tags: tuple[str, ...],
    fields: tuple[str, ...],
    clicks: tuple[str, ...],
    downloads: tuple[str, ...],
    brief: bool,
) -> None:
    """Read the series NAME as somebody invented gets it: every email in its order, with its date. Nothing is sent."""
    session = db.session()
    row = queries.by_slug(session, name)
    if row is None:
        raise NotFound(f"There is no series {name!r}.", remedy="`flask series list` names them all.")
    if zone and not is_zone(zone):
        raise InputError(f"{zone!r} is no time zone.", remedy="Write it like Europe/Berlin.")
    reader = Invented(
        start or clock.now(),
        days,
        first_name,
        zone,
        tags,
        dict(drive_form.fields(fields)),
        frozenset(clicks),
        frozenset(slug for slug, _ in magnets.choices(session)) if "any" in downloads else frozenset(downloads),
    )
    found = driving.drive(session, row.id, reader)
    click.echo(
        f"{first_name or 'Somebody'} joins on {driving.moment_words(found.start, found.zone)}, {found.zone.key}."
    )
    for stop in found.stops:
        click.echo(_told(session, reader, stop, found.zone, brief))
    end = "still under way" if found.under_way else "no more emails"
    emails = len(found.emails)
    count = f"{emails} email{'' if emails == 1 else 's'}"
    click.echo(f"\n{count} in {days} day{'' if days == 1 else 's'}, {end}.")


def _told(session: Session, reader: Invented, stop: Stop, zone: ZoneInfo, brief: bool) -> str:
    when = driving.moment_words(stop.at, zone)
    if not stop.step_id:
        return f"  · {stop.words}" if brief else f"\n· {when}: {stop.words}"
    moved = f" ({stop.moved})" if stop.moved else ""
    if brief:
        return f"{when}  {stop.subject}{moved}"
    made = driving.read(session, reader, stop, drawn=False)
    rule = "─" * 72
    if isinstance(made, SuppleError):
        return f"\n{rule}\n{when}{moved}\n{stop.subject}\n{rule}\nThis email cannot be made: {made}"
    head = "\n".join(line for line in (f"{when}{moved}", made.subject, made.preheader) if line)
    return f"\n{rule}\n{head}\n{rule}\n{made.text.rstrip()}"
