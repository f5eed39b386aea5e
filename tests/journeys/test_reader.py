"""The reader's whole story: the series day by day, leaving, coming to the end of it."""

from __future__ import annotations

import json
import re
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise

from playwright.sync_api import Browser

from tests.journeys.conftest import PHONE, Person, Server, link_in

ALICE, BOB = "alice@example.org", "bob@example.org"


def confirmed(server: Server, browser: Browser, address: str) -> Person:
    """A reader who signed up and pressed the button."""
    reader = Person(browser.new_context(viewport=PHONE).new_page(), server.url)
    reader.go("/")
    reader.page.wait_for_timeout(1100)
    reader.page.get_by_label("Your email address").first.fill(address)
    reader.press("Send me the PDF")
    reader.go(link_in(server.peer.wait_for(address, 1), "confirm"))
    reader.press("Confirm and get the PDF")
    server.peer.wait_for(address, 2)
    return reader


def test_the_core_series_follows_on_schedule_and_one_click_ends_it(server: Server, browser: Browser) -> None:
    confirmed(server, browser, ALICE).page.context.close()
    bob = confirmed(server, browser, BOB)
    start = datetime.now(UTC)
    for day in (2, 4, 7, 10, 13, 17, 21, 24):
        noon = (start + timedelta(days=day)).replace(hour=12, minute=0, second=0)
        server.flask("worker", "--once", "--as-of", noon.isoformat())
        if day == 7:
            leave_by_one_click(server, BOB)
    series = [email for email in server.peer.emails(ALICE) if email["list-unsubscribe"]]
    assert len(series) == 7
    assert len({email["message-id"] for email in series}) == 7
    sent = [parsedate_to_datetime(email["date"]) for email in series]
    assert sent == sorted(sent)
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert all(gap >= timedelta(hours=20) for gap in gaps), gaps
    for email in series:
        assert email["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
        assert email["list-id"]
        assert "1 Example Street" in email.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        html = email.get_body(("html",)).get_content()  # type: ignore[union-attr]
        for picture in re.findall(r'src="([^"]+/media/[^"]+)"', html):
            with urllib.request.urlopen(picture, timeout=30) as answer:
                assert answer.headers["content-type"].startswith("image/")
    left = [email for email in server.peer.emails(BOB) if email["list-unsubscribe"]]
    assert 0 < len(left) < len(series)
    ledger = [json.loads(line) for line in server.flask("ledger", "--format", "jsonl").splitlines()]
    assert {row["state"] for row in ledger if row["email"] == ALICE} == {"accepted"}

    bob.go(link_in(left[-1], "preferences"))
    assert BOB in bob.page.inner_text("main")
    bob.page.get_by_role("link", name="Read my data").click()
    bob.check()
    assert BOB in bob.page.inner_text("main")
    bob.page.go_back()
    bob.page.get_by_text("Erase me").first.click()
    bob.page.get_by_label("Yes, erase everything").check()
    bob.page.locator("button[value=erase]").click()
    bob.page.wait_for_load_state()
    bob.check()
    assert BOB not in server.flask("ledger", "--format", "jsonl")
    bob.page.context.close()


def leave_by_one_click(server: Server, address: str) -> None:
    """What a mail program does when its own unsubscribe button is pressed (RFC 8058)."""
    series = [email for email in server.peer.emails(address) if email["list-unsubscribe"]]
    url = re.search(r"<(http[^>]+)>", series[-1]["list-unsubscribe"])[1]  # type: ignore[index]
    post = urllib.request.Request(url, data=b"List-Unsubscribe=One-Click")
    with urllib.request.urlopen(post, timeout=30) as answer:
        assert answer.status == 200
