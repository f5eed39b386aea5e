"""The page of an email under way, in a real browser: it follows by itself, and works without its script."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from newsletter import clock
from newsletter.broadcasts import running
from newsletter.database.engine import db, transaction
from tests.broadcasts.stage import answered, broadcast, crowd, queued, run
from tests.journeys.conftest import AXE, PATIENCE, PHONE, sign_in


def signed_in(browser: Browser, site: str, *, script: bool) -> Page:
    page = browser.new_context(viewport=PHONE, java_script_enabled=script).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE * 1000)
    sign_in(page, site)
    return page


def started() -> int:
    crowd(4)
    number = queued()
    run()
    return number


def test_2_10_the_page_follows_by_itself_and_asks_before_it_acts(site: str, browser: Browser) -> None:
    number = started()
    page = signed_in(browser, site, script=True)
    page.goto(f"{site}/admin/broadcasts/{number}")
    headline = page.locator(".progress-headline")
    expect(headline).to_have_text("0 of 4 sent")
    answered(number, accepted=3, unknown=1, planned=0)
    expect(headline).to_have_text("3 of 4 sent", timeout=PATIENCE * 1000)
    expect(page.get_by_role("link", name="Decide whether to send again")).to_be_visible()
    page.locator("summary", has_text="Pause").click()
    page.get_by_label("Why?").first.fill("Lunch")
    page.get_by_role("button", name="Pause it").click()
    expect(page.get_by_text("Paused by an operator: Lunch")).to_be_visible()
    page.evaluate(AXE + "; undefined")
    rules = "{iframes: false, runOnly: ['wcag2a', 'wcag2aa']}"
    assert page.evaluate(f"axe.run(document, {rules}).then(found => found.violations.map(one => one.id))") == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    with transaction() as session:
        running.cancel(session, number, clock.now())
    db.session.remove()
    expect(headline).to_have_text("Called off; 3 people had it already", timeout=PATIENCE * 1000)
    expect(page.locator("summary", has_text="Call off")).to_have_count(0)  # the buttons went with the state


def test_2_10_without_a_script_reloading_shows_it_and_the_buttons_work(site: str, browser: Browser) -> None:
    number = started()
    page = signed_in(browser, site, script=False)
    page.goto(f"{site}/admin/broadcasts/{number}")
    answered(number, accepted=2, planned=2)
    page.get_by_role("link", name="Look again").click()
    expect(page.locator(".progress-headline")).to_have_text("2 of 4 sent")
    page.locator("summary", has_text="Call off").click()
    page.get_by_role("button", name="Call it off for good").click()
    expect(page.get_by_text("Nobody else gets it.")).to_be_visible()
    assert broadcast(number).state == "canceled"
