"""Replies of mail servers: taken out of the stream however it is cut, and each about the right one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.rules import Reply
from newsletter.delivery.smtp.replies import (
    LONGEST_LINE,
    LONGEST_REPLY,
    LONGEST_TEXT,
    Replies,
    Stage,
    about,
    clean,
    read,
)

MAIL, RCPT, DATA, END, RSET = Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END, Stage.RSET


def heard(stream: bytes) -> tuple[list[bytes], str]:
    replies = Replies()
    return replies.feed(stream), replies.garbled


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [
        (b"250 OK\r\n", [b"250 OK"]),
        (b"250\r\n", [b"250"]),
        (b"250 \r\n", [b"250 "]),
        (b"250 lone line feed\n354 go\n", [b"250 lone line feed", b"354 go"]),
        (b"250-one\r\n250-two\r\n250 three\r\n221 bye\r\n", [b"250-one\n250-two\n250 three", b"221 bye"]),
        (b"250-one\r\n250\r\n", [b"250-one\n250"]),
        (b"250-not yet\r\n", []),
        (b"250 not y", []),
        (b"", []),
    ],
)
def test_whole_replies(stream: bytes, wanted: list[bytes]) -> None:
    assert heard(stream) == (wanted, "")


@pytest.mark.parametrize(
    ("stream", "before", "why"),
    [
        (b"hello there\r\n", [], "no SMTP: 'hello there'"),
        (b"250 fine\r\nHTTP/1.1 400 Bad Request\r\n250 late\r\n", [b"250 fine"], "no SMTP: 'HTTP/1.1 400 Bad Request'"),
        (b"\r\n", [], "no SMTP: ''"),
        (b"99 bottles\r\n", [], "no SMTP"),
        (b"199 OK\r\n", [], "no SMTP"),
        (b"600 OK\r\n", [], "no SMTP"),
        (b"2500 OK\r\n", [], "no SMTP"),
        (b"250\tOK\r\n", [], "no SMTP"),
        (b"250-yes\r\n550 no\r\n", [], "two codes: '250-yes' and '550 no'"),
        (b"\x16\x03\x01\x02\r\n", [], "no SMTP"),
        (b"250 " + b"x" * LONGEST_LINE + b"\r\n", [], "no SMTP"),
        (b"250 " + b"x" * LONGEST_LINE, [], "a line without end"),
        (b"250-" + b"x" * 1000 + b"\r\n", [], ""),
        ((b"250-" + b"x" * 1000 + b"\r\n") * 70, [], "a reply without end"),
    ],
)
def test_garbage_says_what_it_is(stream: bytes, before: list[bytes], why: str) -> None:
    found, garbled = heard(stream)
    assert found == before
    assert why in garbled
    assert bool(why) == bool(garbled)


def test_nothing_is_kept_of_an_endless_stream() -> None:
    replies = Replies()
    for _ in range(1000):
        replies.feed(b"x" * 1000)
        assert len(replies._rest) <= LONGEST_LINE + 1000 or replies.garbled
    assert replies.garbled
    assert LONGEST_REPLY < 1_000_000


PIECES = st.sampled_from(
    [
        b"250 OK\r\n",
        b"250-a\r\n",
        b"250 z\r\n",
        b"354 go\n",
        b"550 5.1.1 no\r\n",
        b"\r\n",
        b"junk\r\n",
        b"25",
        b"\r",
        b"\x00",
        b"421",
    ]
) | st.binary(max_size=12)


@given(st.lists(PIECES, max_size=12), st.data())
def test_however_the_stream_is_cut_the_same_is_heard(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    whole, why = heard(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    replies, found = Replies(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        if not replies.garbled:
            found += replies.feed(stream[start:end])
    assert (found, replies.garbled) == (whole, why)


@pytest.mark.parametrize(
    ("raw", "stage", "wanted"),
    [
        (b"250 2.0.0 Ok: queued", END, Reply(250, "2.0.0", "2.0.0 Ok: queued")),
        (b"250", END, Reply(250)),
        (b"550 5.1.1", RCPT, Reply(550, "5.1.1", "5.1.1")),
        (b"550 5.1.1 One\n550 5.1.1 Two", RCPT, Reply(550, "5.1.1", "5.1.1 One Two")),
        (b"550-5.1.1 One\n550-5.1.1 Two\n550 three", RCPT, Reply(550, "5.1.1", "5.1.1 One Two three")),
        (b"250- 40 byte chunk\n250 OK id=1", END, Reply(250, "", "40 byte chunk OK id=1")),
        (b"550 4.2.2 full", RCPT, Reply(550, "", "4.2.2 full")),
        (b"451 4.7.1 grey", RCPT, Reply(451, "4.7.1", "4.7.1 grey")),
        (b"550 10.0.0.1 is listed", RCPT, Reply(550, "", "10.0.0.1 is listed")),
        (b"550 \x1b[31mred\x07\xff", RCPT, Reply(550, "", "[31mred \ufffd")),
        (b"550 5.1.1 gr\xc3\xbc\xc3\x9fe", RCPT, Reply(550, "5.1.1", "5.1.1 gr\u00fc\u00dfe")),
    ],
)
def test_read(raw: bytes, stage: Stage, wanted: Reply) -> None:
    assert read(raw, stage) == wanted


def test_a_long_explanation_is_cut() -> None:
    assert len(read(b"550 " + b"x" * 3000, END).text) == LONGEST_TEXT


@given(st.binary(max_size=200))
def test_words_of_a_server_are_safe_to_print(raw: bytes) -> None:
    assert clean(raw) == "" or clean(raw).isprintable()


@pytest.mark.parametrize(
    ("stage", "code", "enhanced", "whom"),
    [
        (RCPT, 550, "5.1.1", "recipient"),
        (RCPT, 550, "", "recipient"),
        (RCPT, 450, "4.2.0", "recipient"),
        (RCPT, 450, "4.7.1", "recipient"),  # greylisting says so
        (RCPT, 452, "4.2.2", "recipient"),
        (RCPT, 501, "5.1.3", "recipient"),
        (RCPT, 554, "5.7.1", "session"),  # relay access denied
        (RCPT, 550, "5.1.8", "session"),  # the sender's domain does not exist; Postfix says so here
        (RCPT, 450, "4.1.8", "session"),
        (RCPT, 550, "5.1.7", "session"),
        (RCPT, 530, "", "session"),
        (RCPT, 530, "5.7.0", "session"),
        (RCPT, 503, "5.5.1", "session"),
        (RCPT, 421, "4.3.2", "session"),
        (MAIL, 550, "", "session"),
        (MAIL, 553, "5.1.8", "session"),
        (MAIL, 451, "4.3.0", "session"),
        (MAIL, 552, "5.3.4", "recipient"),  # this one email is too big
        (MAIL, 552, "", "recipient"),
        (MAIL, 550, "5.6.7", "recipient"),
        (MAIL, 530, "5.7.0", "session"),
        (DATA, 554, "5.5.1", "recipient"),
        (DATA, 451, "", "recipient"),
        (DATA, 503, "", "session"),
        (END, 552, "5.2.3", "recipient"),
        (END, 554, "", "recipient"),
        (END, 554, "5.7.1", "session"),
        (END, 550, "5.7.26", "session"),
        (END, 451, "4.3.2", "session"),
        (END, 421, "", "session"),
        (RSET, 500, "", "session"),
    ],
)
def test_2_8_whom_a_reply_is_about(stage: Stage, code: int, enhanced: str, whom: str) -> None:
    assert about(stage, code, enhanced) == whom
