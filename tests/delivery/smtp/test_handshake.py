"""From the greeting to the first email, byte for byte; a password never travels where it should not."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest

from newsletter.delivery.smtp.envelope import Extensions, extensions
from newsletter.delivery.smtp.events import Over, Secure
from newsletter.settings import Smtp
from tests.delivery.smtp.talk import RELAY, Talk

AUTO, REQUIRE = replace(RELAY, starttls="auto"), replace(RELAY, starttls="require")
BOB = replace(RELAY, username="bob", password="hush \u00fc")
PLAIN = b"AUTH PLAIN " + b64encode("\0bob\0hush \u00fc".encode()) + b"\r\n"
USER, PASSWORD = b64encode(b"bob") + b"\r\n", b64encode("hush \u00fc".encode()) + b"\r\n"
BEARER = b"AUTH XOAUTH2 " + b64encode("user=bob\1auth=Bearer hush \u00fc\1\1".encode()) + b"\r\n"
EHLO, HELO = b"EHLO me.example.org\r\n", b"HELO me.example.org\r\n"


def play(smtp: Smtp, script: list[tuple[str, list[bytes]]]) -> Talk:
    """Each step is what the server says and what is written then; TLS, when asked for, works at once."""
    talk = Talk(smtp)
    for said, wanted in script:
        before = len(talk.events)
        found = talk.hear(*said.split("|"))
        if any(isinstance(event, Secure) for event in talk.events[before:]) and not talk.wire.over:
            talk.events += talk.wire.secured()
            found += talk.written()
        assert found == wanted, said
    return talk


TLS = [("220 hi", [EHLO]), ("250-relay|250 STARTTLS", [b"STARTTLS\r\n"]), ("220 go", [EHLO])]


@pytest.mark.parametrize(
    ("smtp", "script"),
    [
        (RELAY, [("220 hi", [EHLO]), ("250 relay", [])]),
        (RELAY, [("220-hi|220 there", [EHLO]), ("250-relay|250 STARTTLS", [])]),
        (RELAY, [("220 hi", [EHLO]), ("502 what?", [HELO]), ("250 relay", [])]),
        (AUTO, [("220 hi", [EHLO]), ("500 what?", [HELO]), ("250 relay", [])]),
        (AUTO, [("220 hi", [EHLO]), ("250 relay", [])]),
        (AUTO, [*TLS, ("250 relay", [])]),
        (REQUIRE, [*TLS, ("250-relay|250 STARTTLS", [])]),
        (BOB, [("220 hi", [EHLO]), ("250-relay|250 AUTH PLAIN LOGIN", [PLAIN]), ("235 ok", [])]),
        (BOB, [("220 hi", [EHLO]), ("250-relay|250 auth=plain", [PLAIN]), ("235 ok", [])]),
        (
            BOB,
            [
                ("220 hi", [EHLO]),
                ("250-relay|250 AUTH LOGIN XOAUTH2", [b"AUTH LOGIN\r\n"]),
                ("334 VXNlcm5hbWU6", [USER]),
                ("334 UGFzc3dvcmQ6", [PASSWORD]),
                ("235 2.7.0 ok", []),
            ],
        ),
        (
            replace(BOB, auth="login"),
            [
                ("220 hi", [EHLO]),
                ("250-relay|250 AUTH PLAIN LOGIN", [b"AUTH LOGIN\r\n"]),
                ("334 x", [USER]),
                ("235 ok", []),
            ],
        ),
        (
            replace(BOB, auth="xoauth2", starttls="require"),
            [*TLS, ("250-relay|250 AUTH PLAIN XOAUTH2", [BEARER]), ("235 ok", [])],
        ),
        (replace(BOB, implicit_tls=True), [("220 hi", [EHLO]), ("250-relay|250 AUTH PLAIN", [PLAIN]), ("235 ok", [])]),
        (
            replace(BOB, host="127.0.0.1", starttls="auto"),
            [("220 hi", [EHLO]), ("250-relay|250 AUTH PLAIN", [PLAIN]), ("235 ok", [])],
        ),
    ],
)
def test_ways_in(smtp: Smtp, script: list[tuple[str, list[bytes]]]) -> None:
    assert play(smtp, script).wire.ready


CLEAR = [("220 hi", [EHLO])]


@pytest.mark.parametrize(
    ("smtp", "script", "why"),
    [
        (RELAY, [("554 no mail here", [])], "554 no mail here"),
        (RELAY, [("421 too many connections", [])], "421 too many connections"),
        (RELAY, [("250 too early", [])], "250 too early"),
        (RELAY, [("SSH-2.0-OpenSSH", [])], "no SMTP: 'SSH-2.0-OpenSSH'"),
        (RELAY, [*CLEAR, ("421 no", [])], "421 no"),
        (RELAY, [*CLEAR, ("550 who?", [HELO]), ("550 go away", [])], "550 go away"),
        (REQUIRE, [*CLEAR, ("250 relay", [])], "offers no STARTTLS, but SMTP_URL requires it"),
        (REQUIRE, [*CLEAR, ("500 what?", [HELO]), ("250 relay", [])], "offers no STARTTLS"),
        (AUTO, [*CLEAR, ("250-relay|250 STARTTLS", [b"STARTTLS\r\n"]), ("454 not now", [])], "454 not now"),
        (AUTO, [*CLEAR, ("250-relay|250 STARTTLS", [b"STARTTLS\r\n"]), ("220 go|250 injected", [])], "in the clear"),
        (BOB, [*CLEAR, ("250 relay", [])], "no sign-in by PLAIN or LOGIN (it offers: none)"),
        (replace(BOB, auth="login"), [*CLEAR, ("250-r|250 AUTH PLAIN", [])], "by LOGIN (it offers: PLAIN)"),
        (BOB, [*CLEAR, ("250-r|250 AUTH PLAIN", [PLAIN]), ("535 5.7.8 wrong", [])], "535 5.7.8 wrong"),
        (BOB, [*CLEAR, ("250-r|250 AUTH PLAIN", [PLAIN]), ("334 more", [b"*\r\n"]), ("501 ok", [])], "501 ok"),
        (BOB, [*CLEAR, ("250-r|250 AUTH PLAIN", [PLAIN]), ("250 fine", [])], "250 fine"),
        (BOB, [*CLEAR, ("250-r|250 AUTH LOGIN", [b"AUTH LOGIN\r\n"]), ("334 u", [USER]), ("535 who?", [])], "535 who?"),
        (
            replace(BOB, auth="xoauth2"),
            [
                *CLEAR,
                ("250-r|250 AUTH XOAUTH2", [BEARER]),
                (f"334 {b64encode(b'expired').decode()}", [b"\r\n"]),
                ("535 5.7.8 wrong", []),
            ],
            "535 5.7.8 wrong expired",
        ),
        (
            replace(BOB, auth="xoauth2"),
            [*CLEAR, ("250-r|250 AUTH XOAUTH2", [BEARER]), ("334 %%%", [b"\r\n"]), ("535 no", [])],
            "535 no",
        ),
    ],
)
def test_ways_that_lead_nowhere_say_why(smtp: Smtp, script: list[tuple[str, list[bytes]]], why: str) -> None:
    talk = play(smtp, script)
    (over,) = [event for event in talk.events if isinstance(event, Over)]
    assert over.problem is not None
    assert why in over.problem.happened
    assert over.problem.remedy
    assert "hush" not in str(over.problem)
    assert not talk.wire.ready


@pytest.mark.parametrize("starttls", ["auto", "require"])
@pytest.mark.parametrize("offer", ["AUTH PLAIN LOGIN", "AUTH PLAIN"])
def test_a_password_never_travels_in_the_clear_unasked(starttls: str, offer: str) -> None:
    talk = play(replace(BOB, starttls=starttls), [("220 hi", [EHLO]), (f"250-relay|250 {offer}", [])])
    assert not talk.wire.ready
    (over,) = [event for event in talk.events if isinstance(event, Over)]
    assert "STARTTLS" in over.why


def test_half_a_reply_in_the_clear_after_starttls_is_noticed() -> None:
    talk = Talk(AUTO)
    talk.hear("220 hi")
    talk.hear("250-relay", "250 STARTTLS")
    talk.events += talk.wire.receive(b"220 go\r\n250 inj")
    assert isinstance(talk.events[-1], Over)
    assert "in the clear" in talk.events[-1].why


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ("250 relay", Extensions()),
        ("250-relay\n250 PIPELINING", Extensions(pipelining=True)),
        ("250-PIPELINING\n250 size 1000", Extensions(sized=True, size=1000)),
        ("250-r\n250-SIZE\n250 8bitmime", Extensions(sized=True, eightbit=True)),
        ("250-r\n250-SIZE lots\n250 CHUNKING", Extensions(sized=True, chunking=True)),
        (f"250-r\n250 SIZE {'9' * 40}", Extensions(sized=True)),
        ("250-r\n250-\n250-SMTPUTF8\n250 STARTTLS", Extensions(utf8=True, starttls=True)),
        ("250-r\n250-AUTH LOGIN\n250 AUTH=PLAIN", Extensions(auth=frozenset({"LOGIN", "PLAIN"}))),
    ],
)
def test_extensions(reply: str, wanted: Extensions) -> None:
    assert extensions(reply.encode()) == wanted
