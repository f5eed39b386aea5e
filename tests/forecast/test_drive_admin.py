"""The test drive in the back office."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter.database.engine import transaction
from newsletter.errors import InputError
from newsletter.forecast import drive_form
from newsletter.forecast.drive import Invented
from newsletter.sequences.rules import Course
from newsletter.sequences.series import load_series
from tests.forecast.test_drive import ABOUT, FORKED, MONDAY, SHIPPED, email, rows, series

START = "start=2026-03-02T10:00"


@pytest.fixture
def spine(sqlite_app: Flask) -> int:
    """A series that asks about links, and moves its readers to the shipped one."""
    with transaction() as session:
        load_series(session, SHIPPED, MONDAY)
    return series(FORKED)


def page(client: FlaskClient, number: int, query: str = START, status: int = 200) -> str:
    """What the page says, as one line."""
    answer = client.get(f"/admin/sequences/{number}/drive?{query}")
    assert answer.status_code == status
    return re.sub(r" ([.,])", r"\1", " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split()))


def test_charlie_the_stranger_is_refused(sqlite_app: Flask, spine: int) -> None:
    for path in ("drive", "drive/frame"):
        answer = sqlite_app.test_client().get(f"/admin/sequences/{spine}/{path}")
        assert answer.location.startswith("/admin/sign-in")


def test_the_page_tells_the_whole_way_with_dates_in_words(operator: FlaskClient, spine: int) -> None:
    said = page(operator, spine)
    assert "Alice in UTC joins on Monday 2 March 2026, 10:00. They press no links." in said
    assert "Monday 2 March 2026, 10:00 at once Hello for Alice" in said
    assert "Gets the tag “warm”" in said
    assert "Thursday 5 March 2026, 10:00 3 days later Calm for Alice" in said
    assert "They never get: Email 2 of “Spine”." in said
    assert "Whose links do they press" in said, "because the series asks"
    assert "What have they downloaded" not in said, "because it does not ask"


def test_another_reader_goes_another_way(operator: FlaskClient, spine: int) -> None:
    said = page(operator, spine, f"{START}&name=Bob&zone=Asia/Kolkata&presses=hello&tags=new,%20client&days=60&n=2")
    assert "Bob in Asia/Kolkata joins on Monday 2 March 2026, 10:00, with the tags new, client." in said
    assert "They press the links in email 1." in said
    assert "Thursday 5 March 2026, 07:00 3 days later Keen for Bob" in said
    assert "9 emails in 60 days" in said
    frame = operator.get(f"/admin/sequences/{spine}/drive/frame?{START}&name=Bob&presses=hello&tags=new&n=2")
    assert "new, warm" in frame.text
    assert "script-src 'none'" in frame.headers["Content-Security-Policy"]


def test_the_emails_are_read_one_after_the_other(operator: FlaskClient, spine: int) -> None:
    first = operator.get(f"/admin/sequences/{spine}/drive?{START}&view=text").text
    assert "Hello Alice." in first
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following
    second = operator.get(unescape(following[1]).partition("#")[0]).text
    assert "Email 2 of 2" in second
    assert "view=text" in following[1]
    assert 'rel="next"' not in second


def test_an_email_that_cannot_be_made_is_shown_with_its_reason(operator: FlaskClient) -> None:
    number = series({"series.yaml": ABOUT, "01-hello.md": email("hello", text="{{ subscriber.shoe_size }}")})
    assert "shoe_size" in page(operator, number)
    assert "shoe_size" in operator.get(f"/admin/sequences/{number}/drive/frame?{START}").text


def test_days_without_an_email_offer_more_days(operator: FlaskClient, spine: int) -> None:
    with transaction() as session:
        number = load_series(session, SHIPPED, MONDAY).id
    said = page(operator, number, "days=1")
    assert "No email in 1 day" in said
    assert "Drive on for 2 days" in said
    assert "The 5 days end here" in page(operator, number, "days=5")
    assert operator.get(f"/admin/sequences/{number}/drive/frame?days=1").status_code == 404


@pytest.mark.parametrize("query", ["start=soon", "start=2026-13-01T10:00", "days=0", "days=many", "fields=city"])
def test_nonsense_is_named_and_the_page_still_works(operator: FlaskClient, spine: int, query: str) -> None:
    assert "Hello for Alice" in page(operator, spine, query, 400)


def test_a_strange_zone_is_the_studios_and_a_strange_number_the_first_email(operator: FlaskClient, spine: int) -> None:
    said = page(operator, spine, f"{START}&zone=Mars/Olympus&n=99&view=upside-down")
    assert "Alice in UTC" in said
    assert "Email 2 of 2" in said
    assert "Email 1 of 2" in page(operator, spine, f"{START}&n=first")


def test_2_14_looking_writes_nothing(operator: FlaskClient, spine: int) -> None:
    before = rows()
    page(operator, spine, f"{START}&presses=any")
    operator.get(f"/admin/sequences/{spine}/drive/frame?{START}")
    assert rows() == before


def test_an_address_gives_the_same_reader_again() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    reader = Invented(
        datetime(2026, 3, 29, 0, 30, tzinfo=UTC),
        7,
        "",
        "Europe/Berlin",
        ("a", "b c"),
        {"city": "Berlin = fine", "x": ""},
        frozenset({"hello"}),
        frozenset({"pdf"}),
    )
    address = drive_form.address(reader, berlin)
    args = {name: value if isinstance(value, list) else [value] for name, value in address.items()}
    assert drive_form.invented(args, berlin, MONDAY) == reader


def test_3_5_a_moment_that_does_not_exist_is_the_first_after_the_gap() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    reader = drive_form.invented({"start": ["2026-03-29T02:30"]}, berlin, MONDAY)
    assert reader.start == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    with pytest.raises(InputError):
        drive_form.invented({"fields": ["no value"]}, berlin, MONDAY)


def test_3_12_what_those_who_would_join_are_asked_is_offered_as_well() -> None:
    course = Course(id=1, entry={"tag": "vip"}, goal={"field": "city", "is": "set"})
    assert drive_form.asked({1: course}, 1) == drive_form.Asked(tags=("vip",), fields=("city",))
