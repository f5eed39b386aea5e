"""What the ledger decides: which arrows there are, when to try again, what an answer of a relay means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where the work on an email stands (semantics 2.2); what a person reads is in `STATE_WORDS`."""

    PLANNED = "planned"  # waits for its moment
    CLAIMED = "claimed"  # a worker prepares it; falls back to planned when the lease ends
    SENDING = "sending"  # bytes may be leaving; after a crash only these are uncertain
    ACCEPTED = "accepted"  # the relay said yes
    DEFERRED = "deferred"  # the relay said later, or the template failed; tried again at due_at
    REJECTED = "rejected"  # the relay said never
    UNKNOWN = "unknown"  # the answer was lost; sent again by itself only when transactional
    CANCELED = "canceled"  # not sent, with the reason
    EXPIRED = "expired"  # deferred for 72 hours


class EventKind(StrEnum):
    """What happens to an email beside its work states (semantics 2.2)."""

    BOUNCED = "bounced"  # a report came back after the relay had accepted it
    COMPLAINED = "complained"  # its reader pressed "this is spam"
    AGAIN = "sent again"  # an operator's decision about an uncertain one
    COUNTED = "counted as sent"  # an operator's decision about an uncertain one
    CANCELED = "canceled"  # by an operator
    HURRIED = "sent at once"  # an operator did not want to wait
    LATE = "sent late"  # it was held as overdue, and an operator let it go


STATE_WORDS = {
    State.PLANNED: "planned",
    State.CLAIMED: "being prepared",
    State.SENDING: "being sent",
    State.ACCEPTED: "sent",
    State.DEFERRED: "will be tried again",
    State.REJECTED: "refused by their mail server",
    State.UNKNOWN: "uncertain",
    State.CANCELED: "canceled",
    State.EXPIRED: "given up after 72 hours",
}


class Lane(IntEnum):
    """Who goes first when several wait: the lower number."""

    TRANSACTIONAL = 0  # confirmation and magnet: a person is looking at their inbox
    SEQUENCE = 1
    BULK = 2


# Every arrow of the work on an email; no other change of state exists (semantics 2.2).
ARROWS: dict[State, frozenset[State]] = {
    State.PLANNED: frozenset({State.CLAIMED, State.CANCELED}),
    State.CLAIMED: frozenset(
        {
            State.SENDING,
            State.PLANNED,  # the lease ended, or the worker gave it back
            State.CANCELED,  # not eligible any more
            State.DEFERRED,  # its template failed for this reader
        }
    ),
    State.SENDING: frozenset(
        {
            State.ACCEPTED,
            State.DEFERRED,
            State.REJECTED,
            State.UNKNOWN,
            State.PLANNED,  # the relay stopped before this email's bytes began
        }
    ),
    State.DEFERRED: frozenset({State.CLAIMED, State.CANCELED, State.EXPIRED}),
    State.UNKNOWN: frozenset(
        {
            State.PLANNED,  # sent again: by itself when transactional, else by the operator
            State.ACCEPTED,  # the operator counts it as sent
        }
    ),
    State.ACCEPTED: frozenset(),
    State.REJECTED: frozenset(),
    State.CANCELED: frozenset(),
    State.EXPIRED: frozenset(),
}
WAITING = (State.PLANNED, State.DEFERRED)
ENDED = frozenset({State.ACCEPTED, State.REJECTED, State.CANCELED, State.EXPIRED})

# Where a claimed email of a held broadcast waits: out of the way of every claim, until it is let go.
PARKED = datetime(9999, 1, 1, tzinfo=UTC)
# Where a series email waits that is too late to go without being asked about (semantics 3.16), and one of a reader
# whose series is paused (3.15). Days of their own, so that the index of what waits finds either without a search.
OVERDUE = datetime(9999, 2, 1, tzinfo=UTC)
PAUSED = datetime(9999, 3, 1, tzinfo=UTC)

# Marked as sending in one commit: after a crash at most this many per connection are uncertain (semantics 2.3).
WINDOW = 50
# An urgent email waits for the window before it: no more than goes out in about this time (semantics 2.7).
WINDOW_SECONDS = 0.5
SMALLEST_WINDOW = 4
# Claimed and made in one go: few enough to be made in a moment, enough that its statements cost each email little.
BATCH = 500

