"""The calendar as a coach meets it: on a screen by keys alone, on a phone as a list, while it is worked out."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from tests.journeys.conftest import DESK, PHONE, Person, Server

OPERATOR, PASSWORD = "operator@example.org", "four words in a row"
READERS = "email,first_name,timezone\n" + "".join(
    f"{name.lower()}@example.org,{name},{zone}\n"
    for name, zone in (("Alice", "Europe/Berlin"), ("Bob", "America/New_York"), ("Dora", ""))
)


def signed_in(server: Server, browser: Browser) -> Person:
    server.flask("create-admin", OPERATOR, "--password-stdin", input_text=PASSWORD + "\n")
    coach = Person(browser.new_context(viewport=DESK).new_page(), server.url)
    coach.go("/admin/sign-in")
    coach.page.get_by_label("Email address").fill(OPERATOR)
    coach.page.get_by_label("Password").fill(PASSWORD)
    coach.press("Sign in")
    return coach


def test_the_days_ahead_from_the_month_to_a_readers_line(server: Server, browser: Browser) -> None:
    people = f"{server.environ['DATA_DIR']}/people.csv"
    with open(people, "w", encoding="utf-8") as file:
        file.write(READERS)
    server.flask("import", people, "--sequence", "core-series", "--attest", "They asked me in class.")
    coach = signed_in(server, browser)
    page = coach.page

    coach.go("/admin/calendar")
    for view in ("Week", "Day", "Month"):
        page.get_by_role("link", name=view, exact=True).press("Enter")
        page.wait_for_load_state()
        coach.check()
    page.get_by_role("link", name="Later").press("Enter")  # the series has emails for weeks
    page.wait_for_load_state()
    coach.check()
    page.get_by_role("link", name="Today", exact=True).press("Enter")
    page.wait_for_load_state()
    page.locator("summary").filter(has_text="Filter").press("Enter")
    page.get_by_label("Show", exact=True).select_option(label="Emails to many")
    page.get_by_role("button", name="Show", exact=True).press("Enter")
    page.wait_for_load_state()
    coach.check()
    expect(page.locator(".calendar-entry")).to_have_count(0)
    page.get_by_role("link", name=re.compile("Emails to many")).press("Enter")
    page.wait_for_load_state()

    page.set_viewport_size(PHONE)
    coach.go("/admin/calendar?view=week")
    page.get_by_role("link", name="Later").click()
    page.wait_for_load_state()
    coach.check()
    page.locator(".calendar-entry").first.click()
    page.wait_for_load_state()
    coach.check()
    expect(page.get_by_role("heading", name=re.compile("people will get it|person will get it"))).to_be_visible()
    expect(page.get_by_text(re.compile("of Core series"))).to_be_visible()
    page.locator("table a").first.click()
    page.wait_for_load_state()
    coach.check()
    expect(page.get_by_text("Now", exact=True)).to_be_visible()
    expect(page.get_by_text("Will get").first).to_be_visible()

    coach.go("/admin/calendar/links")
    page.get_by_label("Where will you use it?").fill("My phone")
    coach.press("Make a link")
    link = page.get_by_label("The secret link for My phone").input_value()
    path = re.sub(r"^https?://[^/]+", "", link)
    feed = page.request.get(server.url + path)
    assert feed.ok
    assert "BEGIN:VEVENT" in feed.text()
    assert "alice" not in feed.text().lower()
    page.context.close()
