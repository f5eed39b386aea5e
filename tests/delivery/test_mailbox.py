"""The built-in mailbox: nothing in an email gets out of its frame, and nobody but its owner reads it."""

from __future__ import annotations

import re
import shutil
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from newsletter import clock
from newsletter.application import create_app
from newsletter.database.engine import db, transaction
from newsletter.delivery import mailbox
from newsletter.delivery.models import MailboxMessage
from newsletter.delivery.opening import open_email
from tests.conftest import environment

HOSTILE = """<html><head><title>x</title></head><body><script>parent.document.title = 'taken'</script>
<img src="cid:move@media" onerror="alert(1)"><form action="https://elsewhere.example/"><input name="a"></form>
<a href="http://localhost:8000/confirm/abc">Confirm</a></body></html>"""


def email(recipient: str = "alice@example.org", subject: str = "Grüße — your stretches") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Your Studio <studio@example.org>"
    message["To"] = recipient
    message["Subject"] = subject
    message["Message-ID"] = f"<{subject.encode().hex()}@example.org>"
    message.set_content("Hello <Alice>, see https://example.org/a?b=1&c=2.\n")
    message.add_alternative(HOSTILE, subtype="html")
    message.get_payload()[1].add_related(b"\x89PNG picture", "image", "png", cid="<move@media>")
    message.add_attachment("<script>alert(1)</script>", subtype="html", filename="Dehnübungen.html")
    return message


def receive(*messages: EmailMessage) -> None:
    with transaction() as session:
        for message in messages:
            number = message["Message-ID"]
            mailbox.receive(session, number, message["To"], message.as_bytes(), clock.now())


def test_2_4_the_same_message_id_arrives_once(app: Flask) -> None:
    receive(email(), email())
    assert db.session.scalar(select(func.count(MailboxMessage.id))) == 1
    assert db.session.scalar(select(MailboxMessage.subject)) == "Grüße — your stretches"


def test_an_email_is_taken_apart() -> None:
    opened = open_email(email().as_bytes())
    assert [part.name for part in opened.attachments] == ["Dehnübungen.html"]
    assert opened.attachments[0].content_type == "application/octet-stream"
    assert "cid:" not in opened.html_with_pictures
    assert "data:image/png;base64,iVBORyBwaWN0dXJl" not in opened.html  # only the copy to show is changed
    assert opened.text.startswith("Hello <Alice>")


@pytest.mark.parametrize("damaged", [b"", b"\0\xff\xfe", b"Content-Type: text/plain; charset=none-such\n\nhi\xff"])
def test_damaged_bytes_are_opened_as_far_as_they_go(damaged: bytes) -> None:
    assert open_email(damaged).subject == ""


