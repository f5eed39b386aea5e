"""What the overview warns of, the days of its chart, and the first steps: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# A worker gives a sign of life every minute; three missed ones are no coincidence.
SILENCE = timedelta(minutes=3)


@dataclass(frozen=True)
class Warning:  # noqa: A001 - it is the word an operator reads
    """Something that wants the operator's hand: what is so, what it means, what to do, and where."""

    happened: str
    means: str
    remedy: str
    url: str = ""
    word: str = ""
    grave: bool = False


@dataclass(frozen=True)
class Health:
    """What the warnings are made of."""

    now: datetime
    smtp: bool
    local: bool
    postal_address: bool
    last_beat: datetime | None
    relays: Sequence[tuple[str, str]] = ()  # name and problem
    relays_left: bool = False  # another mail server works
    paused: Sequence[tuple[int, str, str]] = ()  # id, subject and why
    uncertain: int = 0
    series_paused: bool = False  # all of them
    overdue: int = 0  # emails of series that are too late to go without a word
    retried: int = 0
    refused_lately: int = 0
    held_comments: int = 0
    broken_magnets: Sequence[tuple[str, str]] = field(default=())  # title and problem
    broken_broadcasts: Sequence[tuple[str, str]] = field(default=())  # subject and problem


@dataclass(frozen=True)
class Day:
    """One day of the chart in the studio's zone: [start, end) in UTC."""

    date: date
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Bar:
    """A day's bar: how many signed up, how many of them confirmed, and both as heights in percent of the highest."""

    date: date
    signed_up: int
    confirmed: int
    height: float
    confirmed_height: float


@dataclass(frozen=True)
class Step:
    """One first step of a new installation."""

    word: str
    why: str
    url: str
    done: bool


def plural(count: int, one: str, many: str) -> str:
    """A count with its word: 1 email, 3 emails."""
    return f"{count:,} {one if count == 1 else many}"


def warnings(health: Health) -> list[Warning]:
    """What wants the operator's hand, the gravest first."""
    found = [*_standstill(health), *_going_live(health), *_broken(health), *_emails(health)]
    return sorted(found, key=lambda warning: not warning.grave)


def _standstill(health: Health) -> list[Warning]:
    found = []
    if health.last_beat is None or health.now - health.last_beat > SILENCE:
        found.append(
            Warning(
                "The part that sends emails is not running.",
                "Sign-ups are kept, and every email waits safely until it runs again.",
                "Ask the person who hosts this site to restart Supple.",
                grave=True,
            )
        )
    for name, problem in health.relays:
        waits = "Emails go through the other one meanwhile." if health.relays_left else "Every email waits."
        found.append(
            Warning(
                f"The mail server {name} does not take emails.",
                f"It says: {problem} {waits} It is asked again by itself.",
                "If it lasts for more than an hour, ask the person who hosts this site to check it.",
                "/admin/relays",
                "Look at your mail servers",
                grave=not health.relays_left,
            )
        )
    if health.series_paused:
        found.append(
            Warning(
                "All series are paused.",
                "Nobody gets an email of a series until you end the pause.",
                "When you do, you choose what becomes of the emails that came due meanwhile.",
                "/admin/sequences/pauses",
                "End the pause",
            )
        )
    for number, subject, why in health.paused:
        found.append(
            Warning(
                f"The email “{subject}” is paused.",
                why,
                "Have a look, then let it go on or cancel it.",
                f"/admin/broadcasts/{number}",
                "Look at it",
                grave=True,
            )
        )
    return found


def _going_live(health: Health) -> list[Warning]:
    found = []
    if not health.smtp:
        found.append(
            Warning(
                "No mail server is connected, so emails stay in the built-in mailbox.",
                "That is right for trying things out; real readers get nothing yet.",
                "To go live, name your provider's mail server; SMTP_URL does the same where the site is hosted.",
                "/admin/relays",
                "Name a mail server",
            )
        )
    if health.smtp and health.local:
        found.append(
            Warning(
                "The links in your emails lead to the computer this site runs on.",
                "Readers elsewhere cannot open them.",
                "The person who hosts this site sets BASE_URL to its public address.",
                grave=True,
            )
        )
    if not health.postal_address:
        found.append(
            Warning(
                "Your postal address is missing.",
                "Most countries ask for it under every newsletter.",
                "Write it into the settings.",
                "/admin/settings#postal_address",
                "Add your address",
            )
        )
    return found


