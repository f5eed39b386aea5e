"""`flask series`, as the person at the terminal meets it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread

import click
import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from newsletter import clock
from newsletter.database.engine import db, transaction
from newsletter.delivery.models import Delivery
from newsletter.errors import SourceError
from newsletter.sequences import actions, editing, jobs, queries, versions
from newsletter.sequences.edits import Replace
from newsletter.sequences.models import Enrollment, SequenceVersion
from newsletter.sequences.series import held, load_series, write_folder
from tests.people import ALICE, BOB, person

ABOUT = "name: Spine\ngoal: {tag: client}\ntriggers:\n  - {tag: back}\n"
STEPS = {
    "01-hello.md": "---\nkey: hello\nsubject: Hello\n---\nGood morning, {{ subscriber.first_name or 'you' }}.\n",
    "02-keen.yaml": "key: keen\nkind: condition\nif: {clicked: hello}\nthen: more\n",
    "03-rest.yaml": "key: rest\nkind: wait\ndelay: 2 days\n",
    "04-more.md": "---\nkey: more\nsubject: More\ndelay: 1 day\nwindow: 07:00-09:00\n---\nMore.\n",
}


def run(app: Flask, *arguments: str, types: str = "") -> Result:
    """Run `flask series …`, with nothing of an earlier one left."""
    db.session.remove()
    return app.test_cli_runner().invoke(args=["series", *arguments], input=types)


def pushed(app: Flask, folder: Path, *options: str) -> str:
    done = run(app, "push", str(folder), "--yes", *options)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a series with a question and a wait."""
    place = tmp_path / "spine"
    place.mkdir()
    for name, text in {"series.yaml": ABOUT, **STEPS}.items():
        (place / name).write_text(text)
    return place


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def ids(app: Flask) -> dict[str, int]:
    db.session.remove()
    series = queries.by_slug(db.session(), "spine")
    assert series is not None
    return {row.key: row.id for row in queries.all_steps(db.session(), series.id)}


def test_3_1_push_and_pull_move_a_series_without_loss(app: Flask, folder: Path, tmp_path: Path) -> None:
    said = pushed(app, folder)
    assert "The series spine is new" in said
    assert "Begins when somebody gets the tag “back”" in said
    assert "is like that already" in pushed(app, folder), "a push after a push changes nothing"
    there = tmp_path / "copy" / "spine"
    assert run(app, "pull", "spine", str(there)).exit_code == 0
    assert contents(there) == contents(folder), "these files were written as pull writes them"
    assert "is like that already" in pushed(app, there), "a push after a pull changes nothing"
    assert "as it is" in run(app, "pull", "spine", str(there)).output


def test_3_1_step_ids_stay_whatever_the_files_are_called(app: Flask, folder: Path) -> None:
    pushed(app, folder)
    before = ids(app)
    (folder / "04-more.md").rename(folder / "02b-more.md")
    (folder / "02-keen.yaml").write_text(STEPS["02-keen.yaml"].replace("then: more\n", ""))
    (folder / "05-new.yaml").write_text("key: new\nkind: end\n")
    pushed(app, folder)
    after = ids(app)
    assert {key: after[key] for key in before} == before
    (folder / "02b-more.md").unlink()
    assert "is deleted" in pushed(app, folder)
    assert ids(app) == after, "a deleted step keeps its id"
    (folder / "06-more.md").write_text(STEPS["04-more.md"])
    pushed(app, folder)
    assert ids(app) == after, "and one that comes back is the same step"


def joins(name: str, ago: timedelta) -> int:
    """Somebody who joined the series a while ago, and waits for its first email."""
    with transaction() as session:
        row, series = person(session, name), queries.by_slug(session, "spine")
        assert series is not None
        row.status, row.marketing = "confirmed", True
        actions.enroll(session, series.id, row.id, "operator", clock.now() - ago)
        return row.id


def waits(subscriber_id: int) -> Enrollment:
    db.session.remove()
    return db.session.scalars(select(Enrollment).where(Enrollment.subscriber_id == subscriber_id)).one()


def reworked(folder: Path, delay: str) -> None:
    words = STEPS["01-hello.md"].replace("---\nGood", f"delay: {delay}\n---\nGood").replace("morning", "evening")
    (folder / "01-hello.md").write_text(words)


