"""The editor of a series in a real browser: begun from nothing, its steps moved by drag, by keys, without a script."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import select

from newsletter import addresses, clock
from newsletter.audience import actions as audience
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.sequences import actions, making, models
from newsletter.sequences.wording import write
from tests.journeys.conftest import DESK, PATIENCE, PHONE, Person, sign_in


@pytest.fixture
def series(site: str) -> int:
    """The id of a series of four emails, with Alice in it."""
    now = clock.now()
    with transaction() as session:
        begun = making.begin(session, "Calm shoulders", "", now)
        for at, key in enumerate(("hello", "more", "why", "last"), 1):
            row = models.Step(sequence_id=begun.id, key=key, position=at, source=write(key.capitalize(), "", "Words."))
            row.delay_amount = at
            session.add(row)
        alice = audience.remember(session, addresses.parse("alice@example.org"), source="test", now=now)
        alice.status, alice.marketing, alice.first_name = Status.CONFIRMED, True, "Alice"
        session.flush()
        actions.enroll(session, begun.id, alice.id, "operator", now)
        return begun.id


def coach(browser: Browser, site: str, size: dict[str, int], *, script: bool = True) -> Person:
    """The coach, signed in; without a script nobody can look at the page with axe, but it must still work."""
    context = browser.new_context(viewport=size, java_script_enabled=script)  # type: ignore[arg-type]
    page = context.new_page()
    sign_in(page, site)
    person = Person(page, site)
    page.set_default_timeout(PATIENCE * 1000)
    return person


def order(series: int) -> list[str]:
    """The keys of the living steps as the database has them."""
    db.session.rollback()
    living = models.Step.deleted_at.is_(None)
    rows = db.session.scalars(
        select(models.Step).where(models.Step.sequence_id == series, living).order_by(models.Step.position)
    )
    return [row.key for row in rows]


def cards(page: Page) -> list[str]:
    return page.locator("[data-line] h3").all_inner_texts()


def make_it_so(page: Page) -> None:
    """Press on the page that shows what an edit does."""
    page.locator("form[action$='/edits/apply'] button[type=submit]").last.click()
    page.wait_for_selector("[data-line], .line")


def test_3_2_a_coach_begins_a_series_from_nothing(site: str, browser: Browser) -> None:
    person = coach(browser, site, PHONE)
    page = person.page
    person.go("/admin/sequences")
    page.get_by_role("link", name="Begin a series").click()
    page.get_by_label("Name").fill("Morning mobility")
    person.press("Begin the series")
    page.get_by_role("link", name="Add the first step").click()
    page.get_by_role("link", name="Email", exact=True).click()
    person.check()
    page.get_by_label("Subject").fill("Good morning")
    page.get_by_label("Text").fill("Hello {{ subscriber.shoe }}.")
    page.get_by_label("How many").fill("0")
    person.page.get_by_role("button", name="Add this email").click()
    expect(page.get_by_role("alert")).to_contain_text("shoe")  # refused, and what was typed is still there
    expect(page.get_by_label("Subject")).to_have_value("Good morning")
    assert person.errors.pop().count("400") == 1  # the browser's word about the refusal
    person.check()
    page.get_by_label("Text").fill("Hello {{ subscriber.first_name or 'there' }}.")
    page.get_by_role("button", name="Add this email").click()
    expect(page.locator(".line-wait")).to_have_text(["at once"])
    person.check()
    page.get_by_role("link", name="Add a step at the end").click()
    page.get_by_role("link", name="Tag", exact=True).click()
    page.get_by_label("Give the tags").fill("begun")
    page.get_by_role("button", name="Add this step").click()
    expect(page.locator("[data-line] h3").nth(1)).to_have_text("The reader gets “begun”")
    person.check()
    page.context.close()


def test_3_1_a_step_is_dragged_to_another_place(site: str, browser: Browser, series: int) -> None:
    person = coach(browser, site, DESK | {"height": 1800})
    page = person.page
    person.go(f"/admin/sequences/{series}")
    assert cards(page) == ["Hello", "More", "Why", "Last"]
    _drag(page, page.get_by_role("button", name="Take email 4, Last"), page.locator("[data-line] > li").nth(1))
    page.wait_for_url("**/edits")
    assert order(series) == ["hello", "more", "why", "last"], "looked at first"
    person.check()
    make_it_so(page)
    assert cards(page) == ["Hello", "Last", "More", "Why"]
    assert order(series) == ["hello", "last", "more", "why"]
    page.context.close()


def _drag(page: Page, handle: Locator, target: Locator) -> None:
    start, end = handle.bounding_box(), target.bounding_box()
    assert start
    assert end
    page.mouse.move(start["x"] + 10, start["y"] + 10)
    page.mouse.down()
    page.mouse.move(start["x"] + 10, (start["y"] + end["y"]) / 2, steps=8)
    page.mouse.move(start["x"] + 10, end["y"] + 5, steps=8)
    page.mouse.up()


def test_3_1_a_step_is_moved_by_keys_and_put_back(site: str, browser: Browser, series: int) -> None:
    person = coach(browser, site, PHONE)
    page = person.page
    person.go(f"/admin/sequences/{series}")
    handle = page.get_by_role("button", name="Take email 2, More")
    handle.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-news]")).to_contain_text("place 2 of 4")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-news]")).to_have_text("Place 4 of 4.")
    page.keyboard.press("Escape")
    assert cards(page) == ["Hello", "More", "Why", "Last"]
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/edits")
    make_it_so(page)
    assert order(series) == ["more", "hello", "why", "last"]
    person.check()
    page.context.close()


def test_3_1_without_a_script_buttons_do_the_same(site: str, browser: Browser, series: int) -> None:
    page = coach(browser, site, PHONE, script=False).page
    page.goto(f"{site}/admin/sequences/{series}")
    page.get_by_role("button", name="Move email 1 down").click()
    make_it_so(page)
    assert order(series) == ["more", "hello", "why", "last"]
    menu = page.locator("details.line-more").first
    menu.locator("summary").click()
    menu.get_by_label("Move it").select_option(label="at the end")
    menu.get_by_role("button", name="Move").last.click()
    make_it_so(page)
    assert order(series) == ["hello", "why", "last", "more"]
    menu = page.locator("details.line-more").first
    menu.locator("summary").click()
    menu.get_by_role("button", name="Delete it").click()
    make_it_so(page)
    assert order(series) == ["why", "last", "more"]
    page.context.close()


def test_2_14_an_email_reads_as_any_reader_gets_it(site: str, browser: Browser, series: int) -> None:
    person = coach(browser, site, PHONE)
    page = person.page
    person.go(f"/admin/sequences/{series}")
    page.get_by_role("link", name="More", exact=True).click()
    page.get_by_label("Text").fill("Dear {{ subscriber.first_name or 'you' }} of the mat.")
    page.get_by_role("button", name="Look without saving").click()
    expect(page.frame_locator("iframe").get_by_text("Dear Alice of the mat.")).to_be_in_viewport()
    page.get_by_role("button", name="Next: compare and save").click()
    person.check()
    make_it_so(page)
    page.get_by_role("link", name="More", exact=True).click()
    page.locator("summary", has_text="As somebody you know").click()
    page.get_by_label("Name or address of a reader").fill("ALICE@exam")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Alice (alice@example.org)").click()
    expect(page.frame_locator("iframe").get_by_text("Dear Alice of the mat.")).to_be_visible()
    person.check()
    page.context.close()
