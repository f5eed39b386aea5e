"""`flask series list|pull|push|drive`: a series as a folder of text files, and as its reader would live it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from flask import Flask
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from newsletter import cli_drive, clock
from newsletter.accounts import actions as accounts
from newsletter.cli import speaks_plainly
from newsletter.database.engine import db, transaction
from newsletter.forecast import impact
from newsletter.forecast.comparing import Impact
from newsletter.sequences import filediff, queries, versions
from newsletter.sequences import series as folders
from newsletter.sequences.edits import Replace
from newsletter.sequences.files import Folder
from newsletter.sequences.moving import LONGEST_SPREAD, AtOnce, Choices

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
        said = _say(there, folders.tidy(held))
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
@click.option(
    "--at-once",
    type=click.Choice([str(one) for one in AtOnce]),
    default=str(AtOnce.NOW),
    show_default=True,
    help="Whom it makes due at once: now, spread over some hours, or when they were due anyway (keep).",
)
@click.option("--spread-hours", type=click.IntRange(1, LONGEST_SPREAD), default=24, show_default=True)
@click.option("--finished", is_flag=True, help="New emails at the end also go to those who finished.")
@with_appcontext
@speaks_plainly
def push(folder: Path, yes: bool, dry_run: bool, at_once: str, spread_hours: int, finished: bool) -> None:
    """Bring the series in FOLDER into the database, after saying what changes and for how many people."""
    given, choices = folders.of_folder(folder), Choices(at_once, spread_hours, finished)
    slug = given.draft.slug
    folders.check_moves(db.session(), given)
    looked_at, lines, hurried = _plan(db.session(), given, choices)
    if not lines:
        click.echo(f"The series {slug} is like that already.")
        return
    click.echo("\n".join(lines))
    if dry_run or not (yes or click.confirm("Bring it in?")):
        click.echo(FULL_STOP)
        return
    choices = replace(choices, confirmed=hurried)
    foreseen = folders.foresee(db.session(), given, clock.now(), choices)
    with transaction() as session:
        now = clock.now()
        row = folders.bring_in(session, given, now, choices, foreseen=foreseen, expected=looked_at)
        accounts.record(session, "series.pushed", by=None, now=now, subject=f"series:{row.id}")
    click.echo(f"Done: the series {slug}, {_many(len(given.draft.living), 'step')}.")


def _plan(session: Session, given: Folder, choices: Choices) -> tuple[int, list[str], int]:
    """The version looked at, what a push would do to it, a line each, and how many would get an email at once."""
    row = queries.by_slug(session, given.draft.slug)
    if row is None:
        steps = [f"  {words}" for words in filediff.changes(folders.nothing(given), given)]
        return folders.NOT_THERE, [f"The series {given.draft.slug} is new:", *steps], 0
    # Kept before anything else is read: on PostgreSQL an edit between two of these reads must count as one too many.
    version = row.version
    held = folders.tidy(folders.held(session, row.slug))
    said, reworded = _say(held, given), dict(filediff.reworded(held.draft, given.draft))
    if not said:
        return version, [], 0
    before, now = versions.current(session, row.id), clock.now()
    found = impact.of_change(session, row.id, before, Replace(given.draft).on(before), now, choices)
    reached = [
        f"  The new words of {before.title(step.id)}: {_many(count, 'person', 'people')} will get them."
        for step in before.living
        if step.key in reworded and (count := versions.going_to_get(session, row.id, step, before))
    ]
    lines = [f"The series {row.slug} would change:", *said, *_people(found, choices), *reached]
    return version, lines, found.at_once


def _people(found: Impact, choices: Choices) -> list[str]:
    """What it means for whom (semantics 3.9 to 3.11)."""
    lines = [f"People: {found.people:,} under way, {found.waits_moved:,} of them go on at another step or time."]
    for step in found.steps:
        effects = [f"{words}: {_many(count, 'person', 'people')}" for words, count in step.shifts]
        effects += [f"{_many(len(step.gained), 'person gets', 'people get')} it only now"] if step.gained else []
        effects += [f"{_many(len(step.lost), 'person gets', 'people get')} it no more"] if step.lost else []
        lines.append(f"  {step.title[:1].upper()}{step.title[1:]} “{step.subject}”: {'; '.join(effects)}.")
    if not found.whole:
        lines.append(f"  (The {found.looked:,} who are next were looked at one by one.)")
    for count, what in ((found.turned_away, "join no more"), (found.let_in, "join who would not have")):
        if count:
            lines.append(f"  {_many(count, 'person', 'people')} whose date comes within 30 days would {what}.")
    if found.at_once:
        when = {AtOnce.NOW: "at once", AtOnce.KEEP: "when they were due anyway"}
        spread = f"within {choices.spread_hours} hours"
        lines.append(
            f"  {_many(found.at_once, 'person', 'people')} would be due at once; they get it "
            f"{when.get(AtOnce(choices.at_once), spread)} (--at-once)."
        )
    if found.finished:
        stay = "get what is new, too" if choices.finished else "stay finished; --finished sends them what is new"
        lines.append(f"  {_many(found.finished, 'person has', 'people have')} finished; they {stay}.")
    return lines


def _say(before: Folder, after: Folder) -> list[str]:
    lines = [f"  {words}" for words in filediff.changes(before, after)]
    for key, changed in filediff.reworded(before.draft, after.draft):
        lines += [f"  {key}:", *(f"    {line}" for line in changed)]
    return lines


def _many(number: int, one: str, more: str = "") -> str:
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def init(app: Flask) -> None:
    """Give `app` these commands."""
    series.add_command(cli_drive.test_drive)
    app.cli.add_command(series)