def test_3_9_push_says_what_changes_and_for_how_many_before_it_writes(app: Flask, folder: Path) -> None:
    reworked(folder, "2 days")
    pushed(app, folder)
    alice = joins(ALICE, timedelta(hours=1))
    due = waits(alice).next_due_at
    assert due is not None
    reworked(folder, "3 days")
    (folder / "01-hello.md").write_text((folder / "01-hello.md").read_text().replace("evening", "night"))
    for options, types in ((["--dry-run"], ""), ([], "n\n"), ([], "")):
        said = run(app, "push", str(folder), *options, types=types).output
        assert "Email 1 goes 3 days after joining instead of 2 days" in said
        assert "-Good evening" in said
        assert "+Good night" in said
        assert "1 under way, 1 of them" in said
        assert "Email 1 “Hello”: 1 day later: 1 person." in said
        assert "The new words of email 1: 1 person will get them." in said
        assert waits(alice).next_due_at == due, "nothing was written"
    assert run(app, "push", str(folder), types="y\n").exit_code == 0
    assert waits(alice).next_due_at == due + timedelta(days=1)
    assert "Good night" in held(db.session(), "spine").draft.living[0].source
    noted = db.session.scalars(select(SequenceVersion)).all()
    assert [row.what for row in noted] == ["The whole series is brought in from its files"]


