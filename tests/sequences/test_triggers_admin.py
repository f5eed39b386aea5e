"""How a series begins, in the back office."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter import clock
from newsletter.accounts.models import AuditEntry
from newsletter.database.engine import db, transaction
from newsletter.sequences import openings
from newsletter.sequences.models import Sequence, SequenceVersion
from newsletter.sequences.triggers import Opening
from newsletter.signup import actions as signup
from tests.sequences.conftest import MONDAY, at, join, person, turn
from tests.sequences.joining import begins, enter, joined, tag

BIRTHDAY = {"kind": "date", "what": "birthday", "often": "yearly", "days": "2", "side": "before", "at": "07:30"}


def known(sequence_id: int) -> list[Opening]:
    db.session.rollback()
    return openings.all_of(db.session(), sequence_id)


def test_charlie_the_stranger_is_refused(sqlite_app: Flask, series: int) -> None:
    charlie, number = sqlite_app.test_client(), begins(series, "tag", "client")
    own = f"/admin/sequences/{series}/triggers"
    for path in (own, f"{own}/look", f"{own}/{number}/switch", f"{own}/{number}/remove"):
        assert charlie.post(path, data={"kind": "tag", "what": "mine"}).status_code == 403, path
    assert [(one.what, one.enabled) for one in known(series)] == [("client", True)]


def test_a_way_in_shows_what_it_does_before_it_is_made(operator: FlaskClient, series: int) -> None:
    for name in ("Alice", "Bob"):
        tag(person(name), "client")
    tag(person("Charlie", marketing=False), "client")
    page = operator.post(f"/admin/sequences/{series}/triggers/look", data={"kind": "tag", "what": "Client"})
    assert page.status_code == 200
    assert "somebody gets the tag “client”" in page.text
    assert "Nobody joins now." in page.text
    assert "Also let the 2 people join who have this tag already" in page.text
    assert known(series) == []


def test_whom_the_series_is_for_is_said_wherever_a_way_in_is_looked_at(operator: FlaskClient, series: int) -> None:
    number, own = begins(series, "tag", "client"), f"/admin/sequences/{series}"
    said = "Only those who downloaded any gift join, by whatever way they come"

    def pages() -> list[str]:
        looked = operator.post(f"{own}/triggers/look", data={"kind": "tag", "what": "vip"})
        return [operator.get(own).text, operator.get(f"{own}/triggers/{number}/rest").text, looked.text]

    assert [said in page for page in pages()] == [False] * 3
    with transaction() as session:
        session.get_one(Sequence, series).entry = {"downloaded": "any"}
    assert [said in page for page in pages()] == [True] * 3


def test_made_it_lets_people_join_and_the_log_says_who_made_it(operator: FlaskClient, series: int) -> None:
    answer = operator.post(f"/admin/sequences/{series}/triggers", data={"kind": "tag", "what": "Client"})
    assert answer.location == f"/admin/sequences/{series}#begins"
    assert [(one.kind, one.what) for one in known(series)] == [("tag", "client")]
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "series.trigger.added")).one()
    assert (entry.subject, entry.operator_id) == (f"sequence:{series}", 1)


def test_3_19_those_who_have_the_tag_already_join_one_after_another_when_asked_for(
    operator: FlaskClient, series: int
) -> None:
    people = [person(f"Reader{number}") for number in range(25)]
    for one in people:
        tag(one, "client", MONDAY)
    enter()
    late = MONDAY + timedelta(seconds=59)
    with clock.standing_at(late):
        operator.post(f"/admin/sequences/{series}/triggers", data={"kind": "tag", "what": "client", "too": "yes"})
    enter(late)
    moments = sorted(moment for one in people for _, moment in joined(one))
    assert len(moments) == 25
    assert (moments[-1] - moments[0]).total_seconds() == 2 * 60
    assert joined(people[0])[0][0] == "operator"


def test_a_date_shows_who_joins_soon_and_which_dates_cannot_be_read(operator: FlaskClient, series: int) -> None:
    with clock.standing_at(MONDAY):
        person("Alice", fields={"birthday": "1990-03-10"})
        person("Bob", fields={"birthday": "1990-08-10"})
        person("Dora", fields={"birthday": "3/4/1990"})
        person("Charlie", marketing=False, fields={"birthday": "1990-03-10"})
        page = operator.post(f"/admin/sequences/{series}/triggers/look", data=BIRTHDAY).text
    assert "2 days before “birthday”, every year, at 7:30 on their clock" in page
    assert "3 people who may get it have something in the field “birthday”" in page
    assert "1 joins in the next 30 days" in page
    assert "1 date cannot be read" in page
    operator.post(f"/admin/sequences/{series}/triggers", data=BIRTHDAY)
    assert [one.config for one in known(series)] == [{"yearly": True, "days": -2, "at": "07:30"}]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"kind": "tag", "what": " "}, "Type the tag."),
        (BIRTHDAY | {"days": "some"}, "The number of days is a whole number."),
        (BIRTHDAY | {"at": "noon"}, "A time of day is written like 09:00."),
        ({"kind": "moon", "what": "full"}, "nothing that a series can begin with"),
    ],
)
def test_what_cannot_be_is_told_in_words(operator: FlaskClient, series: int, typed: dict[str, str], words: str) -> None:
    answer = operator.post(f"/admin/sequences/{series}/triggers/look", data=typed, follow_redirects=True)
    assert words in answer.text
    assert operator.post(f"/admin/sequences/{series}/triggers", data=typed).status_code == 400
    assert known(series) == []


def test_the_page_lists_every_way_in_and_each_can_rest_and_go(operator: FlaskClient, series: int) -> None:
    with transaction() as session:
        signup.create_form(
            session, "class", MONDAY, name="Class list", magnet_id=None, sequence_id=series, button="Go", wording="Yes."
        )
    numbers = [begins(series, "tag", "client"), begins(series, "form", "class"), begins(series, "date", "birthday")]
    page = operator.get(f"/admin/sequences/{series}").text
    for words in (
        "Somebody signs up on the form “Class list”",
        "Somebody gets the tag “client”",
        "On the day of “birthday”, every year, at 9:00 on their clock",
        "The form itself leads here",
    ):
        assert words in page
    operator.post(f"/admin/sequences/{series}/triggers/{numbers[0]}/switch", data={"enabled": "no"})
    assert [one.enabled for one in known(series)] == [False, True, True]
    assert "rests" in operator.get(f"/admin/sequences/{series}").text
    operator.post(f"/admin/sequences/{series}/triggers/{numbers[0]}/switch", data={"enabled": "yes"})
    assert [one.enabled for one in known(series)] == [True, True, True]
    for number in numbers:
        operator.post(f"/admin/sequences/{series}/triggers/{number}/remove")
    assert known(series) == []


@pytest.mark.parametrize(
    ("deed", "said", "button"),
    [
        ("rest", "would have joined by it in the next 30 days and will not", "Let it rest"),
        ("again", "will join by it in the next 30 days", "Let it work again"),
        ("remove", "would have joined by it in the next 30 days and will not", "Remove it"),
    ],
)
def test_3_19_before_a_date_rests_or_goes_it_is_said_who_would_not_join_and_what_they_would_have_got(
    operator: FlaskClient, series: int, deed: str, said: str, button: str
) -> None:
    own = f"/admin/sequences/{series}"
    with clock.standing_at(MONDAY):
        person("Alice", fields={"birthday": "1990-03-10"})
        person("Bob", fields={"birthday": "1990-08-10"})
        person("Charlie", marketing=False, fields={"birthday": "1990-03-10"})
        operator.post(f"{own}/triggers", data=BIRTHDAY)
        number = known(series)[0].id
        if deed == "again":
            operator.post(f"{own}/triggers/{number}/switch", data={"enabled": "no"})
        was = known(series)
        path = f"{own}/triggers/{number}/{deed}"
        assert f'href="{path}"' in operator.get(own).text
        page = " ".join(operator.get(path).text.split())
        assert f"<strong>1 person</strong> {said}" in page
        assert "alice@example.org" in page
        for nobody in ("bob@", "charlie@"):
            assert nobody not in page
        for subject in ("Hello", "More for", "Last"):
            assert subject in page.partition("What each of them")[2]
        assert page.index("1 person") < page.index(f">{button}<"), "then the button"
        assert known(series) == was, "looking changes nothing"


def test_3_19_before_a_tag_rests_it_is_said_how_many_joined_by_it_lately(operator: FlaskClient, series: int) -> None:
    number = begins(series, "tag", "client")
    with clock.standing_at(MONDAY):
        path = f"/admin/sequences/{series}/triggers/{number}/rest"
        assert "Nobody joined by it in the last 30 days." in operator.get(path).text
        join(series, person("Bob"))  # by a form, which this way in has nothing to do with
        tag(person("Alice"), "client", MONDAY)
        enter(MONDAY)
        page = operator.get(path).text
    assert "<strong>1 person</strong> joined by it in the last 30 days." in page
    assert operator.get(f"/admin/sequences/{series}/triggers/{number}/burn").status_code == 404
    assert operator.get(f"/admin/sequences/{series + 1}/triggers/{number}/rest").status_code == 404


def test_a_trigger_of_another_series_is_not_touched(operator: FlaskClient, series: int) -> None:
    number = begins(series, "tag", "client")
    for action in ("switch", "remove"):
        assert operator.post(f"/admin/sequences/{series + 1}/triggers/{number}/{action}").status_code == 404
    assert len(known(series)) == 1


def changes() -> list[str]:
    """What the versions say was done, oldest first."""
    db.session.rollback()
    return list(db.session.scalars(select(SequenceVersion.what).order_by(SequenceVersion.version)))


def newest() -> int:
    db.session.rollback()
    return db.session.scalars(select(SequenceVersion.id).order_by(SequenceVersion.id.desc()).limit(1)).one()


def test_3_2_each_change_of_how_it_begins_is_a_version_and_is_taken_back(operator: FlaskClient, series: int) -> None:
    own = f"/admin/sequences/{series}"
    operator.post(f"{own}/triggers", data={"kind": "tag", "what": "client"})
    operator.post(f"{own}/triggers", data=BIRTHDAY)
    number = known(series)[0].id
    operator.post(f"{own}/triggers/{number}/switch", data={"enabled": "no"})
    operator.post(f"{own}/triggers/{number}/switch", data={"enabled": "no"})  # rests already: no change
    operator.post(f"{own}/triggers/{number}/remove")
    assert changes() == [
        "Begins when somebody gets the tag “client”",
        "Begins 2 days before “birthday”, every year, at 7:30 on their clock",
        "Begins for now no more when somebody gets the tag “client”",
        "Begins no more when somebody gets the tag “client”",
    ]
    assert changes()[0] in operator.get(f"{own}/versions").text
    assert operator.post(f"{own}/versions/{newest()}/undo").status_code == 302
    assert sorted((one.kind, one.enabled) for one in known(series)) == [("date", True), ("tag", False)]


def test_3_2_a_way_in_that_is_taken_back_takes_out_who_joined_by_it_and_got_nothing_yet(
    operator: FlaskClient, series: int
) -> None:
    own = f"/admin/sequences/{series}"
    bob = person("Bob")
    join(series, bob)
    with clock.standing_at(MONDAY):
        operator.post(f"{own}/triggers", data={"kind": "tag", "what": "client"})
    alice = person("Alice")
    tag(alice, "client")
    enter()
    assert len(joined(alice)) == 1
    with clock.standing_at(MONDAY):
        assert operator.post(f"{own}/versions/{newest()}/undo").status_code == 302
    assert (joined(alice), len(joined(bob)), known(series)) == ([], 1, [])
    assert join(series, alice), "as if they had never been in it"


def test_3_2_a_way_in_by_which_emails_went_out_is_not_taken_back(operator: FlaskClient, series: int) -> None:
    own = f"/admin/sequences/{series}"
    with clock.standing_at(MONDAY):
        operator.post(f"{own}/triggers", data={"kind": "tag", "what": "client"})
    alice = person("Alice")
    tag(alice, "client")
    enter()
    turn(at("2026-03-04T07:00"))
    refused = operator.post(f"{own}/versions/{newest()}/undo")
    assert (refused.status_code, "has gone out" in refused.text) == (403, True)
    assert len(known(series)) == 1
