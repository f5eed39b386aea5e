"""The operator's whole story: the first link, the rooms of the back office, an email to everybody."""

from __future__ import annotations

import re

from playwright.sync_api import Browser

from tests.journeys.conftest import DESK, PHONE, Person, Server
from tests.journeys.test_reader import confirmed

ALICE, OPERATOR = "alice@example.org", "operator@example.org"
PASSWORD = "four words in a row"


def test_from_the_first_link_to_an_email_that_everybody_gets(server: Server, browser: Browser) -> None:
    confirmed(server, browser, ALICE).page.context.close()
    operator = Person(browser.new_context(viewport=DESK).new_page(), server.url)
    page = operator.page
    setup = re.search(r"http\S+/admin/setup/\S+", server.printed)
    assert setup, server.printed
    operator.go(setup[0])
    page.get_by_label("Your name").fill("Operator")
    page.get_by_label("Email address").fill(OPERATOR)
    page.get_by_label("Password").fill(PASSWORD)
    operator.press("Make my account")
    assert page.url == f"{server.url}/admin/"

    rooms = ["/admin/", "/admin/subscribers", "/admin/ledger", "/admin/broadcasts", "/admin/broadcasts/new"]
    rooms += ["/admin/magnets", "/admin/comments", "/admin/pages", "/admin/sequences", "/admin/settings"]
    rooms += ["/admin/account", "/admin/activity", "/admin/subscribers?q=alice", "/admin/ledger?q=alice"]
    rooms += ["/admin/relays", "/admin/relays/new", "/admin/relays/dns"]
    for room in rooms:
        operator.go(room)
    for room, inside in (("subscribers", "subscribers/"), ("ledger", "ledger/"), ("magnets", "magnets/")):
        page.goto(f"{server.url}/admin/{room}")
        page.locator(f"main a[href*='/admin/{inside}']").first.click()
        page.wait_for_load_state()
        operator.check()

    queue_an_email(operator)
    sent = server.peer.wait_for(ALICE, 3 if not series_began(server) else 4)
    assert any("Sunday stretch" in email["subject"] for email in server.peer.emails(ALICE)), sent["subject"]

    operator.go("/admin/")
    page.get_by_role("button", name="Sign out").first.click()
    page.wait_for_load_state()
    page.goto(f"{server.url}/admin/subscribers")
    assert "/admin/sign-in" in page.url
    page.get_by_label("Email address").fill(OPERATOR)
    page.get_by_label("Password").fill(PASSWORD)
    operator.press("Sign in")
    assert page.url.startswith(f"{server.url}/admin/subscribers")
    page.set_viewport_size(PHONE)
    for room in rooms:
        operator.go(room)
    page.goto(setup[0])
    assert page.get_by_label("Password").count() == 0, "the link works once"
    page.context.close()


def series_began(server: Server) -> bool:
    """Whether the first email of the series went at once."""
    return any(email["list-id"] and "core" in email["list-id"] for email in server.peer.emails(ALICE))


def queue_an_email(operator: Person) -> None:
    """Write an email, look at it, and queue it for everybody, now."""
    page = operator.page
    operator.go("/admin/broadcasts/new")
    page.get_by_role("button").filter(has_text=re.compile("empty|blank|scratch", re.I)).first.click()
    page.wait_for_load_state()
    page.get_by_label("Subject").fill("A Sunday stretch, {{ subscriber.first_name or 'friend' }}")
    page.locator("#body").fill("Hello!\n\n![](figure:cat-cow)\n\nTen slow rounds. *Stop if it hurts.*")
    operator.press("Next: to whom, and when")
    page.get_by_label("Everybody").check()
    operator.press("Next: look at everything once more")
    page.locator("form[action$='/queue'] button").first.click()
    page.wait_for_load_state()
    operator.check()
