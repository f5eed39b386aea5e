"""The wire byte for byte: each step is what the server says and what leaves then, one item for each write."""

from __future__ import annotations

import pytest

from newsletter.delivery.rules import Reply
from newsletter.delivery.smtp.envelope import Outgoing, prepared, stuffed
from newsletter.delivery.smtp.events import Over
from newsletter.delivery.smtp.wire import IN_FLIGHT
from tests.delivery.smtp.scripts import BODY, CHUNKED, DATA, DOT, END, FROM, PIPELINED, SCRIPTS, YES, to
from tests.delivery.smtp.talk import SENDER, Talk, email, ready


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_wire_byte_for_byte(name: str) -> None:
    offers, count, script, wanted = SCRIPTS[name]
    talk = ready(*offers)
    for said, writes in script:
        if said == "":
            found = talk.start(*(email(key) for key in range(1, count + 1)))
        elif said.startswith("+"):
            found = talk.start(email(int(said)))
        elif said in {"lost", "timed out"}:
            talk.lose(orderly=said == "lost")
            found = talk.written()
        else:
            found = talk.hear(*said.split("|"))
        assert found == writes, said
    assert talk.told == wanted


def test_2_8_replies_come_whole() -> None:
    talk = ready(*PIPELINED)
    talk.start(email(1), email(2))
    talk.hear("250 OK", "550-5.1.1 No such", "550 5.1.1 person", "354 go on")
    talk.hear("554 no", *YES.split("|"))
    talk.hear("250 2.0.0 Ok: queued as 7")
    assert [answer.reply for answer in talk.answers] == [
        Reply(550, "5.1.1", "5.1.1 No such person"),
        Reply(250, "2.0.0", "2.0.0 Ok: queued as 7"),
    ]


@pytest.mark.parametrize(
    ("offers", "said", "reply"),
    [
        ((), ["451 4.3.0 x"], Reply(451, "4.3.0", "4.3.0 x", "session")),
        ((), ["550 5.1.8 x"], Reply(550, "5.1.8", "5.1.8 x", "session")),
        ((), ["552 5.3.4 x"], Reply(552, "5.3.4", "5.3.4 x", "recipient")),
        ((), ["250", "550 5.7.1 x"], Reply(550, "5.7.1", "5.7.1 x", "session")),
        ((), ["250", "450 4.7.1 x"], Reply(450, "4.7.1", "4.7.1 x", "recipient")),
        (PIPELINED, ["550 x", "503", "503"], Reply(550, "", "x", "session")),
        (PIPELINED, ["250", "550 x", "503"], Reply(550, "", "x", "recipient")),
        (CHUNKED, ["250", "250", "550 5.7.1 x"], Reply(550, "5.7.1", "5.7.1 x", "session")),
        (CHUNKED, ["250", "250", "552 5.2.2 x"], Reply(552, "5.2.2", "5.2.2 x", "recipient")),
    ],
)
def test_2_8_the_answer_knows_whom_it_is_about(offers: tuple[str, ...], said: list[str], reply: Reply) -> None:
    talk = ready(*offers)
    talk.start(email(1))
    for line in said:
        talk.hear(line)
    assert [answer.reply for answer in talk.answers] == [reply]


@pytest.mark.parametrize(
    ("offers", "sent", "command"),
    [
        (("SIZE",), email(1), b"MAIL FROM:<studio@example.org> SIZE=7\r\n"),
        (("SIZE 7", "8BITMIME"), email(1), b"MAIL FROM:<studio@example.org> SIZE=7\r\n"),
        (("8BITMIME",), email(1, b"Gr\xc3\xbc\xc3\x9fe\r\n"), b"MAIL FROM:<studio@example.org> BODY=8BITMIME\r\n"),
        (
            ("8BITMIME", "SMTPUTF8"),
            email(1, recipient="j\u00fcrgen@example.org"),
            b"MAIL FROM:<studio@example.org> SMTPUTF8\r\n",
        ),
        (
            ("SIZE 900", "8BITMIME", "SMTPUTF8"),
            email(1, b"\xc3\xbc\r\n", "j\u00fcrgen@example.org"),
            b"MAIL FROM:<studio@example.org> SIZE=4 BODY=8BITMIME SMTPUTF8\r\n",
        ),
        (("PIPELINING",), Outgoing(1, "", "r1@example.org", BODY), b"MAIL FROM:<>\r\n" + to(1) + DATA),
    ],
)
def test_mail_says_what_the_server_offers_to_hear(offers: tuple[str, ...], sent: Outgoing, command: bytes) -> None:
    assert ready(*offers).start(sent) == [command]


