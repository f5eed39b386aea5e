"""Reads about subscribers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from newsletter.addresses import Address
from newsletter.audience.history import HistoryLine
from newsletter.audience.models import Consent, Subscriber, SubscriberEvent, SubscriberTag, Suppression, Tag
from newsletter.audience.rules import Status
from newsletter.work.claims import among


def subscriber(session: Session, subscriber_id: int) -> Subscriber | None:
    """The subscriber with that id."""
    return session.get(Subscriber, subscriber_id)


def living(session: Session, ids: Collection[int]) -> set[int]:
    """Those of these people who are there and not erased."""
    found = select(Subscriber.id).where(Subscriber.id.in_(ids), Subscriber.status != Status.ERASED)
    return set(session.scalars(found))


def invented(first_name: str) -> Subscriber:
    """Somebody who does not exist, to look at emails as; their id 0 makes every link one that changes nothing."""
    email, last_name = "alice@example.org", "Example" if first_name else ""
    return Subscriber(id=0, email=email, first_name=first_name, last_name=last_name, timezone="", fields={})


def double_of(person: Subscriber) -> Subscriber:
    """A reader's likeness for previews; its id 0 makes every link in the preview one that changes nothing."""
    return Subscriber(
        id=0,
        email=person.email,
        first_name=person.first_name,
        last_name=person.last_name,
        timezone=person.timezone,
        fields=person.fields,
    )


def fresh(session: Session, subscriber_id: int) -> Subscriber:
    """The subscriber as the database has it now, whatever was read before."""
    return session.get_one(Subscriber, subscriber_id, populate_existing=True)


class Reader(NamedTuple):
    """What an email may need of a subscriber, read for a whole batch: lighter than the row as an object."""

    id: int
    email: str
    email_key: str
    first_name: str
    last_name: str
    timezone: str
    fields: dict[str, Any]
    status: str
    marketing: bool


def readers(session: Session, ids: Sequence[int]) -> dict[int, Reader]:
    """These subscribers as the database has them now, by id."""
    columns = [getattr(Subscriber, name) for name in Reader._fields]
    rows = session.connection().execute(select(*columns).where(among(session, Subscriber.id, ids)))
    return {row[0]: Reader._make(row) for row in rows}


def readers_after(session: Session, after_id: int, limit: int) -> list[Reader]:
    """The next `limit` subscribers in the order of their ids, erased ones left out."""
    columns = [getattr(Subscriber, name) for name in Reader._fields]
    found = select(*columns).where(Subscriber.id > after_id, Subscriber.status != Status.ERASED)
    rows = session.connection().execute(found.order_by(Subscriber.id).limit(limit))
    return [Reader._make(row) for row in rows]


def tag_names_of(session: Session, ids: Sequence[int]) -> dict[int, list[str]]:
    """The tags of these people, by id; who has none is left out."""
    found = (
        select(SubscriberTag.subscriber_id, Tag.name)
        .join(Tag, Tag.id == SubscriberTag.tag_id)
        .where(among(session, SubscriberTag.subscriber_id, ids))
        .order_by(Tag.name)
    )
    tags: dict[int, list[str]] = {}
    for person, name in session.connection().execute(found):
        tags.setdefault(person, []).append(name)
    return tags


def only(subscriber_id: int) -> Select[int]:
    """The id of one subscriber as a selection, empty when there is no such person."""
    return select(Subscriber.id).where(Subscriber.id == subscriber_id)


def by_address(session: Session, address: Address) -> Subscriber | None:
    """The subscriber with that address."""
    return session.scalar(select(Subscriber).where(Subscriber.email_key == address.key))


def required(session: Session, address: Address) -> Subscriber:
    """The subscriber with that address, who is known to be there."""
    return session.scalars(select(Subscriber).where(Subscriber.email_key == address.key)).one()


def by_keys(session: Session, keys: Sequence[str]) -> dict[str, Subscriber]:
    """The subscribers with these address keys, by key."""
    found = session.scalars(select(Subscriber).where(Subscriber.email_key.in_(keys)))
    return {person.email_key: person for person in found}


def ids_by_keys(session: Session, keys: Sequence[str]) -> dict[str, int]:
    """The ids of the subscribers with these address keys, by key."""
    found = session.execute(select(Subscriber.email_key, Subscriber.id).where(Subscriber.email_key.in_(keys)))
    return {key: subscriber_id for key, subscriber_id in found}  # noqa: C416 - a row is not a pair for dict()


def reachable_among(session: Session, ids: Sequence[int]) -> list[int]:
    """Those of these people who may get a broadcast."""
    return list(session.scalars(reachable().where(Subscriber.id.in_(ids)).order_by(Subscriber.id)))


