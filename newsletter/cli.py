"""The commands: `flask worker`, `create-admin`, `import`, `broadcast`, `forecast`, `ledger`, `doctor`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

import click
from flask import Flask
from flask.cli import with_appcontext
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from newsletter import clock, doctor, worker
from newsletter.accounts import actions as accounts
from newsletter.accounts import queries as accounts_queries
from newsletter.audience import importing
from newsletter.audience.writing import Errand
from newsletter.broadcasts import actions as broadcasts
from newsletter.database.engine import db, transaction
from newsletter.delivery import queries as ledger_queries
from newsletter.delivery.models import Delivery
from newsletter.errors import NotFound, SuppleError
from newsletter.forecast import formats
from newsletter.forecast import queries as forecasting
from newsletter.sequences import crowds
from newsletter.sequences import queries as sequences_queries
from newsletter.settings import current

Given = ParamSpec("Given")
Result = TypeVar("Result")
console = Console()
progress = Console(stderr=True)
MOST_REFUSALS_SHOWN = 50
ROOT = Path(__file__).resolve().parent.parent
# A worker as lean as it can be; this command has every page and command in its memory, half as much again.
WORKER = [sys.executable, "-m", "newsletter", "worker"]
JOIN_AT_ONCE = 100  # people per commit: a fifth of a second in which a sign-up waits


class Moment(click.ParamType[datetime]):
    """An ISO 8601 moment with its offset, as `2026-01-31T07:00:00+01:00`; without an offset it is UTC."""

    name = "ISO8601"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read the moment; fails with what it should look like."""
        if isinstance(value, datetime):
            return value
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a moment like 2026-01-31T07:00:00+01:00.", param, ctx)
        return read if read.tzinfo else read.replace(tzinfo=clock.now().tzinfo)


def speaks_plainly(command: Callable[Given, Result]) -> Callable[Given, Result]:
    """End a command that met one of our errors with its words and exit code 1, without a trace."""

    @wraps(command)
    def wrapped(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except SuppleError as problem:
            raise click.ClickException(str(problem)) from problem

    return wrapped


@click.command("worker")
@click.option("--once", is_flag=True, help="Do what is due until nothing is, then exit.")
@click.option("--as-of", type=Moment(), help="With --once: as if it were that moment.")
@with_appcontext
@speaks_plainly
def work(once: bool, as_of: datetime | None) -> None:
    """Do due work: plan, send, press, remind, forget."""
    if as_of and not once:
        raise click.UsageError("--as-of goes with --once.")
    if not once:
        places = filter(None, (str(ROOT), os.environ.get("PYTHONPATH", "")))
        os.execve(WORKER[0], WORKER, {**os.environ, "PYTHONPATH": os.pathsep.join(places)})  # noqa: S606
    with clock.standing_at(as_of) if as_of else nullcontext():
        done = worker.take_turn()
    click.echo(f"{done} things done.")
    if worker.failed:
        raise click.ClickException("Some jobs failed: " + ", ".join(sorted(worker.failed)) + ". See the log above.")


@click.command("create-admin")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, required=True, help="Read the password from standard input.")
@click.option("--reset", is_flag=True, help="Give an operator who forgot theirs a new password.")
@with_appcontext
@speaks_plainly
def create_admin(email: str, password_stdin: bool, reset: bool) -> None:  # noqa: ARG001 - the flag says where it comes from
    """Make an operator."""
    password = sys.stdin.readline().rstrip("\n")
    with transaction() as session:
        if reset:
            accounts.reset_password(session, email, password, clock.now())
        else:
            accounts.create_operator(session, email, password, clock.now())
    click.echo("The operator can sign in now.")


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tag", default="", help="Give everyone this tag.")
@click.option("--sequence", default="", help="Let everyone join this series, staggered.")
@click.option("--attest", default="", help="How these people agreed; without it they are taken in unconfirmed.")
@with_appcontext
@speaks_plainly
def import_people(file: Path, tag: str, sequence: str, attest: str) -> None:
    """Take in subscribers from a CSV file, with a reason for every refused row."""
    now = clock.now()
    errand, result = Errand(current().secret_key, now, tag, attest), importing.ImportResult()
    series = sequences_queries.by_slug(db.session(), sequence) if sequence else None
    if sequence and series is None:
        raise NotFound(f"There is no series {sequence!r}.", remedy="Look for its name in the back office.")
    for chunk in track(importing.chunks(importing.lines_of(file)), "Taking in", console=progress, transient=True):
        with transaction() as session:
            importing.take(session, chunk, errand, result)
    with transaction() as session:
        added, updated, refused = result.added, result.updated, len(result.refused)
        accounts.record(
            session, "subscribers.imported", by=None, now=now, added=added, updated=updated, refused=refused
        )
    joined = _join(series.id, result.reachable, now) if series else 0
    click.echo(f"{result.added} added, {result.updated} updated, {len(result.refused)} refused, {joined} joined.")
    for line, reason in result.refused[:MOST_REFUSALS_SHOWN]:
        click.echo(f"line {line}: {reason}", err=True)
    if len(result.refused) > MOST_REFUSALS_SHOWN:
        click.echo(f"… and {len(result.refused) - MOST_REFUSALS_SHOWN} more.", err=True)


