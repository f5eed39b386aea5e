"""Pausing and resuming in the back office (semantics 3.15)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from newsletter import clock
from newsletter.accounts.queries import audit_log
from newsletter.audience.models import SubscriberEvent
from newsletter.database.engine import db
from newsletter.sequences.models import Enrollment
from newsletter.sequences.resuming import CHOICE_WORDS, Choice
from tests.accounts.people import signed_in
from tests.sequences.conftest import enrollment, join, person


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    """A signed-in operator's browser, on both databases."""
    return signed_in(app)


@pytest.fixture
def alice(operator: FlaskClient, series: int) -> int:
    number = person("Alice")
    join(series, number, clock.now() - timedelta(days=1))
    return number


def page(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def held() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).where(Enrollment.held_at.is_not(None))) or 0


@pytest.mark.parametrize(
    ("where", "shown_on"),
    [
        ("/admin/sequences/pauses", "/admin/sequences"),
        ("/admin/sequences/pauses/series/{series}", "/admin/sequences/{series}"),
        ("/admin/sequences/pauses/person/{alice}", "/admin/subscribers/{alice}"),
    ],
)
def test_3_15_there_and_back_with_how_many_people_it_concerns(
    operator: FlaskClient, series: int, alice: int, where: str, shown_on: str
) -> None:
    path, home = where.format(series=series, alice=alice), shown_on.format(series=series, alice=alice)
    assert f'href="{path}"' in page(operator, home)
    assert "Pause" in page(operator, path)
    assert operator.post(path, data={"do": "pause"}).status_code == 302
    assert held() == 1
    with clock.standing_at(clock.now() + timedelta(days=3)):
        told = page(operator, path)
    assert "<strong>1 person</strong>" in told
    assert "For 1 of them an email has come due" in told
    assert "That is 3 days later" in told
    assert all(name in told for name, _ in CHOICE_WORDS.values())
    answer = operator.post(path, data={"do": "shifted"})
    assert (answer.status_code, answer.headers["Location"]) == (302, home)
    assert held() == 0


@pytest.mark.parametrize("where", ["", "/series/{series}", "/person/{alice}"])
def test_3_15_what_a_pause_would_keep_back_stands_above_its_button(
    operator: FlaskClient, series: int, alice: int, where: str
) -> None:
    path = "/admin/sequences/pauses" + where.format(series=series, alice=alice)
    shown = page(operator, path)
    assert "<strong>3 emails</strong> to <strong>1 person</strong>" in shown
    assert "alice@example.org" in shown.partition('class="pause-form"')[0]
    assert shown.index("<strong>3 emails</strong>") < shown.index('value="pause"'), (
        "first what it does, then the button"
    )
    assert held() == 0


@pytest.mark.parametrize("choice", list(Choice))
def test_3_15_each_way_to_go_on(operator: FlaskClient, series: int, alice: int, choice: Choice) -> None:
    operator.post(f"/admin/sequences/pauses/series/{series}", data={"do": "pause"})
    with clock.standing_at(clock.now() + timedelta(days=2, hours=1)):
        operator.post(f"/admin/sequences/pauses/series/{series}", data={"do": choice.value})
    assert held() == 0
    assert enrollment(alice).shifted_minutes == (2 * 24 * 60 if choice is Choice.SHIFTED else 0)


def test_it_is_written_down_who_did_it_and_in_the_persons_history(operator: FlaskClient, alice: int) -> None:
    operator.post(f"/admin/sequences/pauses/person/{alice}", data={"do": "pause"})
    operator.post(f"/admin/sequences/pauses/person/{alice}", data={"do": "skip"})
    actions = [entry.action for entry, _ in db.session.execute(audit_log())]
    assert actions[:2] == ["person.resumed", "person.paused"]
    told = list(db.session.scalars(select(SubscriberEvent.detail).where(SubscriberEvent.subscriber_id == alice)))
    assert any("paused" in line for line in told)
    assert any("ended" in line for line in told)


def test_3_2_pauses_and_zones_stand_beside_the_edits_with_how_to_take_them_back(
    operator: FlaskClient, series: int, alice: int
) -> None:
    history = f"/admin/sequences/{series}/versions"
    assert "Pauses and time zones" not in page(operator, history)
    for where in (f"/series/{series}", "", f"/person/{alice}"):
        operator.post(f"/admin/sequences/pauses{where}", data={"do": "pause"})
    operator.post(f"/admin/sequences/pauses/series/{series}", data={"do": "skip"})
    operator.post("/admin/settings/zone", data={"timezone": "America/New_York"})
    told = page(operator, history).partition("Pauses and time zones")[2]
    for words in (
        "This series was paused.</strong> End the pause to take it back.",
        "All series were paused.</strong>",
        f"The pause of this series ended: {CHOICE_WORDS[Choice.SKIP][0]}.</strong> Pause it again",
        "time zone was changed from UTC to America/New York.</strong> Choose the former one in Settings",
    ):
        assert words in told, words
    assert told.count("<li ") == 4, "one person's pause stands with that person"


def test_what_is_paused_is_said_where_it_matters(operator: FlaskClient, series: int, alice: int) -> None:
    operator.post(f"/admin/sequences/pauses/series/{series}", data={"do": "pause"})
    assert "This series is paused" in page(operator, f"/admin/sequences/{series}")
    operator.post("/admin/sequences/pauses", data={"do": "pause"})
    assert "All series are paused" in page(operator, "/admin/sequences")
    assert "All series are paused" in page(operator, "/admin/")
    assert "All series are paused as well" in page(operator, f"/admin/sequences/pauses/series/{series}")


@pytest.mark.parametrize("form", [{}, {"do": "burn"}, {"do": "shifted"}])
def test_what_cannot_be_done_changes_nothing(operator: FlaskClient, series: int, form: dict[str, str]) -> None:
    assert operator.post(f"/admin/sequences/pauses/series/{series}", data=form).status_code == 400
    assert operator.post(f"/admin/sequences/pauses/series/{series}", data={"do": "pause"}).status_code == 302
    assert operator.post(f"/admin/sequences/pauses/series/{series}", data={"do": "pause"}).status_code == 400


@pytest.mark.parametrize("path", ["/admin/sequences/pauses/series/999", "/admin/sequences/pauses/person/999"])
def test_nobody_and_nothing_are_not_there(operator: FlaskClient, path: str) -> None:
    assert operator.get(path).status_code == 404
    assert operator.post(path, data={"do": "pause"}).status_code == 404


@pytest.mark.parametrize(
    "path", ["/admin/sequences/pauses", "/admin/sequences/pauses/series/1", "/admin/sequences/pauses/person/1"]
)
def test_charlie_is_refused(sqlite_app: Flask, path: str) -> None:
    charlie = sqlite_app.test_client()
    assert charlie.get(path).status_code == 302
    assert charlie.post(path, data={"do": "pause"}).status_code in {302, 401, 403}
