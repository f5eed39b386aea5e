"""The download link, by semantics 1.5."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pikepdf
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter import clock, tokens
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.delivery.models import Delivery
from newsletter.magnets import actions, queries
from newsletter.magnets.models import Download
from newsletter.magnets.rules import Paper
from newsletter.settings import current
from newsletter.tokens import Purpose
from tests.magnets.conftest import NOW, Give, Pages
from tests.magnets.test_stamp import text_of

SOON = NOW + timedelta(hours=1)
LATE = NOW + timedelta(days=366)


@pytest.fixture(autouse=True)
def _today(app: Flask) -> object:
    with clock.standing_at(SOON):
        yield


def downloads() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Download.paper)))


def reasons() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Delivery.reason).order_by(Delivery.id)))


def test_1_5_alice_gets_her_page_with_her_name(client: FlaskClient, give: Give) -> None:
    answer = client.get(give("Alice").path)
    assert answer.status_code == 200
    assert answer.mimetype == "application/pdf"
    assert "For Alice" in text_of(answer.data)
    assert downloads() == ["a4"]


def test_1_5_the_headers_keep_it_private(client: FlaskClient, give: Give) -> None:
    headers = client.get(give("Alice").path).headers
    assert headers["X-Robots-Tag"] == "noindex"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"].startswith("private")
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["ETag"]


def test_1_5_the_link_tells_nothing(give: Give) -> None:
    given = give("Alice")
    assert re.fullmatch(r"/download/[A-Za-z0-9_-]{30,60}", given.path)


def test_1_5_many_uses(client: FlaskClient, give: Give) -> None:
    path = give("Alice").path
    assert [client.get(path).status_code for _ in range(3)] == [200, 200, 200]
    assert len(downloads()) == 3


def test_1_5_head_tells_the_size_and_counts_nothing(client: FlaskClient, give: Give) -> None:
    path = give("Alice").path
    head = client.head(path)
    assert head.status_code == 200
    assert head.data == b""
    assert downloads() == []
    assert head.content_length == len(client.get(path).data)


def test_1_5_pieces_make_the_whole(client: FlaskClient, give: Give) -> None:
    path = give("Zoë").path
    whole = client.get(path)
    pieces = []
    for start in range(0, len(whole.data), 50_000):
        piece = client.get(
            path, headers={"Range": f"bytes={start}-{start + 49_999}", "If-Range": whole.headers["ETag"]}
        )
        assert piece.status_code == 206
        pieces.append(piece.data)
    assert b"".join(pieces) == whole.data
    assert len(downloads()) == 1


@pytest.mark.parametrize(
    ("asked", "length"), [("bytes=0-99", 100), ("bytes=-10", 10), ("bytes=100-", None)], ids=["first", "last", "rest"]
)
def test_1_5_a_piece_says_which_it_is(client: FlaskClient, give: Give, asked: str, length: int | None) -> None:
    path = give("Alice").path
    whole = client.head(path).content_length or 0
    piece = client.get(path, headers={"Range": asked})
    assert piece.status_code == 206
    assert piece.content_length == (length or whole - 100)
    assert piece.headers["Content-Range"].endswith(f"/{whole}")
    assert downloads() == []


def test_1_5_a_piece_beyond_the_end_is_refused(client: FlaskClient, give: Give) -> None:
    path = give("Alice").path
    whole = client.head(path).content_length
    answer = client.get(path, headers={"Range": "bytes=9999999-"})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{whole}"


@pytest.mark.parametrize("asked", ["bytes=0-9,20-29", "lines=1-2", "bytes=nonsense"])
def test_1_5_a_range_we_do_not_do_gives_the_whole(client: FlaskClient, give: Give, asked: str) -> None:
    """RFC 9110, section 14.2: a server may ignore the header."""
    assert client.get(give("Alice").path, headers={"Range": asked}).status_code == 200


def test_1_5_an_old_piece_of_a_replaced_file_gives_the_new_whole(client: FlaskClient, give: Give) -> None:
    headers = {"Range": "bytes=0-9", "If-Range": '"of-another-file"'}
    assert client.get(give("Alice").path, headers=headers).status_code == 200


def test_1_5_an_unchanged_file_is_not_sent_again(client: FlaskClient, give: Give) -> None:
    path = give("Alice").path
    tag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert len(downloads()) == 1


@pytest.mark.parametrize(
    ("title", "plain", "full"),
    [
        ("Stretch series", 'filename="Stretch series.pdf"', None),
        ("Dehnübungen für Zoë", 'filename="Dehnubungen fur Zoe.pdf"', "Dehn%C3%BCbungen%20f%C3%BCr%20Zo%C3%AB.pdf"),
        ("ストレッチ", 'filename="gift.pdf"', "%E3%82%B9%E3%83%88%E3%83%AC%E3%83%83%E3%83%81.pdf"),
        ('a"b/../c\r\nX-Evil: 1', 'filename="a b .. c X-Evil 1.pdf"', None),
    ],
)
def test_1_5_file_names(client: FlaskClient, give: Give, title: str, plain: str, full: str | None) -> None:
    header = client.get(give("Alice", title=title).path).headers["Content-Disposition"]
    assert plain in header
    assert header.endswith(f"filename*=UTF-8''{full}") is (full is not None)
    assert "X-Evil" not in client.get(give("Bob", title=title).path).headers


def test_1_5_save_asks_the_browser_to_keep_it(client: FlaskClient, give: Give) -> None:
    path = give("Alice").path
    assert client.get(path).headers["Content-Disposition"].startswith("inline")
    assert client.get(path + "?save").headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("query", "language", "width"),
    [
        ("", "en-US,en;q=0.9", 612),
        ("", "de-DE", 595),
        ("", "", 595),
        ("?paper=a4", "en-US", 595),
        ("?paper=letter", "de", 612),
    ],
)
def test_the_paper_follows_the_reader(client: FlaskClient, give: Give, query: str, language: str, width: int) -> None:
    answer = client.get(give("Alice").path + query, headers={"Accept-Language": language})
    with pikepdf.open(io.BytesIO(answer.data)) as pdf:
        assert round(float(pdf.pages[0].mediabox[2])) == width
    assert "Accept-Language" in answer.headers["Vary"]


def test_1_5_expired_link_offers_a_fresh_one(client: FlaskClient, give: Give) -> None:
    given = give("Alice")
    with clock.standing_at(LATE):
        page = client.get(given.path)
        assert page.status_code == 410
        assert page.text.count("<button") == 1
        assert f'action="{given.path}/fresh"' in page.text
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert reasons() == []  # semantics 1.4: looking changes nothing
        sent = client.post(f"{given.path}/fresh")
    assert sent.status_code == 200
    assert reasons() == [f"magnet:{given.magnet_id}"]


def test_1_5_the_life_of_a_link_is_a_setting(client: FlaskClient, give: Give) -> None:
    from newsletter.accounts import actions as accounts

    given = give("Alice")
    with transaction() as session:
        accounts.ensure_studio(session).download_days = 2
    with clock.standing_at(NOW + timedelta(days=2)):
        assert client.get(given.path).status_code == 200
    with clock.standing_at(NOW + timedelta(days=2, seconds=1)):
        assert client.get(given.path).status_code == 410


def test_1_2_fresh_links_have_a_cool_down_and_one_answer(client: FlaskClient, give: Give) -> None:
    given = give("Alice")
    answers = []
    for minutes in (0, 5, 11, 22, 33, 60):
        with clock.standing_at(LATE + timedelta(minutes=minutes)):
            answers.append(client.post(f"{given.path}/fresh").text)
    first = f"magnet:{given.magnet_id}"
    assert reasons() == [first, f"{first}:2", f"{first}:3"]
    assert len(set(answers)) == 1


@pytest.mark.parametrize("status", [Status.UNSUBSCRIBED, Status.BOUNCED, Status.COMPLAINED])
def test_1_5_bob_left_but_keeps_his_gift(client: FlaskClient, give: Give, status: Status) -> None:
    assert client.get(give("Bob", status).path).status_code == 200


@pytest.mark.parametrize("status", [Status.PENDING, Status.ERASED])
def test_1_5_charlie_never_confirmed_or_is_erased(client: FlaskClient, give: Give, status: Status) -> None:
    given = give("Charlie", status)
    refused = client.get(given.path)
    assert refused.status_code == 410
    assert "Charlie" not in refused.text
    assert "Traceback" not in refused.text
    kept = client.post(f"{give('Alice').path}/fresh").text
    assert client.post(f"{given.path}/fresh").text == kept
    assert len(reasons()) == 1


def test_1_5_a_link_with_a_nul_is_an_address_that_does_not_exist(client: FlaskClient) -> None:
    for answer in (client.get("/download/%00"), client.post("/download/%00/fresh")):
        assert answer.status_code == 404
        assert "Traceback" not in answer.text


@pytest.mark.parametrize("change", ["{token:.30}", "{token}A", "A{token}", "x", "{token}%0d%0aX-Evil:1"])
def test_1_5_a_tampered_link_gets_a_helpful_page(client: FlaskClient, give: Give, change: str) -> None:
    tampered = change.format(token=give("Alice").path.removeprefix("/download/"))
    for answer in (client.get(f"/download/{tampered}"), client.post(f"/download/{tampered}/fresh")):
        assert answer.status_code == 410
        assert "Copy the whole link" in answer.text
        assert answer.headers["X-Robots-Tag"] == "noindex"
    assert reasons() == []


@pytest.mark.parametrize("purpose", [purpose for purpose in Purpose if purpose is not Purpose.DOWNLOAD])
def test_1_5_a_token_for_another_purpose_opens_nothing(client: FlaskClient, give: Give, purpose: Purpose) -> None:
    given = give("Alice")
    token = tokens.sign(current().secret_key, purpose, given.grant_id, at=NOW)
    assert client.get(f"/download/{token}").status_code == 410
    assert client.post(f"/download/{token}/fresh").status_code == 410


def test_a_download_token_of_two_ids_is_not_ours(client: FlaskClient, give: Give) -> None:
    given = give("Alice")
    token = tokens.sign(current().secret_key, Purpose.DOWNLOAD, given.grant_id, 7, at=NOW)
    assert client.get(f"/download/{token}").status_code == 410


def test_no_file_yet_asks_for_patience(client: FlaskClient, give: Give) -> None:
    answer = client.get(give("Alice", made=False).path)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) <= 60
    assert "being made" in answer.text
    assert downloads() == []


def test_1_5_a_replaced_file_serves_the_newest(client: FlaskClient, give: Give, pages: Pages) -> None:
    given = give("Alice")
    newer = pages[Paper.LETTER].pdf + b"\n%newer"
    with transaction() as session:
        actions.replace(session, given.magnet_id, newer, 1, None, now=SOON)
    assert client.get(given.path).data == newer  # and an uploaded file is passed on untouched
    assert downloads() == ["upload"]
    with transaction() as session:
        actions.back_to_sheet(session, given.magnet_id, SOON)
    assert "For Alice" in text_of(client.get(given.path).data)


def test_names_can_be_switched_off(client: FlaskClient, give: Give, pages: Pages) -> None:
    given = give("Alice")
    with transaction() as session:
        actions.switch(session, given.magnet_id, attach=False, stamp=False, now=SOON)
    assert client.get(given.path).data == pages[Paper.A4].pdf


def test_a_busy_database_does_not_keep_the_file_from_its_reader(
    client: FlaskClient, give: Give, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count is lost, the download is not: the table of downloads is really gone here."""
    given = give("Alice")
    db.session.rollback()
    with db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE downloads RENAME TO downloads_away")
    try:
        assert client.get(given.path).status_code == 200
    finally:
        with db.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE downloads_away RENAME TO downloads")