class Elsewhere:
    """What another operator does in the back office while the person at the terminal still reads the question."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, does: Callable[[], None]) -> None:
        self.does = does
        monkeypatch.setattr(click, "confirm", self.asked)

    def asked(self, _question: str) -> bool:
        thread = Thread(target=self.does)
        thread.start()
        thread.join()
        return True


def test_3_2_a_push_does_not_overwrite_what_somebody_changed_while_it_asked(
    app: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed(app, folder)

    def renames() -> None:
        with app.app_context(), transaction() as session:
            series = queries.by_slug(session, "spine")
            assert series is not None
            draft = replace(versions.current(session, series.id), name="Bob's spine")
            editing.apply(session, series.id, Replace(draft), now=clock.now())

    reworked(folder, "2 days")
    Elsewhere(monkeypatch, renames)
    refused = run(app, "push", str(folder))
    assert refused.exit_code == 1
    assert "This is not the series you looked at any more." in refused.output
    kept = held(db.session(), "spine").draft
    assert kept.name == "Bob's spine"
    assert "Good morning" in kept.living[0].source
    monkeypatch.undo()
    assert "Bob's spine" in pushed(app, folder), "looked at again, it says what it takes away"
    assert "Good evening" in held(db.session(), "spine").draft.living[0].source


def test_3_2_a_push_of_a_new_series_does_not_overwrite_one_made_while_it_asked(
    app: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = folder.parent / "theirs"
    theirs.mkdir()
    (theirs / "series.yaml").write_text("series: spine\nname: Bob's spine\n")
    (theirs / "01-rest.yaml").write_text(STEPS["03-rest.yaml"])

    def makes() -> None:
        with app.app_context(), transaction() as session:
            load_series(session, theirs, clock.now())

    Elsewhere(monkeypatch, makes)
    refused = run(app, "push", str(folder))
    assert refused.exit_code == 1
    assert "This is not the series you looked at any more." in refused.output
    assert held(db.session(), "spine").draft.name == "Bob's spine"


@pytest.mark.parametrize(("choice", "gets"), [("now", "they get it at once"), ("keep", "when they were due anyway")])
def test_3_9_whom_a_push_makes_due_at_once_is_said_and_chosen(app: Flask, folder: Path, choice: str, gets: str) -> None:
    reworked(folder, "9 days")
    pushed(app, folder)
    alice = joins(ALICE, timedelta(days=3))
    due = waits(alice).next_due_at
    reworked(folder, "2 days")
    said = pushed(app, folder, "--at-once", choice)
    assert "1 person would be due at once" in said
    assert gets in said
    moved = waits(alice).next_due_at
    assert moved is not None
    assert (moved == due) if choice == "keep" else (moved <= clock.now())


def test_3_11_who_finished_stays_so_unless_the_push_says_otherwise(app: Flask, folder: Path) -> None:
    pushed(app, folder)
    alice = joins(ALICE, timedelta(days=9))
    last = ids(app)["more"]
    with transaction() as session:
        row = session.scalars(select(Enrollment)).one()
        row.state, row.last_step_id, row.next_step_id, row.next_due_at = "finished", last, None, None
        row.ended_at = clock.now()
    (folder / "05-last.md").write_text(STEPS["04-more.md"].replace("key: more", "key: last"))
    asked = run(app, "push", str(folder), "--dry-run").output
    assert "1 person has finished; they stay finished; --finished sends them what is new." in asked
    assert waits(alice).state == "finished"
    assert "they get what is new, too" in pushed(app, folder, "--finished")
    assert waits(alice).state == "active"


def test_pull_asks_before_it_writes_over_files_and_leaves_strange_folders_alone(
    app: Flask, folder: Path, tmp_path: Path
) -> None:
    pushed(app, folder)
    (folder / "01-hello.md").write_text(STEPS["01-hello.md"].replace("morning", "evening"))
    (folder / "09-draft.md").write_text(STEPS["01-hello.md"].replace("key: hello", "key: draft"))
    (folder / "README.md").write_text("Mine.")
    mine = contents(folder)
    for options in (["--dry-run"], []):
        done = run(app, "pull", "spine", str(folder), *options, types="n\n")
        assert "+Good morning" in done.output
        assert "“Hello” is deleted" in done.output
        assert contents(folder) == mine
    assert run(app, "pull", "spine", str(folder), "--yes").exit_code == 0
    assert "Good morning" in (folder / "01-hello.md").read_text()
    assert not (folder / "09-draft.md").exists()
    assert (folder / "README.md").exists()
    letters = tmp_path / "letters"
    letters.mkdir()
    (letters / "dear.md").write_text("Dear Bob")
    refused = run(app, "pull", "spine", str(letters))
    assert refused.exit_code == 1
    assert "holds no series" in refused.output
    assert contents(letters) == {"dear.md": b"Dear Bob"}


@pytest.mark.parametrize("name", ["series.yaml", "01-hello.md", "03-rest.yaml"])
def test_push_and_pull_follow_no_link_out_of_the_folder(
    sqlite_app: Flask, folder: Path, tmp_path: Path, name: str
) -> None:
    pushed(sqlite_app, folder)
    secret = tmp_path / "secret"
    (folder / name).rename(secret)
    secret.write_text(secret.read_text().replace("Spine", "Mine").replace("morning", "night").replace("2 d", "9 d"))
    (folder / name).symlink_to(secret)
    before = secret.read_text()
    for command in (["push", str(folder)], ["pull", "spine", str(folder)]):
        refused = run(sqlite_app, *command, "--yes")
        assert refused.exit_code == 1
        assert f"{name} is a link" in refused.output
    assert secret.read_text() == before


def test_pull_makes_no_file_through_a_link_that_leads_nowhere(sqlite_app: Flask, folder: Path, tmp_path: Path) -> None:
    pushed(sqlite_app, folder)
    (folder / "01-hello.md").unlink()
    (folder / "01-hello.md").symlink_to(tmp_path / "made")
    assert "01-hello.md is a link" in run(sqlite_app, "pull", "spine", str(folder), "--yes").output
    with pytest.raises(SourceError, match=r"01-hello\.md is a link"):
        write_folder(held(db.session(), "spine"), folder)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["series.yaml", "02-pipe.yaml"])
def test_a_pipe_in_the_folder_is_refused_and_not_waited_for(sqlite_app: Flask, folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    refused = run(sqlite_app, "push", str(folder), "--yes")
    assert refused.exit_code == 1
    assert f"{name} is a link, or something else that is no file" in refused.output


def test_a_file_that_no_step_can_be_is_refused_unread(sqlite_app: Flask, folder: Path) -> None:
    with (folder / "09-huge.md").open("wb") as file:
        file.truncate(2**33)
    refused = run(sqlite_app, "push", str(folder), "--yes")
    assert refused.exit_code == 1
    assert "09-huge.md is too long" in refused.output


def test_what_is_wrong_ends_in_words_and_changes_nothing(app: Flask, folder: Path) -> None:
    assert "no series" in run(app, "pull", "nothing").output
    pushed(app, folder)
    (folder / "02-keen.yaml").write_text("key: keen\nkind: wait\n")
    refused = run(app, "push", str(folder), "--yes")
    assert refused.exit_code == 1
    assert "keen" in refused.output
    assert "spine: Spine, 4 steps, 0 people under way" in run(app, "list").output


def test_2_14_drive_reads_the_emails_in_order_with_their_dates(app: Flask, folder: Path) -> None:
    pushed(app, folder)
    start = ("--start", "2026-03-02T10:00+00:00")
    said = run(app, "drive", "spine", *start).output
    assert "Alice joins on Monday 2 March 2026, 10:00, UTC." in said
    assert "Good morning, Alice." in said
    assert said.index("Monday 2 March 2026, 10:00\nHello") < said.index("Thursday 5 March 2026, 07:00\nMore")
    assert said.endswith("2 emails in 30 days, no more emails.\n")
    brief = run(app, "drive", "spine", *start, "--clicks", "hello", "--zone", "Asia/Kolkata", "--brief").output
    assert "Monday 2 March 2026, 15:30  Hello" in brief
    assert "Good morning" not in brief
    gone = run(app, "drive", "spine", *start, "--tag", "client").output
    assert "Leaves at once: goal reached" in gone
    assert db.session.scalars(select(Delivery)).all() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "no series"),
        (["spine", "--zone", "Mars"], "no time zone"),
        (["spine", "--field", "city"], "no value"),
        (["spine", "--days", "0"], "0 is not in the range"),
        (["spine", "--start", "soon"], "not a moment"),
    ],
)
def test_a_drive_that_cannot_be_is_refused_in_words(app: Flask, folder: Path, arguments: list[str], said: str) -> None:
    pushed(app, folder)
    done = run(app, "drive", *arguments)
    assert done.exit_code != 0
    assert said in done.output


def test_3_2_a_push_is_one_version_with_its_triggers_and_can_be_taken_back(app: Flask, folder: Path) -> None:
    pushed(app, folder)
    before = contents(folder)
    reworked(folder, "2 days")
    (folder / "series.yaml").write_text(ABOUT.replace("tag: back", "tag: spine"))
    said = pushed(app, folder)
    assert "Begins when somebody gets the tag “spine”" in said
    assert "Begins no more when somebody gets the tag “back”" in said
    (folder / "series.yaml").write_text(ABOUT.replace("tag: back", "tag: neck"))
    pushed(app, folder)
    with transaction() as session:
        made = session.scalars(select(SequenceVersion).order_by(SequenceVersion.version)).all()
        assert len(made) == 2
        assert "neck" in made[1].what
        series = made[0].sequence_id
        for version in reversed(made):
            editing.undo(session, series, version.id, now=clock.now(), operator_id=None)
    assert run(app, "pull", "spine", str(folder), "--yes").exit_code == 0
    assert contents(folder) == before


def moving_to(folder: Path, name: str, to: str) -> Path:
    """The files of a series that moves its readers on to another."""
    place = folder.parent / name
    place.mkdir(exist_ok=True)
    (place / "series.yaml").write_text(f"name: {name.title()}\n")
    (place / "01-on.yaml").write_text(f"key: on\nkind: move\nto: {to}\n")
    return place


def test_a_push_leads_nobody_to_a_series_that_is_not_there_nor_in_a_circle(sqlite_app: Flask, folder: Path) -> None:
    hips = moving_to(folder, "hips", "spine")
    missing = run(sqlite_app, "push", str(hips), "--yes")
    assert missing.exit_code != 0
    assert "leads to the series “spine”, and there is none of that name" in missing.output
    pushed(sqlite_app, folder)
    pushed(sqlite_app, hips)
    pushed(sqlite_app, moving_to(folder, "neck", "hips"))
    (folder / "05-on.yaml").write_text("key: on\nkind: move\nto: neck\n")
    circle = run(sqlite_app, "push", str(folder), "--dry-run")
    assert circle.exit_code != 0
    assert "leads to the series “neck”, and from there people come back to this one" in circle.output
    db.session.remove()
    assert queries.by_slug(db.session(), "spine") is not None
    assert "on" not in ids(sqlite_app)


def test_a_push_says_whose_date_lets_them_join_no_more(sqlite_app: Flask, folder: Path) -> None:
    (folder / "series.yaml").write_text(about := ABOUT + "  - {date: start, yearly: false}\n")
    pushed(sqlite_app, folder)
    with transaction() as session:
        bob, soon = person(session, BOB), clock.now() + timedelta(days=9)
        bob.status, bob.marketing, bob.fields = "confirmed", True, {"start": f"{soon:%F}"}
    jobs.enter_due()
    (folder / "series.yaml").write_text(about + "entry: {tag: client}\n")
    assert "1 person whose date comes within 30 days would join no more." in pushed(sqlite_app, folder, "--dry-run")