def test_an_address_beyond_ascii_travels_as_utf_8() -> None:
    talk = ready("SMTPUTF8", "PIPELINING")
    (write,) = talk.start(email(1, recipient="j\u00fcrgen@example.org"))
    assert "RCPT TO:<j\u00fcrgen@example.org>\r\n".encode() in write


@pytest.mark.parametrize(
    ("offers", "sent", "code", "enhanced", "whom"),
    [
        (("SIZE 5",), email(1), 552, "5.3.4", "recipient"),
        ((), email(1, recipient="j\u00fcrgen@example.org"), 553, "5.6.7", "recipient"),
        ((), email(1, b"\xc3\xbc\r\n"), 554, "5.6.3", "session"),
        ((), email(1, recipient="bob@example.org>\r\nRCPT TO:<eve@example.org"), 553, "5.1.3", "recipient"),
        ((), email(1, recipient="bob@example.org\n"), 553, "5.1.3", "recipient"),
        ((), Outgoing(1, "a b@example.org", "bob@example.org", BODY), 553, "5.1.7", "session"),
    ],
)
def test_what_cannot_be_carried_is_refused_without_bothering_the_relay(
    offers: tuple[str, ...], sent: Outgoing, code: int, enhanced: str, whom: str
) -> None:
    talk = ready(*offers)
    assert talk.start(sent) == []
    (answer,) = talk.answers
    assert answer.reply is not None
    assert (answer.reply.code, answer.reply.enhanced, answer.reply.about) == (code, enhanced, whom)
    assert answer.reply.text.startswith(enhanced)
    assert prepared(sent, talk.wire.offered) == answer.reply


def test_one_that_cannot_be_carried_does_not_stop_the_next() -> None:
    talk = ready("SIZE 20", "PIPELINING")
    big = email(2, b"x" * 21)
    talk.start(email(1), big)
    assert talk.hear("250", "250", "354") == [END], "the envelope of the next would be here"
    assert talk.start(email(3)) == [FROM.replace(b">\r", b"> SIZE=7\r") + to(3) + DATA]
    assert talk.told == [(2, 552)]


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        (b"a\r\n", b"a\r\n"),
        (b"a", b"a\r\n"),
        (b"", b"\r\n"),
        (b".\r\n", b"..\r\n"),
        (b".a\r\n..b\r\nc.\r\n.", b"..a\r\n...b\r\nc.\r\n..\r\n"),
        (b"a\n.\nMAIL\r\n", b"a\n..\nMAIL\r\n"),
        (b"a\n.\r\nMAIL\r\n", b"a\n..\r\nMAIL\r\n"),
        (b"a\0\r\n.\r\nMAIL\r\n", b"a\0\r\n..\r\nMAIL\r\n"),
        (b"a\r\n.\r\nMAIL\r\n", b"a\r\n..\r\nMAIL\r\n"),
    ],
)
def test_no_line_of_an_email_ends_it(content: bytes, wire: bytes) -> None:
    assert stuffed(content) == wire
    talk = ready(*PIPELINED)
    talk.start(email(1, content))
    assert talk.hear("250", "250", "354") == [wire + DOT]


def test_chunks_need_no_stuffing() -> None:
    talk = ready(*CHUNKED)
    assert talk.start(email(1, b".\r\n..\r\n")) == [FROM + to(1) + b"BDAT 7 LAST\r\n.\r\n..\r\n"]


