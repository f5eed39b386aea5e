"""A storm: workers, web server and mail server run, and are killed at random moments; then everything is counted."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask
from sqlalchemy import ColumnElement, func, or_, select, update

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.audience.models import Subscriber
from newsletter.broadcasts import actions as broadcasts
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import BroadcastState
from newsletter.database.engine import db, transaction
from newsletter.delivery import relay_rows, rules
from newsletter.delivery.models import Attempt, Delivery, Relay
from newsletter.delivery.relay_rules import Breaker, Source
from newsletter.delivery.rules import State
from newsletter.signup.models import Form
from newsletter.signup.rules import ConsentMode
from tests.crash.judge import OPEN, Row, violations
from tests.crash.peer import STAGES, Orders
from tests.crash.processes import PeerProcess, Zygote, free_port
from tests.crash.visitor import BODY, OPERATOR, PASSWORD, Visitors
from tests.people import person

# The clock of the killed runs so many times faster: the lease of a dead worker is over in 15 seconds instead of five
# minutes. Much more, and those who are alive but slow would seem dead all the time.
SPEED = 20
CONNECTIONS = 2
# Between two kills (seconds, on average): a worker of three then lives for about a second.
PAUSE = 0.25
LETTER = f"---\nsubject: Ten calm minutes\n---\n{BODY}"
MEND = 1  # an operator looks after the relay this often: it fails so often that it would rest most of the time
PATIENCE = 3  # for an email to come that a fate is waiting for (seconds)
DRAIN = 120  # seconds after which what is still open counts as lost
PASSING = 0.5  # whoever was struck last is dead by then, and is not asked to stop (seconds)
GLANCE = 0.005  # between two looks at the ledger for the moment to strike (seconds)
# What strikes, in an order of chance and then anew: dealt, not diced, so that a storm leaves out none of them.
DECK = ["stage"] * 11 + ["server's stage"] + ["worker"] * 4 + ["web", "peer", "claiming"]


@dataclass
class Tally:
    """What a storm did and found."""

    seed: int
    killed: Counter[str] = field(default_factory=Counter)
    at_a_stage: int = 0  # of those, at a chosen moment around an email
    planning: int = 0  # times that all workers died while a broadcast was proved and planned
    claiming: int = 0  # workers that died with emails claimed and none of them begun
    uncertain_at_once: list[int] = field(default_factory=list)  # rows in `sending` of each killed worker
    bound: int = 0  # the most of those that there may be
    states: Counter[str] = field(default_factory=Counter)
    emails: int = 0
    uncertain: int = 0  # emails with a lost answer on record
    came_twice: int = 0  # of those
    signed_up: int = 0
    queued: int = 0  # broadcasts that the web server said are queued
    seconds: float = 0
    violations: list[str] = field(default_factory=list)


@dataclass
class Storm:
    """The processes of one storm and its dice."""

    app: Flask
    zygote: Zygote
    peer: PeerProcess
    web_port: int
    dice: random.Random
    tally: Tally
    workers: int
    mended: float = 0  # when somebody last looked after the relay
    seen: int = 0  # deaths of the zygote's children that are counted already
    deck: list[str] = field(default_factory=list)

    def keep_alive(self) -> None:
        """Start anew what was killed, and count it."""
        self.zygote.listen(0)
        for pid, order, status in self.zygote.died[self.seen :]:
            self.seen += 1
            kind = order.split()[0]
            if status == signal.SIGKILL:
                self.tally.killed[kind] += 1
                if kind == "worker":
                    self._take_down(pid)
            else:
                self.tally.violations.append(f"{kind} {pid} ended by itself with status {status}")
        if self.peer.is_gone():
            self.tally.killed["peer"] += 1
            self.peer.start()
        if time.monotonic() - self.mended > MEND:
            self.mended = time.monotonic()
            _mend_relays()
        if not self.zygote.of("web"):
            self.zygote.fork(f"web {self.web_port}")
        while len(self.zygote.of("worker")) < self.workers:
            self.zygote.fork("worker")

    def _take_down(self, pid: int) -> None:
        """Count what a dead worker leaves uncertain, and let its leases end: minutes pass."""
        begun = self.held_by(pid, State.SENDING)
        self.tally.uncertain_at_once.append(begun)
        self.tally.claiming += bool(not begun and self.held_by(pid, State.CLAIMED))
        with transaction() as session:
            session.execute(update(Delivery).where(of_worker(pid), _UNDER_WAY).values(lease_until=clock.now()))

    def held_by(self, pid: int, *states: State) -> int:
        """How many emails a worker has under way (in these states)."""
        which = Delivery.state.in_(states) if states else _UNDER_WAY
        with self.app.app_context():
            return db.session.scalar(select(func.count()).select_from(Delivery).where(of_worker(pid), which)) or 0

    def strike(self) -> None:
        """Kill someone, now or at a chosen moment of the next email."""
        if not self.deck:
            self.deck = self.dice.sample(DECK, len(DECK))
        match self.deck.pop():
            case "stage":
                self._doom("kill")
            case "server's stage":
                self._doom("die")
            case "claiming":
                self.strike_claiming()
            case "peer":
                self.peer.kill()
            case kind:
                self.zygote.kill(self.dice.choice(self.zygote.of(kind)))

    def _doom(self, how: str) -> None:
        self.peer.doom(f"{how} {self.dice.choice(STAGES)}")
        until = time.monotonic() + PATIENCE
        while self.peer.is_doomed() and time.monotonic() < until:
            self.keep_alive()
            time.sleep(0.02)

    def strike_claiming(self) -> None:
        """Kill a worker that has claimed emails and begun none; one that was quicker than us is dead for nothing."""
        before, until = self.tally.claiming, time.monotonic() + PATIENCE
        while self.tally.claiming == before and time.monotonic() < until:
            for pid in self.zygote.of("worker"):
                if self.held_by(pid, State.CLAIMED) and not self.held_by(pid, State.SENDING):
                    self.zygote.kill(pid)
                    self.zygote.wait_for(pid)
            self.keep_alive()
            time.sleep(GLANCE)

    def strike_planning(self) -> None:
        """Kill all workers, as a power cut does, while a broadcast that has begun is proved and planned."""
        until = time.monotonic() + PATIENCE
        while not _is_starting(self.app, BroadcastState.STARTING):
            if time.monotonic() > until:
                return
            self.keep_alive()
            time.sleep(GLANCE)
        struck = self.zygote.of("worker")
        for pid in struck:
            self.zygote.kill(pid)
        for pid in struck:
            self.zygote.wait_for(pid)
        # Still so with nobody left alive: it was in the middle.
        self.tally.planning += _is_starting(self.app, BroadcastState.STARTING)
        self.keep_alive()

    def waiting(self) -> int:
        """How many emails are not finished."""
        with self.app.app_context():
            return db.session.scalar(select(func.count()).select_from(Delivery).where(Delivery.state.in_(OPEN))) or 0

    def under_way(self) -> list[tuple[object, ...]]:
        """What is not finished: id, state, whose, until when, tries."""
        shown = (
            Delivery.id,
            Delivery.state,
            Delivery.claimed_by,
            Delivery.lease_until,
            Delivery.due_at,
            Delivery.attempts,
        )
        with self.app.app_context():
            return [tuple(row) for row in db.session.execute(select(*shown).where(Delivery.state.in_(OPEN)))]

    def calm(self) -> None:
        """Stop the workers in order, and let turns like those of `flask worker --once` bring the rest."""
        (self.peer.folder / "fate").unlink(missing_ok=True)
        time.sleep(PASSING)
        self.keep_alive()
        stopped = self.zygote.of("worker")
        for pid in stopped:
            self.zygote.kill(pid, signal.SIGTERM)
        for pid in stopped:
            status = self.zygote.wait_for(pid)
            # Asked before it could listen, it just ends; it has begun nothing then.
            if status and (status != signal.SIGTERM or self.held_by(pid)):
                self.tally.violations.append(f"a worker asked to stop ended with status {status}")
        until = time.monotonic() + DRAIN
        while (self.waiting() or _is_starting(self.app)) and time.monotonic() < until:
            _mend_relays()
            self.zygote.wait_for(self.zygote.fork("turn"), DRAIN)
            time.sleep(0.2)


_UNDER_WAY = Delivery.state.in_([State.CLAIMED, State.SENDING])


def of_worker(pid: int) -> ColumnElement[bool]:
    """The emails that a worker has claimed."""
    return or_(Delivery.claimed_by.like(f"%:{pid}:%"), Delivery.claimed_by.like(f"%:{pid}"))


def _mend_relays() -> None:
    with transaction() as session:
        for relay in session.scalars(select(Relay).where(Relay.problem != "")):
            relay_rows.keep(relay, Breaker())


def _is_starting(app: Flask, *states: BroadcastState) -> bool:
    """Whether a broadcast is in one of these states; without any, whether a queued one is not all planned yet."""
    which = Broadcast.state.in_(states or (BroadcastState.QUEUED, BroadcastState.STARTING))
    with app.app_context():
        return db.session.scalar(select(Broadcast.id).where(which).limit(1)) is not None


def people(count: int) -> list[str]:
    """Readers to write to, an operator, and a form to sign up with."""
    now = clock.now()
    with transaction() as session:
        accounts.create_operator(session, OPERATOR, PASSWORD, now)
        # Emails to everybody follow each other within seconds here; a reader's second one would wait for tomorrow.
        accounts.ensure_studio(session).one_a_day = False
        session.add(
            Form(
                slug="storm", name="storm", mode=ConsentMode.SUBSCRIBE, button="Send it", wording="Yes.", created_at=now
            )
        )
        return [person(session, f"reader{number}@example.org", now=now).email for number in range(count)]


def let_go(app: Flask) -> None:
    """Close this process's connections to the database and the queue."""
    if "queue" in app.extensions:
        app.extensions["queue"].huey.storage.close()
    db.session.remove()
    db.engine.dispose()


