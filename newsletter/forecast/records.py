"""What the calendar reads of the rooms below: what was really sent, what emails are called, what changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, case, func, select, type_coerce
from sqlalchemy.orm import Session

from newsletter.accounts.models import AuditEntry, Studio
from newsletter.audience import queries as audience
from newsletter.audience.models import Subscriber, SubscriberTag, Tag
from newsletter.broadcasts import rules as broadcast_rules
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import RUNNING, BroadcastState
from newsletter.database.base import UtcDateTime
from newsletter.delivery.models import ENDED_OR_UNKNOWN, Delivery, in_state
from newsletter.delivery.rules import OVERDUE, Lane, State
from newsletter.errors import SuppleError
from newsletter.forecast.calendar import AT_ONCE, Cell
from newsletter.forecast.subjects import subject
from newsletter.sequences import queries as sequences
from newsletter.sequences.models import Enrollment, Step
from newsletter.sequences.models import Sequence as Series

# `step:45:enrollment:9` is one reader's; without the number at its end it is the step's. Both databases know rtrim.
_STEP = func.rtrim(Delivery.reason, "0123456789")
_ITEM: ColumnElement[str] = case(
    (Delivery.lane == int(Lane.SEQUENCE), _STEP), (Delivery.lane == int(Lane.BULK), Delivery.reason), else_=AT_ONCE
)
_ENDED: ColumnElement[datetime] = type_coerce(
    Delivery.ended_at, UtcDateTime()
)  # of one that was sent it is never empty
HUES = 5  # colours for series, in the order of their making


@dataclass(frozen=True)
class Heading:
    """What an email of the calendar is called: its subject, and where it comes from ("Core series, email 3")."""

    item: str
    subject: str
    origin: str
    series: str = ""  # the slug; empty for what belongs to none
    key: str = ""  # of the step
    sequence_id: int = 0
    step_id: int = 0
    broadcast_id: int = 0
    hue: int = 0


@dataclass(frozen=True)
class Marks:
    """Two hashes: of what an operator set, and of that nobody joined or was planned anything meanwhile."""

    structure: str
    data: str


def _sent(start: datetime, end: datetime) -> tuple[Any, ...]:
    # The first condition is the partial index's own words: without them neither database sees that it fits.
    return (
        in_state(*ENDED_OR_UNKNOWN),
        Delivery.state == State.ACCEPTED,
        Delivery.ended_at >= start,
        Delivery.ended_at < end,
    )


def tagged(tag: str) -> Select[int]:
    """The ids of everybody with a tag."""
    return select(SubscriberTag.subscriber_id).join(Tag, Tag.id == SubscriberTag.tag_id).where(Tag.name == tag)


def sent(session: Session, day: date, start: datetime, end: datetime, *, tag: str = "") -> list[Cell]:
    """What was sent between two moments, by email; only to who has the tag."""
    span = func.min(_ENDED), func.max(_ENDED)
    found = select(_ITEM.label("item"), func.count(), func.count(Delivery.moved_from), *span)
    found = found.where(*_sent(start, end)).group_by("item")
    if tag:
        found = found.where(Delivery.subscriber_id.in_(tagged(tag)))
    return [
        Cell(day, _item(item), count, moved, first, last) for item, count, moved, first, last in session.execute(found)
    ]


def _item(counted: str) -> str:
    return ":".join(counted.split(":")[:2])


def sent_to_reader(session: Session, reader: int, start: datetime, end: datetime, zone: ZoneInfo) -> list[Cell]:
    """Every email that one reader was sent between two moments, each by itself."""
    # Without the partial index's words, so that the index of readers is taken: one has few emails.
    found = select(_ITEM, _ENDED).where(
        Delivery.subscriber_id == reader, Delivery.state == State.ACCEPTED, Delivery.ended_at >= start,
        Delivery.ended_at < end,
    )  # fmt: skip
    return [Cell(at.astimezone(zone).date(), _item(item), 1, 0, at, at) for item, at in session.execute(found)]


def sent_to(item: str, start: datetime, end: datetime, *, tag: str = "") -> Select[Delivery, Subscriber]:
    """Who was sent one email between two moments, in that order."""
    if item == AT_ONCE:
        same = Delivery.lane == int(Lane.TRANSACTIONAL)
    elif item.startswith("step:"):
        same = Delivery.reason.startswith(f"{item}:", autoescape=True)
    else:
        same = Delivery.reason == item
    found = (
        select(Delivery, Subscriber)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(*_sent(start, end), same)
        .order_by(Delivery.ended_at, Delivery.id)
    )
    return found.where(Delivery.subscriber_id.in_(tagged(tag))) if tag else found


def headings(session: Session, items: Iterable[str]) -> dict[str, Heading]:
    """What these emails are called; one whose step or broadcast is gone is named as such."""
    wanted = {item: int(item.partition(":")[2]) for item in items if item != AT_ONCE}
    steps = sequences.steps_by_id(session, {number for item, number in wanted.items() if item.startswith("step:")})
    places = {key: at for number in {row.sequence_id for row in steps.values()} for key, at in _places(session, number)}
    hues = {number: at % HUES for at, number in enumerate(session.scalars(select(Series.id).order_by(Series.id)))}
    found = {AT_ONCE: Heading(AT_ONCE, "Sign-ups and gifts", "sent the moment somebody asked")}
    for item, number in wanted.items():
        if item.startswith("step:"):
            row = steps.get(number)
            found[item] = (
                _of_step(session, item, row, places, hues) if row else Heading(item, "An email", "of a series")
            )
        else:
            found[item] = _of_broadcast(session, item, number)
    return found


def _places(session: Session, sequence_id: int) -> list[tuple[int, int]]:
    emails = [row for row in sequences.steps(session, sequence_id) if row.kind == "email"]
    return [(row.id, at) for at, row in enumerate(emails, 1)]


def _of_step(session: Session, item: str, row: Step, places: dict[int, int], hues: dict[int, int]) -> Heading:
    series = sequences.sequence(session, row.sequence_id)
    place = f"email\N{NO-BREAK SPACE}{places[row.id]}" if row.id in places else "an email taken out since"
    words = _subject(session, row.source)
    hue = hues.get(series.id, 0)
    return Heading(item, words, f"{series.name}, {place}", series.slug, row.key, series.id, row.id, hue=hue)


def _of_broadcast(session: Session, item: str, number: int) -> Heading:
    row = session.get(Broadcast, number)
    if row is None:
        return Heading(item, "An email to many", "deleted since")
    who = broadcast_rules.audience(row.audience)
    whom = {"tag": f"Email to everybody tagged {who.tag}", "person": "Email to one person"}
    words = _subject(session, row.source) or row.subject
    return Heading(item, words, whom.get(str(who.whom), "Email to everybody"), broadcast_id=row.id)


def _subject(session: Session, source: str) -> str:
    """As a reader without a name sees it."""
    try:
        return subject(session, source, audience.invented(""))
    except SuppleError:
        return ""


def series(session: Session) -> Sequence[tuple[str, str]]:
    """Every series, by its name, as slug and name."""
    return [(slug, name) for slug, name in session.execute(select(Series.slug, Series.name).order_by(Series.name))]


def marks(session: Session) -> Marks:
    """Whether what was worked out still holds."""
    structure = _hash(session, [
        select(Series).order_by(Series.id),
        select(Step).order_by(Step.id),
        select(Broadcast.id, Broadcast.state, Broadcast.send_at, Broadcast.audience)
        .where(Broadcast.state.in_({*RUNNING, BroadcastState.QUEUED})).order_by(Broadcast.id),
        select(Studio),
    ])  # fmt: skip
    newest = [select(func.max(model.id)) for model in (Subscriber, Enrollment, Delivery, AuditEntry)]
    return Marks(structure, _hash(session, newest))


def _hash(session: Session, questions: Sequence[Select[*tuple[Any, ...]]]) -> str:
    found = hashlib.sha256()
    for question in questions:
        for row in session.connection().execute(question):
            found.update(repr(tuple(row)).encode())
    return found.hexdigest()


def highest_reader(session: Session) -> int:
    """The newest reader's id, for telling how far a look through all of them is."""
    return session.scalar(select(func.max(Subscriber.id))) or 0


def steps_of(session: Session, slugs: Collection[str]) -> dict[tuple[str, str], tuple[int, int]]:
    """The ids of the series of these names and of their steps, by the names of both."""
    found = select(Series.slug, Step.key, Series.id, Step.id).join(Step, Step.sequence_id == Series.id)
    return {(row[0], row[1]): (row[2], row[3]) for row in session.execute(found.where(Series.slug.in_(slugs)))}


def held(session: Session, reader: int) -> int:
    """How many emails of a reader wait for the operator because they are long overdue (semantics 3.16)."""
    waits = in_state(State.PLANNED, State.DEFERRED), Delivery.due_at == OVERDUE
    return session.scalar(select(func.count(Delivery.id)).where(Delivery.subscriber_id == reader, *waits)) or 0