def test_what_is_held_and_forgotten(client: FlaskClient, give: Give) -> None:
    """Semantics 4: exporting tells everything, erasing removes it."""
    given = give("Alice")
    client.get(given.path)
    db.session.rollback()
    held = queries.held(db.session(), given.subscriber_id)
    assert [gift["title"] for gift in held["gifts"]] == [download["title"] for download in held["downloads"]]
    assert {line.kind for line in queries.history(db.session(), given.subscriber_id)} == {"gift", "download"}
    db.session.rollback()
    with transaction() as session:
        actions.forget(session, given.subscriber_id)
    assert queries.held(db.session(), given.subscriber_id) == {"gifts": [], "downloads": []}
    assert client.get(given.path).status_code == 410


def test_merging_keeps_every_download(client: FlaskClient, give: Give) -> None:
    kept, dropped = give("Alice"), give("Bob")
    client.get(dropped.path)
    db.session.rollback()
    with transaction() as session:
        actions.grant(session, dropped.magnet_id, kept.subscriber_id, SOON)
        actions.absorb(session, kept.subscriber_id, dropped.subscriber_id)
    assert queries.figures(db.session(), [dropped.magnet_id])[dropped.magnet_id].downloads == 1
    assert len(queries.held(db.session(), kept.subscriber_id)["gifts"]) == 2


def test_granting_twice_is_granting_once(give: Give) -> None:
    given = give("Alice")
    with transaction() as session:
        assert actions.grant(session, given.magnet_id, given.subscriber_id, SOON).id == given.grant_id
        assert session.get_one(Subscriber, given.subscriber_id).first_name == "Alice"
