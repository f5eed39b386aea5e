"""Makes the README's pictures: starts Supple on a database of its own, uses it like a person, and photographs it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path

import pypdfium2
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
PEOPLE = ("alice", "bob", "charlie", "dora", "emil", "frida", "gustav", "hanna")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
PATIENCE = 90  # seconds, on a busy machine


@contextmanager
def running(folder: str) -> Iterator[tuple[str, str]]:
    """A started Supple: its address and what it printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    output = Path(folder) / "output.txt"
    environ = {"PATH": os.environ["PATH"], "DATA_DIR": folder, "PORT": str(port)}
    with output.open("w") as printed:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environ, stdout=printed, stderr=printed)
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=5).close()  # noqa: S310 - our own server
            break
        except OSError:
            time.sleep(0.2)
    try:
        yield url, output.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


def sign_up(page: Page, url: str, name: str) -> None:
    """One person's way from the article to the gift."""
    page.goto(url)
    page.wait_for_timeout(1200)
    page.get_by_label("Your email address").first.fill(f"{name}@example.org")
    page.get_by_role("button", name="Send me the PDF").first.click()
    page.wait_for_load_state()
    page.goto(confirm_link(page, url, f"{name}@example.org"))
    page.get_by_role("button", name="Confirm and get the PDF").click()
    page.wait_for_load_state()


def confirm_link(page: Page, url: str, address: str) -> str:
    """Wait for the confirmation in the mailbox and read its link."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        page.goto(f"{url}/mailbox?q={address}")
        message = page.locator("main a[href^='/mailbox/']").first
        if message.count():
            source = page.request.get(f"{url}{message.get_attribute('href')}/source.eml").body()
            text = message_from_bytes(source, policy=policy.default).get_body(("plain",))
            found = re.search(r"/confirm/[\w-]+", text.get_content() if text else "")
            if found:
                return url + found[0]
        time.sleep(0.3)
    raise SystemExit(f"no confirmation for {address} arrived")


def photograph(page: Page, name: str) -> None:
    """Keep a picture of the page as a visitor first sees it."""
    page.wait_for_load_state("networkidle")
    page.screenshot(path=PICTURES / f"{name}.png")


def main() -> None:
    """Start, use, photograph."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running(folder) as (url, printed), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=QUIET)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        for name in PEOPLE:
            sign_up(page, url, name)
        link = page.get_by_role("link", name="Download the PDF").get_attribute("href") or ""
        pdf = page.request.get(link).body()
        pypdfium2.PdfDocument(pdf)[0].render(scale=1.3).to_pil().save(PICTURES / "gift.png", optimize=True)
        page.goto(url)
        photograph(page, "landing")
        setup = re.search(r"http\S+/admin/setup/\S+", printed)
        if setup is None:
            raise SystemExit(printed)
        page.goto(setup[0])
        page.get_by_label("Email address").fill("operator@example.org")
        page.get_by_label("Password").fill("four words in a row")
        page.get_by_role("button", name="Make my account").click()
        page.wait_for_load_state()
        photograph(page, "back-office")
        page.goto(f"{url}/admin/calendar")
        page.get_by_text("Worked out just now").wait_for()
        photograph(page, "calendar")
        browser.close()


if __name__ == "__main__":
    main()