def _broken(health: Health) -> list[Warning]:
    gifts = [
        Warning(
            f"The gift “{title}” could not be made.", problem, "Look at what it says and try again.", "/admin/magnets",
            "Look at your gifts", grave=True,
        )
        for title, problem in health.broken_magnets
    ]  # fmt: skip
    emails = [
        Warning(
            f"The email “{subject}” did not start.", problem, "Mend it and queue it again.", "/admin/broadcasts",
            "Look at your emails", grave=True,
        )
        for subject, problem in health.broken_broadcasts
    ]  # fmt: skip
    return gifts + emails


def _emails(health: Health) -> list[Warning]:
    found = []
    if health.uncertain:
        found.append(
            Warning(
                f"{plural(health.uncertain, 'email', 'emails')} may or may not have arrived.",
                "The connection broke at the very moment of sending.",
                "Decide whether to send again or to count as sent.",
                "/admin/ledger?state=unknown",
                "Decide now",
            )
        )
    if health.overdue:
        found.append(
            Warning(
                f"{plural(health.overdue, 'email of a series is', 'emails of series are')} too late to go unasked.",
                "Nothing was sent, and the next emails of these readers wait as well.",
                "Say whether they still go, or are left out.",
                "/admin/ledger/overdue",
                "Decide now",
                grave=True,
            )
        )
    if health.retried:
        found.append(
            Warning(
                f"{plural(health.retried, 'email', 'emails')} could not be handed over yet.",
                "They are tried again by themselves for three days.",
                "Usually there is nothing to do.",
                "/admin/ledger?state=deferred",
                "See them",
            )
        )
    if health.refused_lately:
        found.append(
            Warning(
                f"{plural(health.refused_lately, 'email was', 'emails were')} refused in the last seven days.",
                "Most often the address does not exist any more.",
                "Have a look at what their mail servers said.",
                "/admin/ledger?state=rejected",
                "See them",
            )
        )
    if health.held_comments:
        found.append(
            Warning(
                f"{plural(health.held_comments, 'comment waits', 'comments wait')} for you.",
                "Nobody else sees a comment before you let it through.",
                "Read it, and approve or remove it.",
                "/admin/comments",
                "Read comments",
            )
        )
    return found


def last_days(now: datetime, zone: ZoneInfo, count: int) -> list[Day]:
    """The last `count` calendar days in `zone`, today last; a day of a clock change has 23 or 25 hours."""
    today = now.astimezone(zone).date()
    dates = [today - timedelta(days=back) for back in range(count - 1, -1, -1)]
    return [Day(day, _midnight(day, zone), _midnight(day + timedelta(days=1), zone)) for day in dates]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def bars(days: Sequence[Day], counted: Sequence[tuple[int, int]]) -> list[Bar]:
    """The bars of a chart from (signed up, of these confirmed) per day."""
    # At least 4, so that a single sign-up in a quiet month does not stand there like a tower.
    highest = max([4, *(signed_up for signed_up, _ in counted)])
    return [
        Bar(day.date, signed_up, confirmed, 100 * signed_up / highest, 100 * confirmed / highest)
        for day, (signed_up, confirmed) in zip(days, counted, strict=True)
    ]


def first_steps(*, named: bool, tried: bool, postal_address: bool, smtp: bool) -> list[Step]:
    """What to do in a new installation, in this order."""
    return [
        Step("Name your studio", "Readers see the name and your colours everywhere.", "/admin/settings", named),
        Step("See your page", "Sign up yourself with a second address, as a reader would.", "/", tried),
        Step("Read the emails", "Open the series and make the words your own.", "/admin/sequences", False),
        Step(
            "Add your postal address",
            "Most countries ask for it.",
            "/admin/settings#postal_address",
            postal_address,
        ),
        Step(
            "Connect a mail server",
            "Until then emails stay in the built-in mailbox; your host sets SMTP_URL.",
            "" if smtp else "/mailbox",
            smtp,
        ),
    ]
