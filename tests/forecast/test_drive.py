"""A series run for a reader who does not exist."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from newsletter.database.base import Base
from newsletter.database.engine import db, transaction
from newsletter.forecast.drive import Drive, Invented, drive, gap_words, moment_words, read
from newsletter.messages.compiling import Rendered
from newsletter.sequences import files, making, queries
from newsletter.sequences.models import Step
from newsletter.sequences.rules import zone_of
from newsletter.sequences.series import bring_in, load_series
from tests.sequences.conftest import join, person, run, sent

SHIPPED = Path(__file__).resolve().parent.parent.parent / "emails" / "core-series"
MONDAY = datetime(2026, 3, 2, 10, 0, 30, tzinfo=UTC)
ABOUT = "name: Spine\ngap: 0 hours\n"


def email(key: str, *front: str, text: str = "Hello {{ subscriber.first_name or 'you' }}.") -> str:
    lines = "\n".join(
        [f"key: {key}", f"subject: {key.capitalize()} for {{{{ subscriber.first_name or 'you' }}}}", *front]
    )
    return f"---\n{lines}\n---\n{text}\n"


FORKED = {
    "series.yaml": ABOUT,
    "01-hello.md": email("hello"),
    "02-warm.yaml": "key: warm\nkind: tag\nadd: [warm]\n",
    "03-fork.yaml": "key: fork\nkind: condition\ndelay: 2 days\nif: {clicked: hello}\nelse: calm\n",
    "04-keen.md": email("keen", "window: 07:00-09:00", text="{{ subscriber.tags | join(', ') }}"),
    "05-over.yaml": "key: over\nkind: move\nto: core-series\n",
    "06-calm.md": email("calm", "delay: 1 day"),
}


def series(texts: dict[str, str], name: str = "spine") -> int:
    with transaction() as session:
        if "core-series" in str(texts) and queries.by_slug(session, "core-series") is None:
            making.begin(session, "Core series", "", MONDAY)  # empty: whoever comes there is through with it
        return bring_in(session, files.read(name, texts), MONDAY).id


def driven(number: int, **how: object) -> Drive:
    db.session.rollback()
    return drive(db.session(), number, replace(Invented(MONDAY), **how))  # type: ignore[arg-type]


def told(found: Drive) -> list[str]:
    return [f"{stop.at:%a %H:%M} {stop.words}" for stop in found.stops]


def rows() -> dict[str, int]:
    db.session.rollback()
    tables = Base.metadata.sorted_tables
    return {table.name: db.session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def test_the_emails_come_in_order_with_their_dates_and_what_happens_between_them(app: Flask) -> None:
    assert told(driven(series(FORKED), days=10)) == [
        "Mon 10:00 Joins “Spine”",
        "Mon 10:00 Email 1 of “Spine”",
        "Mon 10:00 Gets the tag “warm”",
        "Thu 10:00 Email 3 of “Spine”",
        "Thu 10:00 Is through with “Spine”",
    ]


def test_what_the_reader_presses_decides_the_way(app: Flask) -> None:
    with transaction() as session:
        load_series(session, SHIPPED, MONDAY)
    found = driven(series(FORKED), days=40, presses=frozenset({"hello"}))
    said = told(found)
    assert "Thu 07:00 Email 2 of “Spine”" in said
    assert "Thu 07:00 Leaves “Spine” for “Core series”" in said
    assert "Thu 07:00 Joins “Core series”" in said
    assert len(found.emails) == 2 + 7
    assert found.never == ("Email 3 of “Spine”",)
    assert [stop.key for stop in found.emails[:3]] == ["hello", "keen", "check-in"]


def test_every_email_is_rendered_for_the_invented_reader_as_they_are_then(app: Flask) -> None:
    how = Invented(MONDAY, first_name="Bob", tags=("new",), presses=frozenset({"any"}))
    number = series(FORKED)
    found = drive(db.session(), number, how)
    made = [read(db.session(), how, stop) for stop in found.emails]
    assert [one.subject for one in made if isinstance(one, Rendered)] == ["Hello for Bob", "Keen for Bob"]
    keen = made[1]
    assert isinstance(keen, Rendered)
    assert "new, warm" in keen.text
    assert "/unsubscribe/" in keen.html


def test_its_text_is_the_same_without_its_pictures(sqlite_app: Flask) -> None:
    with transaction() as session:
        number = load_series(session, SHIPPED, MONDAY).id
    stop = driven(number).emails[0]
    drawn, undrawn = (read(db.session(), Invented(MONDAY), stop, drawn=how) for how in (True, False))
    assert isinstance(drawn, Rendered)
    assert isinstance(undrawn, Rendered)
    assert "[Picture: " in undrawn.text
    assert (undrawn.subject, undrawn.text) == (drawn.subject, drawn.text)
    nobody = series({"series.yaml": ABOUT, "01-hello.md": email("hello", text="![](figure:nobody)")})
    for how in (True, False):
        assert "nobody" in str(read(db.session(), Invented(MONDAY), driven(nobody).emails[0], drawn=how))


def test_an_email_that_cannot_be_made_says_why_and_the_others_are_there(app: Flask) -> None:
    number = series({"series.yaml": ABOUT, "01-hello.md": email("hello", text="{{ subscriber.shoe_size }}")})
    found = drive(db.session(), number, Invented(MONDAY))
    broken = read(db.session(), Invented(MONDAY), found.emails[0])
    assert not isinstance(broken, Rendered)
    assert "shoe_size" in str(broken)


@pytest.mark.parametrize(
    ("more", "how", "said"),
    [
        ("goal: {tag: client}\n", {"tags": ("client",)}, "Leaves at once: goal reached"),
        ("entry: {tag: a}\n", {}, "Does not join “Spine”: only those who have the tag “a” join"),
        ("entry: {tag: a}\n", {"tags": ("a",)}, "Joins “Spine”"),
        ("exits: [{tagged: warm}]\n", {}, "Leaves “Spine”: they get the tag “warm”"),
        ("evergreen: yes\n", {}, "Has had all there is of “Spine”, and waits for new emails"),
        ("goal: {clicked: any}\n", {"presses": frozenset({"any"})}, "Leaves “Spine”: goal reached"),
    ],
)
def test_3_11_to_3_13_entry_goals_exits_and_evergreen_are_told(
    app: Flask, more: str, how: dict[str, object], said: str
) -> None:
    assert said in [stop.words for stop in driven(series({**FORKED, "series.yaml": ABOUT + more}), **how).stops]


def test_3_12_that_the_next_series_is_not_for_them_is_told(app: Flask) -> None:
    series({"series.yaml": "name: B\nentry: {tag: a}\n", "01-hi.md": email("hi")}, "other")
    on = {"01-hi.md": email("hi"), "02-on.yaml": "key: on\nkind: move\nto: other\n"}
    number = series({"series.yaml": "name: A\n", **on}, "one")
    found = driven(number)
    assert [stop.words for stop in found.stops][-2:] == [
        "Leaves “A” for “B”",
        "Does not join “B”: only those who have the tag “a” join",
    ]
    assert not found.under_way


def test_3_17_two_emails_of_one_day_are_apart_and_it_is_said_why(app: Flask) -> None:
    number = series({"series.yaml": ABOUT, "01-a.md": email("a"), "02-b.md": email("b", "delay: 1 hour")})
    second = driven(number).emails[1]
    assert second.at.day == 3
    assert second.moved.startswith("moved from Monday 2 March 2026 because of ")


def test_two_series_that_move_readers_to_each_other_end_at_last(app: Flask) -> None:
    over = {"series.yaml": "name: A\nreentry: always\n", "01-hi.md": email("hi")}
    other = series(over, "other")
    number = series({**over, "02-on.yaml": "key: on\nkind: move\nto: other\n"}, "one")
    with transaction() as session:  # as an older release let it be
        session.add(Step(sequence_id=other, key="on", position=2, kind="move", config={"to": "one"}, source=""))
    found = driven(number, days=3660)
    assert 100 < len(found.emails) <= 500
    assert found.stops[-1].words.startswith("And so on")


def test_3_21_a_drive_is_what_happens_to_a_real_reader(app: Flask, tmp_path: Path) -> None:
    with transaction() as session:
        number = load_series(session, SHIPPED, MONDAY).id
    found = driven(number, zone="Asia/Kolkata", days=60)
    alice = person("Alice", "Asia/Kolkata")
    start = found.start
    join(number, alice, start)
    run(found.until)
    titles = [
        made.subject for stop in found.emails if isinstance(made := read(db.session(), Invented(start), stop), Rendered)
    ]
    assert [(title, f"{stop.at:%a %d.%m. %H:%M}") for title, stop in zip(titles, found.emails, strict=True)] == sent(
        alice
    )


def test_2_14_nothing_is_written(app: Flask) -> None:
    number = series(FORKED)
    before = rows()
    found = driven(number, presses=frozenset({"any"}), days=90)
    for stop in found.emails:
        read(db.session(), Invented(MONDAY), stop)
    db.session.commit()
    assert rows() == before


def test_moments_and_gaps_are_said_as_people_say_them() -> None:
    berlin = zone_of("Europe/Berlin")
    start = datetime(2026, 3, 4, 6, 0, tzinfo=UTC)
    assert moment_words(start, berlin) == "Wednesday 4 March 2026, 07:00"
    assert [
        gap_words(start, datetime(2026, 3, day, hour, minute, tzinfo=UTC), berlin)
        for day, hour, minute in ((4, 6, 0), (4, 6, 1), (4, 6, 30), (4, 7, 0), (4, 9, 30), (4, 23, 30), (6, 0, 0))
    ] == [
        "at once",
        "1 minute later",
        "30 minutes later",
        "1 hour later",
        "3 hours later",
        "the next day",
        "2 days later",
    ]