# A worker that has not finished a claim after this long is taken for dead; one batch takes seconds.
LEASE = timedelta(minutes=5)
# RFC 5321 section 4.5.4.1 asks for 4 to 5 days; a workout that comes three days late is no use to anybody.
GIVE_UP_AFTER = timedelta(hours=72)

# An operator waits for a test email in front of the screen: after five minutes of tries the problem is worth more.
TRIAL_TRIES = 5
TRIALS_AT_ONCE = 10

# An email whose answer was lost may have arrived; a third copy helps nobody, the operator decides then.
MOST_REPEATS = 3

AGAIN_GAP = timedelta(minutes=10)
AGAIN_DAILY = 3


class Claimed(NamedTuple):
    """What a worker holds of an email while it makes and sends it."""

    id: int
    reason: str
    lane: int
    subscriber_id: int
    message_id: str
    planned_at: datetime
    due_at: datetime
    attempts: int


@dataclass(frozen=True)
class Reply:
    """A relay's answer to one email: SMTP code (0: none came), enhanced code (RFC 3463), text, and what it is about.

    `about` is `recipient`, or `session` when the relay refuses us: then no reader is to blame.
    """

    code: int
    enhanced: str = ""
    text: str = ""
    about: str = "recipient"


def batch_of(reason: str, lane: int) -> str:
    """What an email is counted under: its broadcast, or its lane."""
    return reason if lane == Lane.BULK else f"lane:{lane}"


def next_window(size: int, answered: int, seconds: float, most: int) -> int:
    """How many emails to have under way next, when so many were answered in `seconds`: what goes out in half a second.

    At most twice as many as before, so that a slow relay is found out by a few emails.
    """
    fitting = int(answered * WINDOW_SECONDS / seconds) if seconds > 0 else most
    return max(SMALLEST_WINDOW, min(fitting, size * 2, most))


def outcome(reply: Reply) -> State:
    """Where an email goes after the relay's answer (semantics 2.8)."""
    if 200 <= reply.code < 300:
        return State.ACCEPTED
    if not 400 <= reply.code < 600:
        return State.UNKNOWN  # no answer, or none that SMTP knows: it may have gone
    if reply.code < 500 or stops_relay(reply):
        return State.DEFERRED
    return State.REJECTED


def stops_relay(reply: Reply) -> bool:
    """Whether the answer is about us (sign-in, policy, sender) and not about this reader (semantics 2.8)."""
    return reply.code >= 500 and (reply.about == "session" or reply.enhanced.startswith("5.7."))


def try_again_after(attempts: int, reply: Reply, jitter: float) -> timedelta:
    """How long a deferred email waits: exponential, by kind; `jitter` in [0, 1) spreads a crowd over half as much more.

    Greylisting wants minutes, a full mailbox hours (RFC 3463: 4.2.2); the rest doubles from 5 minutes to 4 hours.
    """
    first = timedelta(hours=2) if reply.enhanced == "4.2.2" else timedelta(minutes=5)
    wait: timedelta = min(first * 2 ** min(max(attempts - 1, 0), 9), timedelta(hours=4))
    return wait * (1 + jitter / 2)


def is_given_up(first_tried_at: datetime, now: datetime) -> bool:
    """Whether a deferred email has been tried for long enough."""
    return now - first_tried_at > GIVE_UP_AFTER


def sent_again_by_itself(lane: int, attempts: int) -> bool:
    """Whether an uncertain email is repeated without asking (semantics 2.4): a person waits for these.

    Not for ever: a relay that takes every email and always drops the line would fill the person's inbox.
    """
    return lane == Lane.TRANSACTIONAL and attempts < MOST_REPEATS


def may_send_again(times: Sequence[datetime], now: datetime) -> bool:
    """The cool-down for what a visitor can ask for: at most one per 10 minutes and three per day (semantics 1.2)."""
    recent = [at for at in times if now - at < timedelta(days=1)]
    return len(recent) < AGAIN_DAILY and all(now - at >= AGAIN_GAP for at in recent)