def queue_letter() -> int:
    """An email to everybody, queued as `flask broadcast` does."""
    with transaction() as session:
        return broadcasts.queue_from_file(session, LETTER, "all", None, clock.now()).id


def window() -> int:
    """How many emails one worker may have under way: connections times window (semantics 2.3)."""
    connections = db.session.scalar(select(func.max(Relay.connections))) or 1
    db.session.rollback()
    return rules.WINDOW * connections


def environment(app: Flask, folder: Path, peer: PeerProcess) -> dict[str, str]:
    """The settings of the killed: the application's own, with the peer as its mail server."""
    settings = app.extensions["settings"]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "XDG_RUNTIME_DIR") if name in os.environ}
    return kept | {
        "DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url,
        "QUEUE_URL": settings.queue_url,
        "SECRET_KEY": settings.secret_key,
        "BASE_URL": settings.base_url,
        "SMTP_URL": f"smtp://{peer.address}:{peer.port}?starttls=never",
        "TRUSTED_PROXIES": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@contextmanager
def running(
    app: Flask, folder: Path, *, seed: int, workers: int = 3, delay: float = 0.01, speed: float = SPEED
) -> Iterator[Storm]:
    """Peer, zygote, web server and workers, ended with the block."""
    peer = PeerProcess(folder, seed)
    zygote = Zygote(environment(app, folder, peer), folder / "workers.log", speed)
    try:
        peer.order(Orders(delay=delay, workers=zygote.process.pid, chunking=seed % 2 == 0))
        _give_connections(peer)
        storm = Storm(app, zygote, peer, free_port(), random.Random(seed), Tally(seed), workers)
        storm.keep_alive()
        yield storm
    finally:
        zygote.close()
        peer.kill()


def _give_connections(peer: PeerProcess) -> None:
    """Few, so that fewer emails may be uncertain after a crash than there are: a bound that could be broken."""
    with transaction() as session:
        name, source = f"{peer.address}:{peer.port}", Source.ENVIRONMENT
        if session.scalar(select(Relay.id).where(Relay.name == name)) is None:
            session.add(
                Relay(
                    source=source,
                    name=name,
                    host=peer.address,
                    port=peer.port,
                    connections=CONNECTIONS,
                    created_at=clock.now(),
                )
            )


def storm(app: Flask, folder: Path, *, kills: int, seed: int, workers: int = 3, readers: int = 150) -> Tally:
    """Kill `kills` processes at random moments while emails are planned and sent; returns what became of it all."""
    begin, everyone = time.monotonic(), people(readers)
    with running(app, folder, seed=seed, workers=workers) as world:
        tally, visitors = world.tally, Visitors(world.web_port, seed)
        visitors.start()
        queued: list[int] = []
        while tally.killed.total() < kills:
            world.keep_alive()
            if world.waiting() < readers and not _is_starting(app):
                queued.append(queue_letter())
                visitors.wanted.set()
                if len(queued) % 2 or not tally.planning:
                    world.strike_planning()
            world.strike()
            time.sleep(world.dice.random() * PAUSE * 2)
        visitors.over.set()
        visitors.join()
        world.calm()
        tally.at_a_stage = len(world.peer.lines("killed")) + len(world.peer.lines("died"))
        tally.signed_up, tally.queued = len(visitors.signed_up), len(visitors.queued)
        promised = [(email, f"broadcast:{number}") for number in queued + visitors.queued for email in everyone]
        promised += [(email, "confirm") for email in visitors.signed_up]
        judge(tally, world.peer, promised)
    tally.seconds = time.monotonic() - begin
    return tally


def judge(tally: Tally, peer: PeerProcess, promised: list[tuple[str, str]]) -> None:
    """Compare the peer's log with the ledger."""
    tally.bound = window()
    rows, took = ledger(), [(line[0], line[1]) for line in peer.lines("took")]
    counted = Counter(took)
    tally.emails, tally.states = len(rows), Counter(row.state for row in rows)
    tally.uncertain = sum(row.uncertain for row in rows)
    tally.came_twice = sum(count > 1 for count in counted.values())
    tally.violations += violations(rows, took, promised)
    tally.violations += [
        f"{left} emails were uncertain after one crash, more than {tally.bound}"
        for left in tally.uncertain_at_once
        if left > tally.bound
    ]


def ledger() -> list[Row]:
    """Every email of the ledger."""
    lost = select(Attempt.delivery_id).where(Attempt.outcome == State.UNKNOWN)
    uncertain = or_(Delivery.state == State.UNKNOWN, Delivery.id.in_(lost))
    found = select(Subscriber.email, Delivery.reason, Delivery.state, Delivery.message_id, uncertain).join(
        Subscriber, Subscriber.id == Delivery.subscriber_id
    )
    rows = [Row(email, why, state, mark, bool(lost)) for email, why, state, mark, lost in db.session.execute(found)]
    db.session.rollback()
    return rows