def test_the_frame_runs_nothing_and_leads_nowhere(client: FlaskClient) -> None:
    receive(email())
    answer = client.get("/mailbox/1/html")
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
    for directive in ("default-src", "script-src", "form-action", "frame-src", "connect-src", "base-uri", "font-src"):
        assert policy[directive] == "'none'", directive
    assert policy["style-src"] == "'unsafe-inline'"
    assert policy["frame-ancestors"] == "'self'"
    assert "allow-scripts" not in policy["sandbox"]
    assert "allow-same-origin" not in policy["sandbox"]
    assert "allow-top-navigation" not in policy["sandbox"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Frame-Options" not in answer.headers
    assert '<head><base target="_blank">' in answer.text


def test_the_page_holds_the_frame_in_a_sandbox_and_escapes_the_rest(client: FlaskClient) -> None:
    receive(email(subject="<script>alert(1)</script>"))
    page = client.get("/mailbox/1").text
    assert "<script>alert(1)" not in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    text = client.get("/mailbox/1?view=text").text
    assert "Hello &lt;Alice&gt;" in text
    assert 'href="https://example.org/a?b=1&amp;c=2"' in text
    for view in ("headers", "source"):
        assert "<script>alert(1)" not in client.get(f"/mailbox/1?view={view}").text


def test_a_file_is_saved_never_shown(client: FlaskClient) -> None:
    receive(email())
    names = [part.number for part in open_email(email().as_bytes()).attachments]
    answer = client.get(f"/mailbox/1/parts/{names[0]}")
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.content_type == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.data == b"<script>alert(1)</script>\n"
    assert client.get("/mailbox/1/parts/99").status_code == 404
    assert client.get("/mailbox/1/source.eml").headers["Content-Disposition"].startswith("attachment;")


def test_search_paging_and_neighbours(client: FlaskClient) -> None:
    receive(*(email(f"person{n}@example.org", f"Email {n}") for n in range(30)))
    first = client.get("/mailbox").text
    assert "Page 1 of 2" in first
    assert first.index("Email 29") < first.index("Email 28")
    found = client.get("/mailbox?q=PERSON7@").text
    assert "Email 7" in found
    assert "Email 17" not in found
    assert "Nothing matches" in client.get("/mailbox?q=100%25").text
    page = client.get("/mailbox/5").text
    assert 'href="/mailbox/6"' in page
    assert 'href="/mailbox/4"' in page
    assert client.get("/mailbox/31").status_code == 404


def test_who_is_searched_for_never_stands_in_an_address(client: FlaskClient) -> None:
    receive(*(email(f"person{n}@example.org", f"Email {n}") for n in range(30)), email("bob@example.net", "Bob's"))
    assert 'role="search" method="post" action="/mailbox/find"' in client.get("/mailbox").text
    found = client.post("/mailbox/find", data={"q": "@EXAMPLE.org"})
    first = client.get(found.location).text
    assert "Page 1 of 2" in first
    assert 'value="@EXAMPLE.org"' in first
    links = [found.location, *re.findall(r'(?:href|action)="([^"]+)"', first)]
    assert not [link for link in links if "@" in link or "%40" in link]
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older is not None
    last = client.get(older[1].replace("&amp;", "&")).text
    assert "Page 2 of 2" in last
    assert "Bob&#39;s" not in first + last


def test_empty_and_emptied(client: FlaskClient) -> None:
    assert "No emails yet" in client.get("/mailbox").text
    receive(email())
    assert client.get("/mailbox/delete").status_code == 405
    assert client.post("/mailbox/delete", follow_redirects=True).status_code == 200
    assert db.session.scalar(select(func.count(MailboxMessage.id))) == 0


def other(migrated_sqlite: Path, tmp_path: Path, **more: str) -> FlaskClient:
    shutil.copy(migrated_sqlite, tmp_path / "supple.db")
    return create_app(environment(tmp_path, **more)).test_client()


def test_no_mailbox_beside_a_mail_server(migrated_sqlite: Path, tmp_path: Path) -> None:
    client = other(migrated_sqlite, tmp_path, SMTP_URL="smtp://127.0.0.1:2525")
    assert client.get("/mailbox").status_code == 404
    assert client.get("/mailbox/1/html").status_code == 404


def test_charlie_reads_no_mailbox_that_is_on_the_internet(migrated_sqlite: Path, tmp_path: Path) -> None:
    client = other(migrated_sqlite, tmp_path, BASE_URL="https://letters.example.org")
    for path in ("/mailbox", "/mailbox/1", "/mailbox/1/html", "/mailbox/1/parts/1", "/mailbox/1/source.eml"):
        answer = client.get(path)
        assert answer.status_code == 302, path
        assert answer.location.startswith("/admin/sign-in")


def test_charlie_cannot_point_a_name_of_his_at_a_local_mailbox(client: FlaskClient) -> None:
    assert client.get("/mailbox", headers={"Host": "rebound.example.org:8000"}).status_code == 302


STRANGERS = [
    {"environ_base": {"REMOTE_ADDR": "192.0.2.9"}},
    {"headers": {"X-Forwarded-For": "192.0.2.9"}},
    {"headers": {"Forwarded": "for=192.0.2.9"}},
    {"headers": {"Via": "1.1 proxy"}},
]


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_who_says_localhost_has_to_sign_in(client: FlaskClient, stranger: dict[str, dict[str, str]]) -> None:
    receive(email())
    assert client.get("/mailbox").status_code == 200
    assert client.get("/mailbox", **stranger).status_code == 302
    assert client.get("/mailbox/1/source.eml", **stranger).status_code == 302
    assert client.post("/mailbox/delete", **stranger).status_code == 403
