"""`flask series list|pull|push|drive`: a series as a folder of text files, and as its reader would live it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from flask import Flask
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.audience.rules import is_zone
from newsletter.cli import Moment, speaks_plainly
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, NotFound, SuppleError
from newsletter.forecast import drive as driving
from newsletter.forecast import drive_form
from newsletter.forecast.drive import LONGEST, Invented, Stop
from newsletter.magnets import queries as magnets
from newsletter.sequences import filediff, queries
from newsletter.sequences import series as folders
from newsletter.sequences.files import Folder

SHIPPED = Path("emails")
FULL_STOP = "Nothing was changed."


@click.group("series")
def series() -> None:
    """Series of emails as files: write them to a folder, bring them in again."""


@series.command("list")
@with_appcontext
def every() -> None:
    """Name every series, with its emails and its people."""
    session = db.session()
    rows = session.scalars(queries.listed("")).all()
    states = queries.states(session, [row.id for row in rows])
    for row in rows:
        steps = len(queries.steps(session, row.id))
        people = states[row.id].get("active", 0)
        click.echo(f"{row.slug}: {row.name}, {_many(steps, 'step')}, {_many(people, 'person', 'people')} under way")
    if not rows:
        click.echo("There is no series yet.")


@series.command("pull")
@click.argument("name")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@with_appcontext
@speaks_plainly
def pull(name: str, folder: Path | None, yes: bool, dry_run: bool) -> None:
    """Write the series NAME to FOLDER (emails/NAME when it is not given), and say what changes there."""
    place = folder or SHIPPED / name
    held = folders.held(db.session(), name)
    if (place / "series.yaml").exists():
        there = folders.of_folder(place)
        said = _say(there, held)
        if folders.is_written(held, place):
            click.echo(f"{place} holds the series already, as it is.")
            return
        click.echo("\n".join([f"{place} would change:", *(said or ["  The same words, written tidily."])]))
        if dry_run or not (yes or click.confirm("Write it?")):
            click.echo(FULL_STOP)
            return
    elif dry_run:
        click.echo(f"{place} would be made, with {_many(len(held.draft.living), 'step')}.")
        return
    folders.write_folder(held, place)
    click.echo(f"Written: {place}, {_many(len(held.draft.living), 'step')}.")


@series.command("push")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Bring it in without asking.")
@click.option("--dry-run", is_flag=True, help="Only say what would change, and for whom.")
@with_appcontext
@speaks_plainly
def push(folder: Path, yes: bool, dry_run: bool) -> None:
    """Bring the series in FOLDER into the database, after saying what changes and for how many people."""
    given = folders.of_folder(folder)
    slug = given.draft.slug
    lines = _plan(db.session(), given)
    if not lines:
        click.echo(f"The series {slug} is like that already.")
        return
    click.echo("\n".join(lines))
    if dry_run or not (yes or click.confirm("Bring it in?")):
        click.echo(FULL_STOP)
        return
    now = clock.now()
    with transaction() as session:
        row = folders.bring_in(session, given, now)
        accounts.record(session, "series.pushed", by=None, now=now, subject=f"sequence:{row.id}")
    click.echo(f"Done: the series {slug}, {_many(len(given.draft.living), 'step')}.")


@series.command("drive")
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
    click.echo(f"\n{_many(len(found.emails), 'email')} in {_many(days, 'day')}, {end}.")


def _told(session: Session, reader: Invented, stop: Stop, zone: ZoneInfo, brief: bool) -> str:
    when = driving.moment_words(stop.at, zone)
    if not stop.step_id:
        return f"  · {stop.words}" if brief else f"\n· {when}: {stop.words}"
    moved = f" ({stop.moved})" if stop.moved else ""
    if brief:
        return f"{when}  {stop.subject}{moved}"
    made = driving.read(session, reader, stop)
    rule = "─" * 72
    if isinstance(made, SuppleError):
        return f"\n{rule}\n{when}{moved}\n{stop.subject}\n{rule}\nThis email cannot be made: {made}"
    head = "\n".join(line for line in (f"{when}{moved}", made.subject, made.preheader) if line)
    return f"\n{rule}\n{head}\n{rule}\n{made.text.rstrip()}"


def _plan(session: Session, given: Folder) -> list[str]:
    """What a push would do, a line each; empty when it would do nothing."""
    try:
        held = folders.held(session, given.draft.slug)
    except NotFound:
        steps = [f"  {words}" for words in filediff.changes(folders.nothing(given), given)]
        return [f"The series {given.draft.slug} is new:", *steps]
    said = _say(held, given)
    if not said:
        return []
    return [f"The series {given.draft.slug} would change:", *said, *_people(session, held, given)]


def _say(before: Folder, after: Folder) -> list[str]:
    lines = [f"  {words}" for words in filediff.changes(before, after)]
    for key, changed in filediff.reworded(before.draft, after.draft):
        lines += [f"  {key}:", *(f"    {line}" for line in changed)]
    return lines


def _people(session: Session, held: Folder, given: Folder) -> list[str]:
    """How many people stand where something changes."""
    row = queries.by_slug(session, given.draft.slug)
    waiting = queries.waiting_at(session, row.id) if row else {}
    after = {step.key: step for step in given.draft.living}
    lines = []
    for step in held.draft.living:
        people, new = waiting.get(step.id, 0), after.get(step.key)
        if people and (new is None or new.timing != step.timing):
            what = "it is deleted: they go on to the next step" if new is None else "its time changes"
            verb = "waits" if people == 1 else "wait"
            lines.append(f"  {_many(people, 'person', 'people')} {verb} for {held.draft.title(step.id)}; {what}.")
    return lines or ["  Nobody waits for a step that changes its time."]


def _many(number: int, one: str, more: str = "") -> str:
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def init(app: Flask) -> None:
    """Give `app` these commands."""
    app.cli.add_command(series)
