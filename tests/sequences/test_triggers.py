"""Who joins by what happens with them: sign-ups, downloads, tags, dates, files, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter import addresses, clock, worker
from newsletter.audience import actions as audience
from newsletter.audience.models import Occasion, Subscriber
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.delivery.rules import OVERDUE
from newsletter.errors import InputError
from newsletter.magnets import actions as magnets
from newsletter.magnets.rules import Paper
from newsletter.sequences import actions, entering, jobs, openings, queries
from newsletter.sequences.models import Sequence
from newsletter.sequences.rules import EnrollmentState
from newsletter.signup import actions as signup
from tests.sequences.conftest import MONDAY, at, emails, enrollment, join, load, person, sent
from tests.sequences.joining import begins, coming, enter, joined, notes, tag, waiting
from tests.signup.conftest import small_pdf
from tests.statements import questions

AT_ONCE = {"01-hello.md": "key: hello\nsubject: Hello\ndelay: 0 days"}


def test_a_tag_begins_the_series_and_only_that_tag(app: Flask, series: int) -> None:
    begins(series, "tag", " Client ")  # kept as tags are kept
    alice, bob = person("Alice"), person("Bob")
    tag(alice, "client", MONDAY)
    tag(bob, "friend", MONDAY)
    enter(MONDAY + timedelta(minutes=3))
    assert "Joined the series “Core series”: got the tag “client”" in [
        line.text for line in queries.history(db.session(), alice)
    ]
    assert joined(alice) == [("tag:client", MONDAY)]  # when it happened, not when a worker looked
    assert joined(bob) == []
    assert waiting() == 0


def test_who_had_the_tag_before_the_trigger_does_not_join(app: Flask, series: int) -> None:
    alice = person("Alice")
    tag(alice)
    enter()
    begins(series, "tag", "client")
    tag(alice)  # has it already: nothing happens
    enter()
    assert joined(alice) == []


def test_charlie_who_never_agreed_does_not_join_by_a_tag(app: Flask, series: int) -> None:
    begins(series, "tag", "client")
    charlie = person("Charlie", marketing=False)
    tag(charlie)
    enter()
    assert joined(charlie) == []
    assert "Did not join the series “Core series”: asked for the gift only" in notes(charlie)


def test_a_download_begins_the_series_of_that_gift(app: Flask, series: int, tmp_path: Path) -> None:
    other = load(tmp_path / "other")
    with transaction() as session:
        hips = magnets.upload(session, small_pdf(), 1, None, title="Hips", name="hips.pdf", now=MONDAY)
        neck = magnets.upload(session, small_pdf(), 1, None, title="Neck", name="neck.pdf", now=MONDAY)
        slug = hips.slug
        alice, bob = (magnets_reader(session, name) for name in ("alice", "bob"))
        grants = {who: magnets.grant(session, gift.id, who, MONDAY).id for who, gift in ((alice, hips), (bob, neck))}
    begins(series, "magnet", slug)
    begins(other, "magnet", "any")
    for grant in grants.values():
        with transaction() as session:
            magnets.note_download(session, grant, Paper.UPLOAD, MONDAY)
    enter()
    assert sorted(source for source, _ in joined(alice)) == [f"magnet:{slug}"] * 2
    assert [source for source, _ in joined(bob)] == ["magnet:neck"]


def magnets_reader(session: Any, name: str) -> int:
    row = audience.remember(session, addresses.parse(f"{name}@example.org"), source="test", now=MONDAY)
    row.status, row.marketing = Status.CONFIRMED, True
    session.flush()
    return row.id


def test_a_confirmed_sign_up_on_a_form_begins_the_series(app: Flask, series: int) -> None:
    begins(series, "form", "class")
    with transaction() as session:
        form = signup.create_form(
            session, "class", MONDAY, name="Class", magnet_id=None, sequence_id=None, button="Go", wording="Yes."
        )
        press = signup.Press(addresses.parse("alice@example.org"), True, "http://localhost:8000/", "192.0.2.7", "")
        signup.sign_up(session, form, press, "a secret of thirty-two characters!", MONDAY)
    enter()
    alice = db.session.scalars(select(Subscriber.id)).one()
    assert joined(alice) == []  # asked, but has not confirmed
    with transaction() as session:
        signup.confirm(session, 1, "a secret of thirty-two characters!", at("2026-03-02T11:00"))
    enter(at("2026-03-02T11:00"))
    assert joined(alice) == [("form:class", at("2026-03-02T11:00"))]


def test_3_12_a_second_trigger_while_under_way_is_ignored_and_logged(app: Flask, series: int) -> None:
    begins(series, "tag", "client")
    begins(series, "tag", "member")
    alice = person("Alice")
    tag(alice, "client")
    enter()
    tag(alice, "member", MONDAY + timedelta(hours=1))
    enter(MONDAY + timedelta(hours=1))
    assert joined(alice) == [("tag:client", MONDAY)]
    assert enrollment(alice).state == EnrollmentState.ACTIVE
    assert [line for line in notes(alice) if "Core series" in line], "the history says why nothing began"


def test_a_resting_trigger_lets_nobody_join_and_nobody_later(app: Flask, series: int) -> None:
    number = begins(series, "tag", "client")
    with transaction() as session:
        entering.switch(session, series, number, enabled=False)
    alice, bob = person("Alice"), person("Bob")
    tag(alice)
    enter()
    with transaction() as session:
        entering.switch(session, series, number, enabled=True)
    tag(bob)
    enter()
    assert joined(alice) == []
    assert len(joined(bob)) == 1


def test_a_removed_trigger_leaves_those_who_joined(app: Flask, series: int) -> None:
    number = begins(series, "tag", "client")
    alice, bob = person("Alice"), person("Bob")
    tag(alice)
    enter()
    with transaction() as session:
        entering.remove(session, series, number)
    tag(bob)
    enter()
    assert (len(joined(alice)), joined(bob)) == (1, [])


def test_nothing_that_happened_is_lost_or_told_twice_when_the_sweep_fails(
    app: Flask, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins(series, "tag", "client")
    alice, bob = person("Alice"), person("Bob")
    tag(alice)
    tag(bob)
    real = actions.enroll

    def second_fails(session: Any, sequence_id: int, subscriber_id: int, source: str, now: datetime) -> bool:
        if subscriber_id == bob:
            raise OSError("the power went")
        return real(session, sequence_id, subscriber_id, source, now)

    monkeypatch.setattr(actions, "enroll", second_fails)
    with pytest.raises(OSError, match="power"):
        enter()
    monkeypatch.undo()
    assert (joined(alice), joined(bob), waiting()) == ([], [], 2)
    enter()
    assert (len(joined(alice)), len(joined(bob)), waiting()) == (1, 1, 0)


def test_a_tag_that_is_rolled_back_never_happened(app: Flask, series: int) -> None:
    begins(series, "tag", "client")
    alice = person("Alice")

    def fail() -> None:
        with transaction() as session:
            audience.add_tag(session, alice, "client", MONDAY)
            raise OSError("the power went")

    with pytest.raises(OSError, match="power"):
        fail()
    enter()
    assert joined(alice) == []


def test_several_workers_at_once_let_everybody_join_once(app: Flask, series: int) -> None:
    begins(series, "tag", "client")
    people = [person(f"Reader{number}") for number in range(30)]
    for one in people:
        tag(one)
    start = Barrier(3)

    def work() -> None:
        with app.app_context(), clock.standing_at(MONDAY):
            start.wait(10)
            for _ in range(20):
                with transaction() as session:
                    entering.take_in(session, MONDAY, 4)
            db.session.remove()

    threads = [Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [len(joined(one)) for one in people] == [1] * 30
    assert [line for one in people for line in notes(one) if "series" in line] == []
    assert waiting() == 0


def test_what_another_transaction_commits_late_is_not_skipped(app: Flask, series: int) -> None:
    """A mark by id would pass over it: it has a smaller id than what was seen before it was committed."""
    if db.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time: nothing is committed late")
    begins(series, "tag", "client")
    alice, bob = person("Alice"), person("Bob")
    slow = db.engine.connect()
    slow.execute(
        Occasion.__table__.insert().values(subscriber_id=alice, kind="tag", what="client", at=MONDAY, crowd=False)
    )
    tag(bob)
    enter()
    assert (joined(alice), len(joined(bob))) == ([], 1)
    slow.commit()
    slow.close()
    enter()
    assert len(joined(alice)) == 1


def test_a_tick_with_nothing_new_asks_three_questions_however_many_people_there_are(app: Flask, series: int) -> None:
    begins(series, "date", "birthday")
    for number in range(20):
        tag(person(f"Reader{number}", fields={"birthday": "1990-05-17"}), "client")
    enter()
    with questions() as statements, clock.standing_at(MONDAY):
        assert jobs.enter_due() == 0
    asked = [one for one, _ in statements if one.startswith("SELECT")]
    assert len(asked) <= 3, statements


def test_3_13_a_tag_that_ends_a_series_ends_it_at_once(app: Flask, series: int) -> None:
    with transaction() as session:
        session.get_one(Sequence, series).exits = [{"tagged": "customer"}, {"untagged": "client"}]
    alice, bob, dora = person("Alice"), person("Bob"), person("Dora")
    for one in (alice, bob, dora):
        tag(one, "client")
        join(series, one)
    tag(alice, "customer")
    with transaction() as session:
        audience.remove_tag(session, bob, "client", MONDAY)
    enter()
    assert [enrollment(one).state for one in (alice, bob, dora)] == ["exited", "exited", "active"]


def test_3_18_who_joins_gets_what_goes_at_once_in_the_same_turn(app: Flask, tmp_path: Path) -> None:
    series = load(tmp_path / "core", AT_ONCE)
    begins(series, "tag", "client")
    alice = person("Alice")
    tag(alice)
    worker.failed.clear()
    with clock.standing_at(MONDAY):
        worker.take_turn()
    assert worker.failed == set()
    assert sent(alice) == [("Hello", "Mon 02.03. 10:00")]


@pytest.mark.parametrize(
    ("kind", "what", "config", "words"),
    [
        ("tag", "any", {}, "Type the tag."),
        ("tag", " ", {}, "Type the tag."),
        ("form", "", {}, "Choose the form."),
        ("date", "", {}, "Type the name of the field"),
        ("date", "birthday", {"days": 400}, "At most 366 days"),
        ("date", "birthday", {"days": "soon"}, "whole number"),
        ("date", "birthday", {"at": "25:00"}, "A time of day"),
        ("moon", "full", {}, "nothing that a series can begin with"),
    ],
)
def test_a_trigger_that_cannot_be_is_refused_in_words(
    sqlite_app: Flask, tmp_path: Path, kind: str, what: str, config: dict[str, Any], words: str
) -> None:
    number = load(tmp_path / "core")
    with pytest.raises(InputError, match=words):
        begins(number, kind, what, **config)


def test_triggers_from_a_file_replace_those_that_are_there_and_keep_the_dates(app: Flask, series: int) -> None:
    alice = person("Alice", fields={"birthday": "1990-05-17"})
    kept, gone = begins(series, "date", "birthday", yearly=True), begins(series, "tag", "client")
    enter()
    wanted = [{"kind": "date", "what": "birthday", "config": {"yearly": True}}, {"kind": "form", "what": "any"}]
    with transaction() as session:
        assert entering.replace(session, series, wanted, MONDAY)
    with transaction() as session:
        assert not entering.replace(session, series, wanted, MONDAY)
        now = openings.all_of(session, series)
    assert [(one.kind, one.what) for one in now] == [("date", "birthday"), ("form", "any")]
    assert kept in {one.id for one in now}
    assert gone not in {one.id for one in now}
    assert coming(alice) == at("2026-05-17T09:00")


@pytest.mark.parametrize(("days", "goes"), [(1, True), (3, False)])
def test_3_16_who_joined_while_no_worker_ran_gets_nothing_that_is_long_overdue(
    app: Flask, tmp_path: Path, days: int, goes: bool
) -> None:
    series = load(tmp_path / "core", AT_ONCE)
    begins(series, "tag", "client")
    alice = person("Alice")
    tag(alice)
    with clock.standing_at(MONDAY + timedelta(days=days)):
        worker.take_turn()
    assert joined(alice) == [("tag:client", MONDAY)]
    assert (len(sent(alice)), emails(alice)[0].due_at == OVERDUE) == ((1, False) if goes else (0, True))


def test_3_15_who_joins_a_paused_series_waits_in_it(app: Flask, tmp_path: Path) -> None:
    series = load(tmp_path / "core", AT_ONCE)
    begins(series, "tag", "client")
    with transaction() as session:
        session.get_one(Sequence, series).paused_at = MONDAY
    alice = person("Alice")
    tag(alice)
    with clock.standing_at(MONDAY):
        worker.take_turn()
    assert (len(joined(alice)), sent(alice)) == (1, [])
    assert enrollment(alice).held_at is not None
