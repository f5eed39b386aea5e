"""One relay's line of emails: claimed, made, marked as sending, handed over and written down, again and again.

A line never holds a transaction while the network answers, and never has more emails under way than go out in about
half a second: a confirmation that comes in behind a million others is in the next batch (semantics 2.7).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from newsletter import clock
from newsletter.database.engine import db, transaction
from newsletter.delivery import collision, composing, counting, handover, pictures, queries, routing, rules, transports
from newsletter.delivery.composing import Draft, Sealed
from newsletter.delivery.dkim import Signer
from newsletter.delivery.letters import Later, Withdrawn, guarded
from newsletter.delivery.routing import Way
from newsletter.delivery.rules import Claimed, Lane, Reply, State
from newsletter.delivery.smtp.events import Answer
from newsletter.delivery.transports import Handover
from newsletter.errors import Busy, RelayError, SuppleError
from newsletter.settings import current

log = structlog.get_logger()

# Between so many emails that are being made the connections are looked after, so that none waits for the processor.
AT_ONCE = 8
# Answers are written down at the latest after this long, however few they are (seconds).
TARDY = 0.5
# Nothing was due: ask again after this long, while the last emails are still on their way (seconds).
PAUSE = 0.1
# The leases of the emails and of the connections are prolonged this often (seconds): the shorter one lasts 15.
KEEP = 5
# Worth staying awake for: what a rate or a domain's share holds back for no longer than the worker would sleep.
NEAR = timedelta(minutes=1)
# Of an email in these states no answer is written down yet.
UNSETTLED = frozenset({State.SENDING, State.UNKNOWN})
# A database that is gone may come back: what was answered is kept for so long, asked for each second.
FAITHFUL = 240


class Line:
    """What one worker has under way through one relay.

    It claims in a name of its own, so that two lines of a worker never take each other's emails for theirs.
    """

    def __init__(self, way: Way, worker: str) -> None:
        self.way, self.worker = way, f"{worker}/{way.relay_id}"
        self.log = log.bind(relay=way.name)  # bound once: through the proxy each dropped line costs 3 us
        self.exchange: Handover | None = None
        self.ready: deque[Draft] = deque()  # claimed, and all read that they are made of
        self.signers: Sequence[Signer] = ()
        self.made: deque[Sealed] = deque()  # their bytes, ready for the next window
        self.flying: dict[int, Sealed] = {}  # marked as sending and handed over, by delivery id
        self.answers: list[Answer] = []  # not written down yet
        self.window, self.connections = rules.SMALLEST_WINDOW, 1
        self.problem: RelayError | None = None  # why the relay cannot be used any more
        self.told = False  # and whether that was written down
        self.accepted = 0  # and not reported yet
        self.kept_at = self.turned_at = self.reported_at = time.monotonic()
        self.again_at = 0.0  # before this moment nothing is claimed, because nothing more was due
        self.urgent_at = 0.0  # and before this one nothing urgent, as long as there is enough at hand
        self.held_until: datetime | None = None  # the relay's budget is spent till then, and more is due

    @property
    def outstanding(self) -> int:
        """How many emails are with the relay, not answered."""
        return len(self.flying) - len(self.answers)

    @property
    def appetite(self) -> int:
        """How many to claim at once: what goes out in about two seconds, for nobody asks about it again till then.

        Behind a slow relay a whole batch would be minutes: a confirmation that comes in would wait for all of it.
        """
        return min(rules.BATCH, 4 * self.window)

    def fill(self) -> int:
        """Claim and read the next batch when the last one is nearly gone, and what is urgent at once.

        Returns how many were claimed.
        """
        now, low = time.monotonic(), len(self.ready) <= self.appetite // 2
        if self.problem or now < (self.again_at if low else self.urgent_at):
            return 0
        lanes = self.way.lanes if low else [lane for lane in self.way.lanes if lane is not Lane.BULK]
        claimed = self._claim(lanes)
        self.urgent_at = now + PAUSE
        if low and len(claimed) < self.appetite // 2:
            self.again_at = now + PAUSE
        if claimed:
            self._gather(claimed)
        return len(claimed)

    def _claim(self, lanes: Sequence[Lane]) -> list[Claimed]:
        reading, now, claimed = db.session(), clock.now(), list[Claimed]()
        due = [lane for lane in lanes if handover.is_due(reading, lane, now)]
        reading.rollback()  # asked without the lock that every writer needs: mostly nothing is due
        self.held_until = None
        if due:
            with transaction() as session:
                for lane in due:
                    claimed += self._claim_lane(session, lane, self.appetite - len(claimed), now)
        return self._anew(claimed)

    def _anew(self, claimed: Sequence[Claimed]) -> list[Claimed]:
        """What was claimed, once: after a lease that ended this line may claim again what it has at hand already.

        Two copies in one window would both be sent. Older ones are thrown away; what still flies is left to `pick_up`.
        """
        ids = {one.id for one in claimed}
        self.ready = deque(draft for draft in self.ready if draft.claimed.id not in ids)
        self.made = deque(one for one in self.made if one.delivery_id not in ids)
        return [one for one in claimed if one.id not in self.flying]

    def _claim_lane(self, session: Session, lane: Lane, wanted: int, now: datetime) -> list[Claimed]:
        if wanted <= 0:
            return []
        drawn = routing.draw(session, self.way.relay_id, self.worker, wanted, now, lane=lane)
        claimed = handover.claim_due(session, self.worker, now, drawn.emails, lane) if drawn.emails else []
        routing.unused(session, self.way.relay_id, drawn.emails - len(claimed), now)
        if len(claimed) == drawn.emails:
            self.held_until = drawn.again_at
        if drawn.connections:
            self.connections = drawn.connections
        return claimed

    def _gather(self, claimed: Sequence[Claimed]) -> None:
        session, now = db.session(), clock.now()
        drafts, claims = collision.meet(session, composing.gather(session, claimed), now)
        self.signers = queries.signers(session, composing.sender_domain(current()))
        session.rollback()
        drafts = collision.settle(drafts, claims, self.worker, self.way.relay_id, now)
        if self.way.paced:
            drafts = self._paced(drafts, {one.id for one in claimed if one.lane != Lane.TRANSACTIONAL}, now)
        whole = [draft for draft in drafts.values() if isinstance(draft, Draft)]
        letters = {id(draft.letter): draft.letter for draft in whole}.values()  # each once, of a whole batch
        pictures.keep(letters)
        tails = counting.tails(letters)
        for draft in sorted(whole, key=lambda draft: draft.claimed.lane):
            draft.tails = tails.get(draft.letter.compiled.links, ())
            self._line_up(draft)
        _write_off(
            {one: found for one, found in drafts.items() if not isinstance(found, Draft | Later)},
            self.way.relay_id,
            now,
        )

    def _line_up(self, draft: Draft) -> None:
        """At the end, or before everything less urgent."""
        place = len(self.ready)
        while place and self.ready[place - 1].claimed.lane > draft.claimed.lane:
            place -= 1
        self.ready.insert(place, draft)

    def _paced(self, drafts: composing.Drafts, patient: set[int], now: datetime) -> composing.Drafts:
        """Those that are urgent or whose recipient's domain has room now; the others are put off to the moment it has.

        Semantics 2.9; and 2.7: a confirmation does not queue behind a broadcast to the same domain.
        """
        going = {one: draft for one, draft in drafts.items() if isinstance(draft, Draft) and one in patient}
        domains = [draft.reader.email.rpartition("@")[2].lower() for draft in going.values()]
        with transaction() as session:
            moments = routing.pace(session, self.way.relay_id, domains, now)
            later = {one: at for one, at in zip(going, moments, strict=True) if at is not None}
            handover.put_off(session, later, self.worker, now)
            routing.unused(session, self.way.relay_id, len(later), now)
        return {one: draft for one, draft in drafts.items() if one not in later}

    def idle_for(self) -> float | None:
        """How long a limit still holds back what is due, in seconds; None when it is nothing, or for long."""
        now = clock.now()
        moments = [self.held_until] if self.held_until else []
        if self.way.paced:
            reading = db.session()
            put_off = handover.next_due(reading, self.way.lanes, now)
            reading.rollback()
            moments += [put_off] if put_off else []
        soon = min(moments, default=None)
        if soon is None or soon - now > NEAR or self.problem:
            return None
        return max(0.0, (soon - now).total_seconds())

    def look_after(self, patience: float) -> None:
        """Let the connections go on for up to `patience` seconds, and take what was answered."""
        if self.exchange is not None and self.outstanding:
            self.answers += self.exchange.answers(patience)
            self.problem = self.problem or self.exchange.problem

    @property
    def wants_turn(self) -> bool:
        """Whether enough has happened to write it down and to begin the next window."""
        if not self.answers and (self.problem or not (self.ready or self.made)):
            return False
        much = len(self.answers) * (4 if self.made else 2) >= self.window
        # With nothing under way a quarter of a window is made first: a turn costs milliseconds, and where the relay is
        # quicker than we are it was paid for each 32 emails.
        dry = not self.outstanding and (len(self.made) * 4 >= self.window or not self.ready or bool(self.problem))
        return much or dry or time.monotonic() - self.turned_at > TARDY

    def turn_over(self) -> None:
        """In one transaction write down what was answered and mark the next window; then hand that over.

        A relay that cannot be used any more gets no window. Raises Busy when the database stays away.
        """
        if self.exchange is None and not self.problem:
            self._open()
        self._measure()
        room = 0 if self.problem else self.window - self.outstanding
        if not self.made:
            self.prepare()
        window = [self.made.popleft() for _ in range(max(0, min(room, len(self.made))))]
        mine = self._faithfully([one.delivery_id for one in window])
        self.answers.clear()
        going = [one for one in window if one.delivery_id in mine]
        self.flying |= {one.delivery_id: one for one in going}
        if self.exchange is not None and going:
            self.exchange.keep(self.connections)
            self.exchange.hand_over([one.outgoing for one in going])

    def prepare(self) -> bool:
        """Make some of the next window's emails while the relay is at the last one; whether there was anything to do.

        Not more than half a window: just before they leave their bytes are still in the processor's cache.
        """
        if self.problem or not self.ready or len(self.made) * 2 > self.window:
            return False
        now, unmade = clock.now(), dict[int, Withdrawn | SuppleError]()
        for _ in range(min(AT_ONCE, len(self.ready))):
            draft = self.ready.popleft()
            found = guarded(partial(composing.make, draft, self.signers, now), draft.claimed.id)
            if isinstance(found, Sealed):
                self.made.append(found)
            else:
                unmade[draft.claimed.id] = found
        _write_off(unmade, self.way.relay_id, now)
        return True

    def _measure(self) -> None:
        """How many emails may be marked as sending at once (semantics 2.3): as many as the relay takes in a moment."""
        now = time.monotonic()
        if self.answers:
            most = rules.WINDOW * self.connections
            self.window = rules.next_window(self.window, len(self.answers), now - self.turned_at, most)
        self.turned_at = now

    def _faithfully(self, window: list[int]) -> set[int]:
        until, again = time.monotonic() + FAITHFUL, False
        while True:
            try:
                return self._commit(window, again=again)
            except (Busy, DBAPIError):
                if time.monotonic() > until or not (self.answers or self.flying):
                    raise
                self.log.warning("the database is away, what was answered is kept")
                time.sleep(1)
                again = True

    def _commit(self, window: list[int], *, again: bool) -> set[int]:
        now = clock.now()
        with transaction() as session:
            # The commit may have come through, and only its confirmation was lost.
            stand = handover.standing(session, [*window, *self.flying]) if again else {}
            answers = [answer for answer in self.answers if not again or stand.get(answer.key, ("",))[0] in UNSETTLED]
            for answer in answers:
                self.problem = self.problem or _refusal(self.way.name, answer.reply)
            if answers:
                self._record(answers, now)
            if time.monotonic() - self.kept_at > KEEP:
                handover.keep(session, self.worker, now)
                routing.draw(session, self.way.relay_id, self.worker, 0, now)
                self.kept_at = time.monotonic()
            mine = handover.begin_sending(session, window, self.worker) if window else set()
            mine |= {one for one in window if stand.get(one) == (State.SENDING, self.worker)}
            routing.unused(session, self.way.relay_id, len(window) - len(mine), now)
        for answer in self.answers:
            del self.flying[answer.key]
        return mine

    def _record(self, answers: Sequence[Answer], now: datetime) -> None:
        session = db.session()
        told = [(answer.key, answer.reply) for answer in answers if answer.reply is not None]
        back = [answer.key for answer in answers if answer.reply is None]
        if told:
            subjects = {key: self.flying[key].subject for key, _ in told}
            outcomes = handover.record(session, told, relay=self.way.name, subjects=subjects, now=now)
            self.accepted += outcomes[State.ACCEPTED]
            self._report(now, at_once=self.way.on_trial)
        for key, reply in told:
            self._heed(key, reply, now)
        if back:
            handover.give_back(session, back, self.worker, "The mail server could not be used.", now)

    def _report(self, now: datetime, *, at_once: bool) -> None:
        """Tell how many the relay took; once in a while, because all workers write the same row."""
        if self.accepted and (at_once or time.monotonic() - self.reported_at > TARDY):
            if not self.problem:
                routing.worked(db.session(), self.way.relay_id, self.accepted, now)
            self.accepted, self.reported_at = 0, time.monotonic()

    def _heed(self, key: int, reply: Reply, now: datetime) -> None:
        state = rules.outcome(reply)
        if state is State.ACCEPTED:
            self.log.debug("email handed over", delivery=key, outcome=state, code=reply.code)
            return
        self.log.info("email handed over", delivery=key, outcome=state, code=reply.code)
        if reply.code // 100 == 4:
            domain = self.flying[key].recipient.rpartition("@")[2].lower()
            routing.slow_down(db.session(), self.way.relay_id, domain, reply, now)

    def _open(self) -> None:
        made = transports.exchange(self.way.smtp, connections=self.connections, name=self.way.name)
        try:
            self.exchange = made.__enter__()
        except RelayError as problem:
            self.problem = problem

    def give_back(self, why: str) -> None:
        """Return what was claimed and not begun to the plan, and let go of the relay's budget for it."""
        left = [draft.claimed.id for draft in self.ready] + [one.delivery_id for one in self.made]
        now = clock.now()
        news = self.problem is not None and not self.told
        if not left and not news:
            return
        with suppress(Busy, DBAPIError), transaction() as session:  # else they are picked up in a later turn
            if self.problem is not None and news:
                self.log.warning("relay stopped", problem=self.problem.happened)
                routing.failed(session, self.way.relay_id, str(self.problem), now)
            if left:
                handover.give_back(session, left, self.worker, why, now)
                routing.unused(session, self.way.relay_id, len(left), now)
        self.told = self.problem is not None
        self.ready.clear()
        self.made.clear()

    def close(self) -> None:
        """Let go of the connections."""
        if self.exchange is not None:
            self.exchange.__exit__(None, None, None)
            self.exchange = None
        with transaction() as session:
            self._report(clock.now(), at_once=True)
            routing.release(session, self.way.relay_id, self.worker)


def _refusal(name: str, reply: Reply | None) -> RelayError | None:
    """The relay refuses us, not this reader (semantics 2.8): then nobody else's email is tried on it."""
    if reply is None or not rules.stops_relay(reply):
        return None
    return RelayError(f"The mail server {name} refuses us: {reply.code} {reply.text}")


def _write_off(unmade: Mapping[int, Withdrawn | SuppleError], relay_id: int, now: datetime) -> None:
    """Write down which emails are not to be sent (now), and why."""
    if not unmade:
        return
    whys: dict[str, list[int]] = {}
    with transaction() as session:
        for delivery_id, found in unmade.items():
            if isinstance(found, Withdrawn):
                whys.setdefault(found.why, []).append(delivery_id)
            else:
                handover.fail_template(session, delivery_id, str(found), now)
        for why, ids in whys.items():
            handover.withdraw(session, ids, why, now)
        routing.unused(session, relay_id, len(unmade), now)
