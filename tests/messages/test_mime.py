"""The bytes that travel: standard, 7-bit, the same every time, and nobody else's headers in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.messages.compiling import Rendered
from newsletter.messages.headers import EnvelopeError
from newsletter.messages.mime import Envelope, build
from newsletter.messages.segments import Segments

from .conftest import picture

RENDERED = Rendered(
    "Grüße",
    "pre",
    Segments.of("<p>Schön, ", "日本", "</p>\n"),
    Segments.of("Schön, 日本\n.\n\n", "From here = there\n"),
)
TRANSACTIONAL = Envelope(
    message_id="<1.abc@studio.example>",
    date=datetime(2026, 3, 1, 7, 0, tzinfo=UTC),
    sender=("Zoë’s Studio", "hello@studio.example"),
    recipient=("Ångström, Alice", "alice@example.org"),
)
BULK = replace(
    TRANSACTIONAL,
    reply_to=("", "coach@studio.example"),
    list_unsubscribe_url="https://studio.example/unsubscribe/" + "t" * 120,
    list_unsubscribe_mailto="hello@studio.example?subject=unsubscribe",
    list_id="Core series <core.studio.example>",
    feedback_id="step-4:core:studio.example",
)


def _read(content: bytes) -> EmailMessage:
    """The message, after checking what every message must be."""
    assert content.replace(b"\r\n", b"").count(b"\n") == content.replace(b"\r\n", b"").count(b"\r") == 0
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert content.isascii()
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    for part in message.walk():
        assert not part.defects
        for value in part.values():
            assert not value.defects
    return message


def _types(message: EmailMessage) -> list[str]:
    return [part.get_content_type() for part in message.walk()]


def test_2_13_bulk_mail_says_how_to_leave() -> None:
    message = _read(build(RENDERED, BULK))
    assert message["List-Unsubscribe"] == (
        f"<{BULK.list_unsubscribe_url}>, <mailto:hello@studio.example?subject=unsubscribe>"
    )
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"] == "Core series <core.studio.example>"
    assert message["Feedback-ID"] == "step-4:core:studio.example"
    assert message["Precedence"] == "bulk"
    assert message["Auto-Submitted"] is None
    assert message["Reply-To"] == "coach@studio.example"


def test_2_13_transactional_mail_has_no_list_headers_and_quiets_answering_machines() -> None:
    message = _read(build(RENDERED, TRANSACTIONAL))
    assert not [name for name in message.keys() if name.startswith("List-") or name == "Precedence"]  # noqa: SIM118
    assert message["Auto-Submitted"] == "auto-generated"


def test_text_comes_before_html_and_both_come_back() -> None:
    message = _read(build(RENDERED, TRANSACTIONAL))
    assert _types(message) == ["multipart/alternative", "text/plain", "text/html"]
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == RENDERED.text
    assert html.get_content().replace("\r\n", "\n") == RENDERED.html
    assert message["From"].addresses[0].display_name == "Zoë’s Studio"
    assert message["To"].addresses[0].display_name == "Ångström, Alice"
    assert message["Date"].datetime == TRANSACTIONAL.date
    assert message["Message-ID"] == "<1.abc@studio.example>"


def test_pictures_and_attachments_stand_where_programs_look_for_them() -> None:
    image = picture("figure:a")
    rendered = replace(RENDERED, images=(image,), html_part=Segments.of(f'<img src="cid:{image.content_id}">'))
    envelope = replace(BULK, attachments=[("Dehnübungen: für „zuhause“.pdf", "application/pdf", b"%PDF-1.7" * 99)])
    message = _read(build(rendered, envelope))
    assert _types(message) == [
        "multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png",
        "application/pdf",
    ]  # fmt: skip
    *_, inline, attached = message.walk()
    assert inline["Content-ID"] == f"<{image.content_id}>"
    assert inline.get_content() == image.content
    assert attached.get_filename() == "Dehnübungen für „zuhause“.pdf"
    assert attached.get_content() == b"%PDF-1.7" * 99


def test_2_4_the_same_email_gives_the_same_bytes() -> None:
    assert build(RENDERED, BULK) == build(RENDERED, BULK)


anything = st.text(max_size=80)


@settings(max_examples=80, deadline=None)
@given(subject=anything, name=anything, sender=anything, text=st.text(max_size=300), file_name=anything)
def test_header_injection_is_impossible(subject: str, name: str, sender: str, text: str, file_name: str) -> None:
    envelope = replace(
        BULK,
        recipient=(name, "alice@example.org"),
        sender=(sender, "hello@studio.example"),
        headers={"X-Reason": name},
        attachments=[(file_name, "text/plain", b"x")],
    )
    content = build(Rendered(subject, "", Segments.of("<p>", text, "</p>"), Segments.of(text)), envelope)
    head = content.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith(b" ")]
    assert names == [
        b"Date", b"From", b"To", b"Reply-To", b"Subject", b"Message-ID", b"List-Unsubscribe", b"List-Unsubscribe-Post",
        b"List-Id", b"Feedback-ID", b"Precedence", b"X-Reason", b"MIME-Version", b"Content-Type",
    ]  # fmt: skip
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert not content.replace(b"\r\n", b"").count(b"\n")
    message = message_from_bytes(content, policy=policy.default)
    assert [address.addr_spec for address in message["To"].addresses] == ["alice@example.org"]


@pytest.mark.parametrize(
    "bad",
    [
        {"message_id": "<a@b>\r\nBcc: charlie@evil.example"},
        {"message_id": "no brackets"},
        {"recipient": ("Bob", "bob@example.org\nBcc: charlie@evil.example")},
        {"recipient": ("Bob", "bob@example.org, charlie@evil.example")},
        {"list_unsubscribe_url": "https://a.example/>\r\nX: y"},
        {"list_unsubscribe_mailto": "x@y.example?subject=a b"},
        {"list_id": "core\r\nX: y"},
        {"feedback_id": "a\r\nX: y"},
        {"headers": {"Bcc": "charlie@evil.example"}},
        {"headers": {"Content-Type": "text/html"}},
        {"headers": {"X-A: b\r\nBcc": "charlie@evil.example"}},
        {"attachments": [("a.pdf", "application/pdf\r\nX: y", b"")]},
        {"date": datetime(2026, 3, 1)},  # noqa: DTZ001
    ],
)
def test_an_envelope_that_would_say_something_else_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(EnvelopeError):
        build(RENDERED, replace(BULK, **bad))  # type: ignore[arg-type]
