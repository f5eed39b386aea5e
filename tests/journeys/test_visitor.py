"""The visitor's whole story: from the article to the PDF, and a comment."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from io import BytesIO

import pikepdf
import pytest
from playwright.sync_api import Browser, ViewportSize

from tests.journeys.conftest import PATIENCE, PHONE, SMALL, Person, Server, link_in


@pytest.mark.parametrize(
    ("name", "screen", "scheme", "scripts"),
    [("alice", PHONE, "light", True), ("bob", SMALL, "dark", False)],
    ids=["phone", "small-dark-without-scripts"],
)
def test_from_the_article_to_the_pdf(
    server: Server, browser: Browser, name: str, screen: ViewportSize, scheme: str, scripts: bool
) -> None:
    address = f"{name}@example.org"
    context = browser.new_context(viewport=screen, color_scheme=scheme, java_script_enabled=scripts)  # type: ignore[arg-type]
    visitor = Person(context.new_page(), server.url)
    if not scripts:
        visitor.check = lambda: None  # type: ignore[method-assign]  # axe is itself a script; it has seen these pages
    visitor.go("/")
    page = visitor.page
    assert page.title().startswith("4 feel-good stretches")
    page.wait_for_timeout(1100)  # nobody types faster than the time trap
    page.get_by_label("Your email address").first.fill(address)
    visitor.press("Send me the PDF")
    assert page.url == f"{server.url}/signup/thanks"
    assert address in page.inner_text("main")

    confirmation = server.peer.wait_for(address, 1)
    assert confirmation["subject"] in page.inner_text("main"), "the page names the subject to look for"
    assert not list(confirmation.iter_attachments())
    visitor.go(link_in(confirmation, "confirm"))
    visitor.press("Confirm and get the PDF")
    assert "It is yours" in page.inner_text("h1")

    link = page.get_by_role("link", name="Download the PDF").get_attribute("href")
    assert link
    pdf = the_file(link if link.startswith("http") else server.url + link)
    with pikepdf.open(BytesIO(pdf)) as opened:
        assert len(opened.pages) == 1
    delivery = server.peer.wait_for(address, 2)
    assert link_in(delivery, "download").startswith(server.url)
    context.close()


def the_file(url: str) -> bytes:
    """What is behind a download link; in an installation's first seconds the page asks to come back in a moment."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as refused:
            if refused.code != 503 or time.monotonic() > until:
                raise
            time.sleep(min(2, int(refused.headers["Retry-After"])))


def test_a_comment_waits_for_the_operator(server: Server, browser: Browser) -> None:
    context = browser.new_context(viewport=PHONE)
    visitor = Person(context.new_page(), server.url)
    visitor.go("/")
    page = visitor.page
    page.wait_for_timeout(1100)  # nobody writes faster than the time trap
    page.get_by_label("Name *").fill("Bob")
    page.locator("#comment-email").fill("bob@example.org")
    page.get_by_label("Comment *").fill("Puppy pose did it. <script>alert(1)</script>")
    visitor.press("Send comment")
    assert "Thank you." in page.inner_text("#comments")
    assert "Puppy pose did it" not in page.inner_text("main")
    context.close()


def test_links_that_do_not_work_say_what_to_do(server: Server, browser: Browser) -> None:
    context = browser.new_context(viewport=SMALL, color_scheme="dark")
    visitor = Person(context.new_page(), server.url)
    for path in (
        "/confirm/nonsense",
        "/download/nonsense",
        "/preferences/nonsense",
        "/nowhere",
        "/admin/setup/nonsense",
    ):
        visitor.page.goto(server.url + path)
        visitor.errors.clear()  # the browser notes the status 404 or 410 itself
        visitor.check()
        assert "Traceback" not in visitor.page.content()
    context.close()
