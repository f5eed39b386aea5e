"""Conversations byte for byte: what a server offers, what it says, what is written then, what became of the emails."""

from __future__ import annotations

PIPELINED, CHUNKED = ("PIPELINING",), ("PIPELINING", "CHUNKING")
FROM, RSET, DATA = b"MAIL FROM:<studio@example.org>\r\n", b"RSET\r\n", b"DATA\r\n"
BODY, DOT = b"Hello\r\n", b".\r\n"


def to(key: int) -> bytes:
    return f"RCPT TO:<r{key}@example.org>\r\n".encode()


def envelope(key: int) -> bytes:
    return FROM + to(key) + DATA


def bdat(key: int) -> bytes:
    return FROM + to(key) + b"BDAT 7 LAST\r\n" + BODY


OK = "250 OK"
YES = "250 OK|250 OK|354 go on"
END = BODY + DOT

# offers, emails at the start, then pairs of what is said and what is written; then what became of the emails
SCRIPTS: dict[str, tuple[tuple[str, ...], int, list[tuple[str, list[bytes]]], list[tuple[object, ...]]]] = {
    "step by step": (
        (),
        2,
        [
            ("", [FROM]),
            (OK, [to(1)]),
            (OK, [DATA]),
            ("354 go on", [END]),
            (OK, [FROM]),
            (OK, [to(2)]),
            (OK, [DATA]),
            ("354 go on", [END]),
            (OK, []),
        ],
        [(1, 250), (2, 250)],
    ),
    "pipelined: the end of one and the next envelope leave in one write": (
        PIPELINED,
        3,
        [
            ("", [envelope(1)]),
            (YES, [END + envelope(2)]),
            (f"{OK}|{YES}", [END + envelope(3)]),
            (f"{OK}|{YES}", [END]),
            (OK, []),
        ],
        [(1, 250), (2, 250), (3, 250)],
    ),
    "pipelined: replies one by one": (
        PIPELINED,
        2,
        [
            ("", [envelope(1)]),
            (OK, []),
            ("251 will forward", []),
            ("354 go on", [END + envelope(2)]),
            (OK, []),
            (OK, []),
            ("252 maybe", []),
            ("354 go on", [END]),
            ("250-more\r\n250 words", []),
        ],
        [(1, 250), (2, 250)],
    ),
    "chunked step by step": (
        ("CHUNKING",),
        2,
        [
            ("", [FROM]),
            (OK, [to(1)]),
            (OK, [b"BDAT 7 LAST\r\n" + BODY]),
            (OK, [FROM]),
            (OK, [to(2)]),
            (OK, [b"BDAT 7 LAST\r\n" + BODY]),
            ("552 5.2.3 too long", []),
        ],
        [(1, 250), (2, 552)],
    ),
    "chunked and pipelined: whole emails are in flight": (
        CHUNKED,
        6,
        [
            ("", [bdat(1), RSET + bdat(2), RSET + bdat(3), RSET + bdat(4)]),
            ("250|250|250", [RSET + bdat(5)]),
            ("250|250|250|250|250|250|250|250", [RSET + bdat(6)]),
            ("|".join(["250"] * 12), []),
        ],
        [(key, 250) for key in range(1, 7)],
    ),
    "chunked: a refused recipient disturbs nobody": (
        CHUNKED,
        2,
        [("", [bdat(1), RSET + bdat(2)]), ("250|550 5.1.1 no|503 no recipient", []), ("250|250|250|250", [])],
        [(1, 550), (2, 250)],
    ),
    "chunked: refused at the end, the next begins clean": (
        CHUNKED,
        1,
        [("", [bdat(1)]), ("250|250|451 4.3.0 later", []), ("+2", [RSET + bdat(2)]), ("250|250|250|250", [])],
        [(1, 451), (2, 250)],
    ),
    "step by step: a refused recipient, then RSET": (
        (),
        2,
        [("", [FROM]), (OK, [to(1)]), ("550 5.1.1 no", [RSET]), (OK, [FROM]), (OK, [to(2)])],
        [(1, 550)],
    ),
    "step by step: MAIL deferred needs no RSET": (
        (),
        2,
        [("", [FROM]), ("451 4.3.0 later", [FROM]), (OK, [to(2)])],
        [(1, 451)],
    ),
    "step by step: DATA refused, then RSET": (
        (),
        2,
        [("", [FROM]), (OK, [to(1)]), (OK, [DATA]), ("451 later", [RSET]), (OK, [FROM])],
        [(1, 451)],
    ),
    "step by step: refused at the end": (
        (),
        2,
        [("", [FROM]), (OK, [to(1)]), (OK, [DATA]), ("354", [END]), ("552 5.2.3 too long", [FROM])],
        [(1, 552)],
    ),
    "step by step: the sender refused stops the relay": (
        (),
        2,
        [("", [FROM]), ("550 5.1.8 who are you", [])],
        [(1, 550), ("stop", 550)],
    ),
    "pipelined: a refused recipient, DATA refused": (
        PIPELINED,
        2,
        [
            ("", [envelope(1)]),
            ("250|550 5.1.1 no|554 5.5.1 no valid recipients", [RSET + envelope(2)]),
            (f"250|{YES}", [END]),
        ],
        [(1, 550)],
    ),
    "pipelined: a refused recipient, 354 all the same: a lone dot (RFC 2920 section 3.1)": (
        PIPELINED,
        2,
        [
            ("", [envelope(1)]),
            ("250|550 5.1.1 no|354 go on", [DOT + envelope(2)]),
            (f"554 5.5.1 no valid recipients|{YES}", [END]),
            (OK, []),
        ],
        [(1, 550), (2, 250)],
    ),
    "pipelined: a refused recipient, 354, and the lone dot is taken for an email": (
        PIPELINED,
        1,
        [("", [envelope(1)]), ("250|450 4.2.0 grey|354 go on", [DOT]), (OK, [])],
        [(1, 450)],
    ),
    "pipelined: MAIL refused, everything after it too": (
        PIPELINED,
        2,
        [("", [envelope(1)]), ("550 5.7.1 policy|503 no|503 no", [])],
        [(1, 550), ("stop", 550)],
    ),
    "pipelined: MAIL deferred, everything after it refused": (
        PIPELINED,
        2,
        [("", [envelope(1)]), ("451 4.3.2 busy|503 no|503 no", [RSET + envelope(2)])],
        [(1, 451)],
    ),
    "pipelined: MAIL refused and the recipient taken: no lone dot, it would be an empty email": (
        PIPELINED,
        1,
        [("", [envelope(1)]), ("451 4.3.2 busy|250|354 go on", [])],
        [(1, 451), ("over",)],
    ),
    "pipelined: DATA refused": (
        PIPELINED,
        2,
        [("", [envelope(1)]), ("250|250|451 4.3.0 later", [RSET + envelope(2)])],
        [(1, 451)],
    ),
    "pipelined: refused at the end, the next goes on": (
        PIPELINED,
        2,
        [("", [envelope(1)]), (YES, [END + envelope(2)]), (f"552 5.2.3 long|{YES}", [END]), (OK, [])],
        [(1, 552), (2, 250)],
    ),
    "pipelined: policy at the end stops before the next one's bytes": (
        PIPELINED,
        3,
        [("", [envelope(1)]), (YES, [END + envelope(2)]), (f"550 5.7.1 spam|{YES}", [])],
        [(1, 550), ("stop", 550), ("back", 2, None), ("over",)],
    ),
    "an email that comes while the end of the last is out begins at once": (
        PIPELINED,
        1,
        [("", [envelope(1)]), (YES, [END]), ("+2", [envelope(2)]), (f"{OK}|{YES}", [END]), (OK, [])],
        [(1, 250), (2, 250)],
    ),
    "421 to MAIL": ((), 1, [("", [FROM]), ("421 closing", [])], [("back", 1, 421), ("over",)]),
    "421 to RCPT": ((), 1, [("", [FROM]), (OK, [to(1)]), ("421 closing", [])], [("back", 1, 421), ("over",)]),
    "421 to DATA": ((), 1, [("", [FROM]), (OK, [to(1)]), (OK, [DATA]), ("421 bye", [])], [("back", 1, 421), ("over",)]),
    "421 to the end": (
        (),
        2,
        [("", [FROM]), (OK, [to(1)]), (OK, [DATA]), ("354", [END]), ("421 4.3.2 bye", [])],
        [(1, 421), ("over",)],
    ),
    "421 to the end of one, the next envelope is out": (
        PIPELINED,
        2,
        [("", [envelope(1)]), (YES, [END + envelope(2)]), ("421 4.3.2 bye", []), ("lost", [])],
        [(1, 421), ("back", 2, None), ("over",)],
    ),
    "421 to RSET": (
        PIPELINED,
        2,
        [("", [envelope(1)]), ("250|250|451 later", [RSET + envelope(2)]), ("421 bye", []), ("lost", [])],
        [(1, 451), ("back", 2, 421), ("over",)],
    ),
    "421 to a pipelined RCPT": (
        PIPELINED,
        1,
        [("", [envelope(1)]), ("250|421 bye", []), ("lost", [])],
        [("back", 1, 421), ("over",)],
    ),
    "421 to one in flight: those behind it were not read": (
        CHUNKED,
        3,
        [("", [bdat(1), RSET + bdat(2), RSET + bdat(3)]), ("250|250|250|250|421 enough", []), ("lost", [])],
        [(1, 250), ("back", 2, 421), ("back", 3, None), ("over",)],
    ),
    "421, and it goes on all the same": (
        CHUNKED,
        2,
        [("", [bdat(1), RSET + bdat(2)]), ("421 no|503|503|250|250|250|250", []), ("lost", [])],
        [(2, 250), ("back", 1, 421), ("over",)],
    ),
    "421, and it goes on all the same, refusing the others as Exim does": (
        CHUNKED,
        3,
        [
            ("", [bdat(1), RSET + bdat(2), RSET + bdat(3)]),
            ("250|250|250|250|421 too many|503|503", []),
            ("250|421 too many|503|503", []),
        ],
        [(1, 250), ("back", 2, 421), ("back", 3, 421), ("over",)],
    ),
    "421, and it hangs up in the middle of the next": (
        CHUNKED,
        2,
        [("", [bdat(1), RSET + bdat(2)]), ("421 no|503|503|250", []), ("lost", [])],
        [(2, 0), ("back", 1, 421), ("over",)],
    ),
    "421, and then silence until our patience ends": (
        CHUNKED,
        2,
        [("", [bdat(1), RSET + bdat(2)]), ("421 no", []), ("timed out", [])],
        [(1, 0), (2, 0), ("over",)],
    ),
    "421 while nothing is under way": ((), 0, [("421 4.4.2 you sleep", [])], [("over",)]),
    "the connection breaks with whole emails in flight": (
        CHUNKED,
        2,
        [("", [bdat(1), RSET + bdat(2)]), ("250|250", []), ("lost", [])],
        [(1, 0), (2, 0), ("over",)],
    ),
    "the connection breaks after a refused recipient": (
        CHUNKED,
        2,
        [("", [bdat(1), RSET + bdat(2)]), ("250|550 5.1.1 no", []), ("lost", [])],
        [(1, 550), (2, 0), ("over",)],
    ),
    "the connection breaks before the 354": (
        PIPELINED,
        1,
        [("", [envelope(1)]), ("250|250", []), ("lost", [])],
        [("back", 1, None), ("over",)],
    ),
    "the connection breaks after the end of data": (
        PIPELINED,
        2,
        [("", [envelope(1)]), (YES, [END + envelope(2)]), ("lost", [])],
        [(1, 0), ("back", 2, None), ("over",)],
    ),
    "no SMTP after the end of data": (
        PIPELINED,
        1,
        [("", [envelope(1)]), (YES, [END]), ("fine, thanks", [])],
        [(1, 0), ("over",)],
    ),
    "no SMTP after an answer: the answer stands": (
        PIPELINED,
        2,
        [("", [envelope(1)]), (YES, [END + envelope(2)]), ("250 OK|fine, thanks", [])],
        [(1, 250), ("back", 2, None), ("over",)],
    ),
    "an answer that nobody asked for": ((), 0, [("250 hello again", [])], [("over",)]),
    "an answer too many": (
        PIPELINED,
        2,
        [("", [envelope(1)]), (YES, [END + envelope(2)]), (f"{OK}|{OK}|{YES}", [])],
        [(1, 250), ("back", 2, None), ("over",)],
    ),
    "250 to DATA": (PIPELINED, 1, [("", [envelope(1)]), ("250|250|250", [])], [("back", 1, None), ("over",)]),
    "354 to MAIL": ((), 1, [("", [FROM]), ("354 go on", [])], [("back", 1, None), ("over",)]),
    "354 to the end": (
        (),
        1,
        [("", [FROM]), (OK, [to(1)]), (OK, [DATA]), ("354", [END]), ("354 more", [])],
        [(1, 0), ("over",)],
    ),
    "RSET refused": (
        (),
        2,
        [("", [FROM]), (OK, [to(1)]), ("550 no", [RSET]), ("500 what", [])],
        [(1, 550), ("back", 2, None), ("over",)],
    ),
    "too big is said without asking": (
        ("SIZE 5",),
        1,
        [("", [])],
        [(1, 552)],
    ),
}