def slowly(offers: tuple[str, ...], left: int) -> Talk:
    """An email whose last write the network has not taken but for `left` bytes."""
    talk = ready(*offers)
    talk.queue.append(email(1))
    talk.events += talk.wire.start()
    if "CHUNKING" not in offers:
        talk.written()
        talk.events += talk.wire.receive(b"250\r\n250\r\n354\r\n")
    whole = len(talk.wire.outgoing())
    talk.wire.sent(whole - left)
    assert len(talk.wire.outgoing()) == left
    return talk


@pytest.mark.parametrize(
    ("offers", "left", "wanted"),
    [
        (PIPELINED, 10, ("back", 1, None)),  # not a byte of it
        (PIPELINED, 5, ("back", 1, None)),
        (PIPELINED, 3, ("back", 1, None)),  # all but the final dot
        (PIPELINED, 2, (1, 0)),
        (PIPELINED, 0, (1, 0)),
        (CHUNKED, len(b"BDAT 7 LAST\r\n" + BODY), ("back", 1, None)),
        (CHUNKED, len(BODY), (1, 0)),
        (CHUNKED, 0, (1, 0)),
    ],
)
def test_2_4_a_line_that_breaks_leaves_uncertain_only_what_may_have_gone(
    offers: tuple[str, ...], left: int, wanted: tuple[object, ...]
) -> None:
    talk = slowly(offers, left)
    talk.lose()
    assert talk.told == [wanted, ("over",)]


@pytest.mark.parametrize("left", [1, 3, 8])
@pytest.mark.parametrize(
    ("said", "wanted"),
    [(b"250 OK\r\n", ("back", 1, None)), (b"552 5.3.4 too big\r\n", (1, 552)), (b"354 what\r\n", None)],
)
def test_an_answer_before_the_end_has_left_is_never_a_yes(left: int, said: bytes, wanted: tuple[object, ...]) -> None:
    talk = slowly(PIPELINED, left)
    talk.events += talk.wire.receive(said)
    uncertain = (1, 0) if left < 3 else ("back", 1, None)
    assert talk.told == [(1, 552) if wanted == (1, 552) else uncertain, ("over",)]
    assert talk.written() == []


def test_stopped_before_the_bytes() -> None:
    talk = ready(*PIPELINED)
    talk.start(email(1), email(2))
    talk.wire.stop()
    assert talk.hear("250", "250", "354") == []
    assert talk.told == [("back", 1, None), ("over",)]


def test_retired_it_finishes_what_it_is_at() -> None:
    talk = ready(*PIPELINED)
    talk.start(email(1), email(2))
    talk.wire.retire()
    assert talk.hear("250", "250", "354") == [END]
    assert talk.hear("250") == []
    assert talk.wire.idle
    talk.wire.quit()
    assert talk.written() == [b"QUIT\r\n"]
    talk.wire.quit()
    assert talk.hear("221 bye") == []
    assert talk.told == [(1, 250), ("over",)]


@pytest.mark.parametrize(
    ("said", "idle"),
    [("421 you sleep", True), ("lost", True), ("250 hello again", True), ("+|421 closing", False), ("+|lost", False)],
)
def test_an_end_while_nothing_was_under_way_is_no_bad_sign(said: str, idle: bool) -> None:
    talk = ready()
    for word in said.split("|"):
        if word == "+":
            talk.start(email(1))
        elif word == "lost":
            talk.lose()
        else:
            talk.hear(word)
    (over,) = [event for event in talk.events if isinstance(event, Over)]
    assert over.idle == idle


def test_goodbye_is_no_fault_and_nonsense_is() -> None:
    whys = []
    for said in ("421 4.4.2 timeout", "250 what"):
        talk = ready()
        talk.hear(said)
        whys += [event.why for event in talk.events if isinstance(event, Over)]
    assert whys == ["it said goodbye", "it answered what nobody had asked"]


def test_no_more_are_in_flight_than_one_break_may_make_uncertain() -> None:
    talk = ready(*CHUNKED)
    talk.start(*(email(key) for key in range(1, 30)))
    talk.lose()
    assert talk.told == [(key, 0) for key in range(1, IN_FLIGHT + 1)] + [("over",)]
    assert len(talk.queue) == 29 - IN_FLIGHT
    assert SENDER in FROM.decode()
