"""A coach changes a living series in a real browser: looks at what it means first, on a phone and on a desk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from playwright.sync_api import Browser, Locator, expect
from sqlalchemy import select

from newsletter.database.engine import db, transaction
from newsletter.sequences import making, models
from newsletter.sequences.wording import write
from tests.journeys.conftest import DESK, PHONE, Person, sign_in
from tests.sequences.conftest import enrollment, join, person, run, sent, turn

# A Wednesday at noon: neither zone changes its clocks before the end of the month.
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAYS = {"hello": 0, "more": 2, "why": 3, "last": 4}
ALICE, BOB = 1, 2


@pytest.fixture
def travel(site: str) -> Iterator[time_machine.Traveller]:
    """The clock of the site, which goes on from NOW."""
    with time_machine.travel(NOW, tick=True) as traveller:
        yield traveller


@pytest.fixture
def series(travel: time_machine.Traveller) -> int:
    """The id of a series of four emails: Alice has had two of them and Bob, in Berlin, one."""
    with transaction() as session:
        begun = making.begin(session, "Calm shoulders", "", NOW)
        for at, (key, days) in enumerate(DAYS.items(), 1):
            row = models.Step(sequence_id=begun.id, key=key, position=at, source=write(key.capitalize(), "", "Words."))
            row.delay_amount = days
            session.add(row)
        number = begun.id
    assert (person("Alice"), person("Bob", "Europe/Berlin")) == (ALICE, BOB)
    join(number, ALICE, NOW - timedelta(hours=84))
    join(number, BOB, NOW - timedelta(hours=30))
    run(NOW)
    assert [got(ALICE), got(BOB)] == [["Hello", "More"], ["Hello"]]
    return number


class Coach(Person):
    """The coach, who holds a phone or sits at a desk; each page is also looked at in the other's width."""

    def check(self) -> None:
        """Fit for everybody, and in neither width does anything stick out."""
        super().check()
        own = self.page.viewport_size
        for size in (PHONE, DESK):
            self.page.set_viewport_size(size)  # type: ignore[arg-type]
            wide = self.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= size["width"], f"{self.page.url} is {wide} px wide at {size['width']}"
        self.page.set_viewport_size(own)  # type: ignore[arg-type]

    def follow(self, link: Locator) -> None:
        """Follow a link, and look at the page it leads to."""
        link.click()
        self.page.wait_for_load_state()
        self.check()


@pytest.fixture(params=[(PHONE, "light")])
def coach(browser: Browser, site: str, series: int, request: pytest.FixtureRequest) -> Iterator[Coach]:
    """The coach, signed in: with a phone by day, unless a test says otherwise."""
    size, scheme = request.param
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    sign_in(page, site)
    yield Coach(page, site)
    context.close()


PHONE_BY_NIGHT = pytest.mark.parametrize("coach", [(PHONE, "dark")], indirect=True)
DESK_BY_DAY = pytest.mark.parametrize("coach", [(DESK, "light")], indirect=True)
DESK_BY_NIGHT = pytest.mark.parametrize("coach", [(DESK, "dark")], indirect=True)


def due(subscriber_id: int) -> datetime | None:
    """When a reader's next step comes."""
    return enrollment(subscriber_id).next_due_at


def got(subscriber_id: int) -> list[str]:
    """The subjects of what a reader got, in their order."""
    return [subject for subject, _ in sent(subscriber_id)]


def keys(series: int) -> list[str]:
    """The keys of the living steps, in their order."""
    db.session.rollback()
    living = select(models.Step.key).where(models.Step.sequence_id == series, models.Step.deleted_at.is_(None))
    return list(db.session.scalars(living.order_by(models.Step.position)))


def test_3_9_a_delay_is_changed_looked_at_and_taken_back(coach: Coach, series: int) -> None:
    page, before = coach.page, due(ALICE)
    assert before
    coach.go("/admin/sequences")
    coach.follow(page.get_by_role("link", name="Calm shoulders"))
    coach.follow(page.get_by_role("link", name="Why", exact=True))
    page.get_by_label("How many").fill("1")
    coach.press("Next: see whom it moves")

    expect(page.get_by_role("heading", name="Email 3 goes 1 day")).to_be_visible()
    page.locator("summary", has_text="Who, from when to when").first.click()
    expect(page.locator(".edit-who[open] tbody")).to_contain_text("alice@example.org")
    coach.check()
    page.get_by_role("button", name="Make this change").click()  # how many are due at once was not confirmed
    expect(page.get_by_role("alert")).to_be_visible()
    assert "409" in coach.errors.pop()  # the browser's word about it
    assert due(ALICE) == before
    page.get_by_label("One after the other over").check()
    coach.press("Show what these choices mean")
    coach.press("Make this change")
    moved = due(ALICE)
    assert moved
    assert moved < before

    coach.follow(page.get_by_role("link", name="What was changed"))
    page.locator("summary", has_text="Take it back").click()
    coach.check()
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_text("everybody stands where they stood")).to_be_visible()
    coach.check()
    assert due(ALICE) == before