def tag_ids(session: Session, names: Sequence[str]) -> dict[str, int]:
    """The ids of these tags, by name."""
    found = session.execute(select(Tag.name, Tag.id).where(Tag.name.in_(names)))
    return {name: tag_id for name, tag_id in found}  # noqa: C416 - a row is not a pair for dict()


def suppressed(session: Session, fingerprints: Iterable[str]) -> dict[str, str]:
    """Why nothing may be sent to these, by keyed hash; those that may get something are left out."""
    these = among(session, Suppression.fingerprint, list(fingerprints))
    found = session.connection().execute(select(Suppression.fingerprint, Suppression.reason).where(these))
    return {fingerprint: reason for fingerprint, reason in found}  # noqa: C416


def suppressed_because(session: Session, fingerprint: str) -> str | None:
    """Why nothing may be sent to the address with that keyed hash; None when it may."""
    return session.scalar(select(Suppression.reason).where(Suppression.fingerprint == fingerprint))


def tags(session: Session) -> Sequence[tuple[Tag, int]]:
    """Every tag with how many people have it."""
    counted = (
        select(Tag, func.count(SubscriberTag.subscriber_id))
        .outerjoin(SubscriberTag, SubscriberTag.tag_id == Tag.id)
        .group_by(Tag.id)
        .order_by(Tag.name)
    )
    return [(tag, count) for tag, count in session.execute(counted)]


def tag_names(session: Session, subscriber_id: int) -> list[str]:
    """The tags of one person."""
    found = (
        select(Tag.name)
        .join(SubscriberTag, SubscriberTag.tag_id == Tag.id)
        .where(SubscriberTag.subscriber_id == subscriber_id)
    )
    return list(session.scalars(found.order_by(Tag.name)))


def reachable(tag: str = "") -> Select[int]:
    """The ids of everyone who may get a broadcast, or of those among them with `tag`."""
    found = select(Subscriber.id).where(Subscriber.status == Status.CONFIRMED, Subscriber.marketing)
    if tag:
        found = (
            found.join(SubscriberTag, SubscriberTag.subscriber_id == Subscriber.id)
            .join(Tag, Tag.id == SubscriberTag.tag_id)
            .where(Tag.name == tag)
        )
    return found


def count_reachable(session: Session, tag: str = "") -> int:
    """How many may get a broadcast, or how many of those with `tag`."""
    return session.scalar(select(func.count()).select_from(reachable(tag).subquery())) or 0


def latest_consent(session: Session, subscriber_id: int) -> Consent | None:
    """The consent a person asked for last."""
    found = select(Consent).where(Consent.subscriber_id == subscriber_id)
    return session.scalar(found.order_by(Consent.id.desc()).limit(1))


def consent(session: Session, consent_id: int) -> Consent | None:
    """The consent with that id."""
    return session.get(Consent, consent_id)


def consents(session: Session, subscriber_id: int) -> Sequence[Consent]:
    """Everything a person consented to, newest first."""
    found = select(Consent).where(Consent.subscriber_id == subscriber_id)
    return session.scalars(found.order_by(Consent.id.desc())).all()


def history(session: Session, subscriber_id: int) -> list[HistoryLine]:
    """What happened with a person in this room."""
    events = _events(session, subscriber_id)
    lines = [HistoryLine(event.at, event.kind, event.detail or event.kind) for event in events]
    for given in consents(session, subscriber_id):
        what = "the gift and follow-ups" if given.marketing else "the gift only"
        lines.append(HistoryLine(given.requested_at, "consent", f"Asked for {what}"))
    return lines


def _events(session: Session, subscriber_id: int) -> Sequence[SubscriberEvent]:
    found = select(SubscriberEvent).where(SubscriberEvent.subscriber_id == subscriber_id)
    return session.scalars(found.order_by(SubscriberEvent.id)).all()


def held(session: Session, subscriber_id: int) -> dict[str, Any]:
    """Everything this room holds about a person, for their own copy."""
    person = session.get_one(Subscriber, subscriber_id)
    return {
        "person": _columns(person, leave_out={"id", "email_key"}) | {"tags": tag_names(session, subscriber_id)},
        "consents": [_columns(given, leave_out={"id", "subscriber_id"}) for given in consents(session, subscriber_id)],
        "history": [_columns(event, leave_out={"id", "subscriber_id"}) for event in _events(session, subscriber_id)],
    }


def _columns(row: Subscriber | Consent | SubscriberEvent, leave_out: set[str]) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__mapper__.columns if column.key not in leave_out}
