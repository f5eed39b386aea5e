"""Whatever a server says, however it is cut: every email has one fate, and none is called sent that did not leave."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.delivery.smtp.events import Event, Over, Returned
from tests.delivery.smtp.talk import Talk, email, ready

OFFERS = st.sampled_from([(), ("PIPELINING",), ("CHUNKING",), ("PIPELINING", "CHUNKING"), ("PIPELINING", "SIZE 9")])
SENSIBLE = ["250 OK", "250 OK", "250 OK", "354 go", "550 5.1.1 no", "451 4.3.0 later", "250-more\r\n250 OK"]
RUDE = ["421 bye", "550 5.7.1 policy", "503 order", "250", "354", "220 hi", "235 ok", "", "hello", "25", "250-open"]
LINES = st.sampled_from(SENSIBLE * 3 + RUDE)


def content(key: int) -> bytes:
    return b"<%d>\r\n" % key


class Network:
    """Takes what is written bit by bit, and knows what left."""

    def __init__(self, talk: Talk) -> None:
        self.talk, self.left, self.fates = talk, b"", Counter[int]()
        self.closings, self.returned = False, 0

    def take(self, most: int) -> None:
        """Up to `most` bytes leave."""
        while most > 0 and (outgoing := self.talk.wire.outgoing()):
            piece = bytes(outgoing[:most])
            self.talk.wire.sent(len(piece))
            self.left += piece
            most -= len(piece)

    def went(self, key: int) -> bool:
        """Whether the whole email has left."""
        chunk = b"BDAT 5 LAST\r\n" + content(key)
        return content(key) + b".\r\n" in self.left or chunk in self.left

    def check(self, events: list[Event]) -> None:
        """What is said to have happened can have happened."""
        for answer in self.talk.answers[self.fates.total() - self.returned :]:
            self.fates[answer.key] += 1
            assert answer.reply is not None
            if 200 <= answer.reply.code < 300:
                assert self.went(answer.key)
        for event in events:
            if isinstance(event, Returned):
                self.returned += 1
                self.fates[event.email.key] += 1
                assert self.closings or not self.went(event.email.key)
            elif isinstance(event, Over):
                assert self.talk.wire.over


@settings(max_examples=600, deadline=None)
@given(OFFERS, st.integers(1, 6), st.lists(LINES | st.binary(max_size=6), max_size=40), st.booleans(), st.data())
def test_every_email_has_one_fate(
    offers: tuple[str, ...], count: int, said: list[str | bytes], orderly: bool, data: st.DataObject
) -> None:
    talk = ready(*offers)
    network = Network(talk)
    keys = range(1, count + 1)
    talk.queue.extend(email(key, content(key)) for key in keys)
    network.check(talk.wire.start())
    sizes = st.sampled_from([0, 1, 3, 20, 10_000, 10_000, 10_000])
    for line in said:
        network.take(data.draw(sizes))
        raw = line if isinstance(line, bytes) else f"{line}\r\n".encode()
        network.closings |= b"421" in raw or b"\n" not in raw
        cut = data.draw(st.integers(0, len(raw)))
        for piece in (raw[:cut], raw[cut:]):
            network.check(talk.wire.receive(piece))
        if talk.wire.over:
            break
    network.check(talk.wire.lost("the end", orderly=orderly))
    assert not talk.wire.outgoing()
    waiting = [waits.key for waits in talk.queue]
    assert Counter(keys) == network.fates + Counter(waiting)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES | st.binary(max_size=20), max_size=20), st.booleans())
def test_before_the_first_email_nothing_is_lost_either(said: list[str | bytes], encrypted: bool) -> None:
    talk = Talk()
    talk.queue.append(email(1))
    for line in said:
        talk.wire.receive(line if isinstance(line, bytes) else f"{line}\r\n".encode())
        talk.written()
    assert talk.wire.lost("the end", orderly=encrypted) is not None
    assert talk.wire.over


@settings(max_examples=200, deadline=None)
@given(OFFERS, st.integers(1, 8), st.lists(st.integers(1, 30), max_size=60))
def test_a_good_server_gets_everything_however_its_words_are_cut(
    offers: tuple[str, ...], count: int, cuts: list[int]
) -> None:
    talk = ready(*offers)
    network = Network(talk)
    talk.queue.extend(email(key, content(key)) for key in range(1, count + 1))
    network.check(talk.wire.start())
    heard, pending, inside = 0, b"", False
    for _ in range(count * 40):
        network.take(10_000)
        new, heard = network.left[heard:], len(network.left)
        for line in new.split(b"\r\n"):
            if inside:
                inside = line != b"."
                pending += b"" if inside else b"250 taken\r\n"
            elif line == b"DATA":
                inside, pending = True, pending + b"354 go\r\n"
            elif line and not line.startswith(b"<"):
                pending += b"250 2.0.0 OK\r\n"
        size = cuts.pop() if cuts else len(pending)
        piece, pending = pending[:size], pending[size:]
        network.check(talk.wire.receive(piece))
    assert network.fates == Counter(range(1, count + 1))
    assert len(talk.answers) == count
    assert all(answer.reply and answer.reply.code == 250 for answer in talk.answers)
    assert all(network.went(key) for key in range(1, count + 1))
