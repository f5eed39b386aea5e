"""What making one email costs, step by step, in processor time: fill in, put into its envelope, sign."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from sqlalchemy import select

from bench import letter as letters
from bench.place import sqlite
from bench.sizes import Sizes
from bench.table import Line
from newsletter import clock
from newsletter.audience.models import Subscriber
from newsletter.database.engine import db
from newsletter.delivery import composing, dkim
from newsletter.delivery.letters import Letter, studio_in_mail
from newsletter.messages import images
from newsletter.messages.compiling import compile_message
from newsletter.messages.source import parse

ROUNDS = 5


def microseconds(work: Callable[[int], object], number: int) -> float:
    """Processor time of one call, the best of some rounds."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for turn in range(number):
            work(turn)
        times.append((time.process_time() - start) / number * 1e6)
    return min(times)


def _sign(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, _turn: int) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(b"x", padding.PKCS1v15(), hashes.SHA256())
    return key.sign(b"x")


def measure(sizes: Sizes) -> list[Line]:
    """Each step for different readers in turn, so that nothing is remembered from the last one."""
    number = min(sizes.broadcast, 500)
    with ExitStack() as stack:
        place = stack.enter_context(sqlite(number))
        stack.enter_context(place.application())
        session, now = db.session(), clock.now()
        people = session.scalars(select(Subscriber).limit(number)).all()
        studio = studio_in_mail(session)
        compiled = compile_message(parse(letters.source()), studio, image=images.resolver(studio.url), marketing=True)
        letter = Letter(compiled, marketing=True, list_name="newsletter")
        made = [composing.render(letter, person, [], now) for person in people]

        def seal(turn: int) -> composing.Sealed:
            person, (rendered, links) = people[turn], made[turn]
            to, leave = (person.first_name, person.email), links["unsubscribe"]
            return composing.seal(
                letter,
                rendered,
                delivery_id=turn,
                reason="broadcast:1",
                message_id=f"<{turn}.bench@example.org>",
                recipient=to,
                leave=leave,
                now=now,
            )

        steps = {
            "fill in one reader's words and links": microseconds(
                lambda turn: composing.render(letter, people[turn], [], now), number
            ),
            "put into its envelope, as bytes": microseconds(seal, number),
        }
        sealed = [seal(turn).content for turn in range(number)]
        for kind, key in dkim.new_keys().items():
            signer = [dkim.Signer("example.org", f"supple-{kind}", key)]
            bare = microseconds(partial(_sign, key), 50)
            whole = microseconds(lambda turn, signer=signer: dkim.signed(sealed[turn], signer, now), number)
            steps[f"sign with {kind} (the signature alone takes {bare:.0f} µs)"] = whole
    size = sum(len(content) for content in sealed) / number
    return [Line(f"one email of {size:,.0f} bytes: {step}", f"{cost:.0f} µs") for step, cost in steps.items()]