def _join(sequence_id: int, people: list[int], now: datetime) -> int:
    """Enrol imported people one after another in time (semantics 3.19), so that their emails do not go as one crowd."""
    joined = 0
    starts = range(0, len(people), JOIN_AT_ONCE)
    for start in track(starts, "Joining", console=progress, transient=True):
        with transaction() as session:
            group = people[start : start + JOIN_AT_ONCE]
            joined += crowds.join(session, sequence_id, group, "import", now)
    return joined


@click.command("broadcast")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", "audience", required=True, help="all, tag:NAME or person:ID")
@click.option("--at", type=Moment(), help="When; at once if not given.")
@with_appcontext
@speaks_plainly
def broadcast(file: Path, audience: str, at: datetime | None) -> None:
    """Queue a broadcast from Markdown and Jinja2 with front matter (subject, preheader)."""
    now, text = clock.now(), file.read_text(encoding="utf-8")
    broadcasts.make_ready(db.session(), broadcasts.source_of_file(text, name=file.name))
    with transaction() as session:
        queued = broadcasts.queue_from_file(session, text, audience, at, now, name=file.name)
        subject, to = f"broadcast:{queued.id}", accounts.told(queued.audience)
        accounts.record(session, "broadcast.queued", by=None, now=now, subject=subject, audience=to)
    click.echo(f"Queued as broadcast {queued.id}.")


@click.command("forecast")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 366))
@click.option("--names", is_flag=True, help="In the table: each reader on a line, with the reason.")
@click.option("--format", "form", default="table", type=click.Choice(["table", "json", "ics"]))
@with_appcontext
@speaks_plainly
def forecast(days: int, names: bool, form: str) -> None:
    """Say how many people will get what and when; with --names, who and why."""
    now, session, counting = clock.now(), db.session(), form == "table" and not names
    zone = accounts_queries.zone_of(accounts_queries.studio(session))
    with progress.status("Looking at the readers …") as status:

        def told(seen: int) -> None:
            status.update(f"Looking at the readers: {seen:,} so far …")

        if counting:
            counted = forecasting.by_day(session, now, days, zone, told=told)
        else:
            rows = list(forecasting.forecast(session, now, days, told=told))
    if counting:
        named = ((cell, heading.subject, heading.origin) for cell, heading in counted)
        console.print(_table(formats.COUNTED, formats.as_counted(named, zone)))
        return
    if form == "table":
        console.print(_table(formats.COLUMNS, formats.as_cells(rows, zone)))
        return
    host = urlsplit(current().base_url).hostname or "localhost"
    for piece in formats.as_json(rows) if form == "json" else formats.as_ics(rows, now, host):
        click.echo(piece, nl=False)


def _table(columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    # Words of operators and readers are no markup of rich: a subject "[bold]" is to stand there as it is.
    table = Table(*columns)
    for cells in rows:
        table.add_row(*map(escape, cells))
    return table


@click.command("ledger")
@click.option("--format", "form", default="table", type=click.Choice(["table", "jsonl"]))
@click.option("--state", default="", help="Only deliveries in this state.")
@with_appcontext
@speaks_plainly
def ledger(form: str, state: str) -> None:
    """List every delivery."""
    rows = db.session().execute(ledger_queries.rows(state).execution_options(yield_per=1000))
    if form == "jsonl":
        for delivery, email in rows:
            click.echo(json.dumps(_ledger_row(delivery, email)))
        return
    shown = [_ledger_row(delivery, email) for delivery, email in rows]
    columns = ("id", "email", "reason", "state", "due_at", "accepted_at", "attempts")
    table = Table(*columns)
    for row in track(shown, console=progress, transient=True) if len(shown) > 1000 else shown:
        table.add_row(*(str(row[column]) for column in columns))
    console.print(table)


def _ledger_row(delivery: Delivery, email: str) -> dict[str, object]:
    return {
        "id": delivery.id,
        "email": email,
        "reason": delivery.reason,
        "state": delivery.state,
        "message_id": delivery.message_id,
        "due_at": delivery.due_at.isoformat(),
        "accepted_at": delivery.accepted_at.isoformat() if delivery.accepted_at else None,
        "attempts": delivery.attempts,
    }


@click.command("doctor")
@with_appcontext
def examine() -> None:
    """Check the installation and say what to do about each finding."""
    findings = doctor.examine()
    if not any(finding.fatal for finding in findings):
        for line in doctor.overview():
            click.echo(f"  {line}")
    for finding in findings:
        click.echo(f"{'!' if finding.serious else '·'} {finding.what}\n  {finding.remedy}")
    if not findings:
        click.echo("All is well.")
    if any(finding.serious for finding in findings):
        sys.exit(1)


COMMANDS = (work, create_admin, import_people, broadcast, forecast, ledger, examine)


def init(app: Flask) -> None:
    """Give `app` its commands."""
    for command in COMMANDS:
        app.cli.add_command(command)