@DESK_BY_NIGHT
def test_3_10_an_email_comes_in_between_and_a_step_goes(coach: Coach, series: int) -> None:
    page = coach.page
    coach.go(f"/admin/sequences/{series}")
    coach.follow(page.get_by_role("link", name="Add a step after email 2"))
    coach.follow(page.get_by_role("link", name="Email", exact=True))
    page.get_by_label("Subject").fill("A short pause")
    page.get_by_label("Text").fill("Two minutes for your neck, ")
    page.get_by_role("button", name="First name").click()
    page.get_by_label("How many").fill("1")
    page.get_by_role("button", name="Look at it").click()
    expect(page.frame_locator("iframe").get_by_text("Two minutes for your neck, Alice")).to_be_visible()
    coach.press("Add this email")
    page.get_by_label("Leave them the time they had").check()
    coach.press("Make this change")
    assert keys(series) == ["hello", "more", "a-short-pause", "why", "last"]

    menu = page.locator("details.line-more").nth(3)
    menu.locator("summary").click()
    coach.check()
    menu.get_by_role("button", name="Delete it").click()
    page.wait_for_load_state()
    coach.check()
    coach.press("Make this change")
    assert keys(series) == ["hello", "more", "a-short-pause", "last"]
    run(NOW + timedelta(days=12))
    assert got(ALICE) == got(BOB) == ["Hello", "More", "A short pause", "Last"]


@DESK_BY_DAY
def test_3_11_those_who_finished_get_what_is_added_if_the_coach_says_so(coach: Coach, series: int) -> None:
    run(NOW + timedelta(days=12))
    page = coach.page
    coach.go(f"/admin/sequences/{series}")
    page.get_by_role("link", name="Add a step at the end").click()
    page.get_by_role("link", name="Email", exact=True).click()
    page.get_by_label("Subject").fill("One more thing")
    page.get_by_label("Text").fill("Come by on Saturday.")
    coach.press("Add this email")
    expect(page.get_by_text("2 people have finished this series")).to_be_visible()
    page.get_by_label("Also send to these 2 people").check()
    coach.press("Make this change")
    run(NOW + timedelta(days=14))
    assert got(ALICE)[-1] == got(BOB)[-1] == "One more thing"


@PHONE_BY_NIGHT
def test_3_15_a_pause_ends_as_the_coach_chooses_and_what_is_late_waits_for_them(
    coach: Coach, series: int, travel: time_machine.Traveller
) -> None:
    page = coach.page
    coach.go(f"/admin/sequences/{series}")
    coach.follow(page.get_by_role("link", name="Pause", exact=True))
    expect(page.get_by_role("heading", name="What it would keep back")).to_be_visible()
    coach.press("Pause")
    travel.shift(timedelta(days=4))
    turn(NOW + timedelta(days=4))
    assert [got(ALICE), got(BOB)] == [["Hello", "More"], ["Hello"]]
    coach.go(f"/admin/sequences/{series}")
    coach.follow(page.get_by_role("link", name="End the pause").first)
    expect(page.get_by_text("For 2 of them an email has come due meanwhile")).to_be_visible()
    coach.follow(page.get_by_role("link", name="See what each way means"))
    expect(page.get_by_role("button", name="End the pause like this")).to_have_count(3)
    page.go_back()
    page.get_by_label("Leave out what was missed").check()
    coach.press("End the pause")

    travel.shift(timedelta(days=9))  # nobody works in the meantime
    turn(NOW + timedelta(days=13, minutes=5))
    assert [got(ALICE), got(BOB)] == [["Hello", "More"], ["Hello"]]
    coach.go("/admin/ledger/overdue")
    page.get_by_role("checkbox", name="alice@example.org").check()
    page.get_by_role("button", name="Send now").last.click()
    expect(page.get_by_text("1 email goes out now")).to_be_visible()
    page.get_by_role("button", name="Leave out for bob@example.org").click()
    expect(page.get_by_role("heading", name="Nothing is late")).to_be_visible()
    coach.check()
    run(NOW + timedelta(days=30))
    assert [got(ALICE), got(BOB)] == [["Hello", "More", "Last"], ["Hello"]]


@DESK_BY_DAY
def test_3_8_another_zone_of_the_studio_is_looked_at_first(coach: Coach, series: int) -> None:
    page = coach.page
    coach.go(f"/admin/sequences/{series}/steps/3")
    page.get_by_role("textbox", name="from").fill("07:00")
    page.get_by_role("textbox", name="until").fill("09:00")
    page.get_by_role("button", name="Next: see whom it moves").click()
    page.get_by_role("button", name="Make this change").click()
    page.wait_for_selector(".line")
    before = due(ALICE), due(BOB)
    coach.go("/admin/settings")
    page.get_by_label("Time zone").select_option("Asia/Tokyo")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("heading", name="Before the time zone changes")).to_be_visible()
    coach.check()
    assert (due(ALICE), due(BOB)) == before
    coach.press("Change the time zone")
    turn(NOW + timedelta(minutes=1))
    assert due(ALICE) != before[0]
    assert due(BOB) == before[1], "he has a zone of his own"


@DESK_BY_NIGHT
def test_3_21_the_days_ahead_from_a_test_drive_to_a_readers_line(coach: Coach, series: int) -> None:
    page = coach.page
    coach.go(f"/admin/sequences/{series}")
    coach.follow(page.get_by_role("link", name="Test drive"))
    expect(page.get_by_role("heading", name="4 emails in 30 days")).to_be_visible()
    coach.follow(page.get_by_role("link", name="Next email"))
    expect(page.frame_locator("iframe").get_by_text("Words.")).to_be_visible()
    page.get_by_text("Somebody else").click()
    page.get_by_label("Days", exact=True).fill("3")
    coach.press("Drive")
    expect(page.get_by_role("heading", name="2 emails in 3 days")).to_be_visible()

    coach.go("/admin/calendar")
    for view in ("Day", "Week", "Month"):
        coach.follow(page.get_by_role("link", name=view, exact=True))
    coach.follow(page.locator(".calendar-entry:not(.is-sent)").first)
    expect(page.get_by_text("Why:")).to_be_visible()
    coach.follow(page.get_by_role("table").get_by_role("link").first)
    expect(page.get_by_text("Will get").first).to_be_visible()
