"""Writes about subscribers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, literal, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from newsletter import tokens
from newsletter.addresses import Address
from newsletter.audience import occasions, queries, rules
from newsletter.audience.models import Consent, Subscriber, SubscriberEvent, SubscriberTag, Suppression, Tag
from newsletter.audience.rules import Happened, Status
from newsletter.work.claims import insert_missing

ERASED = "erased"  # the suppression that only keeps imports out: a fresh sign-up by the person themselves lifts it
Forget = Callable[[Session, int], None]
Absorb = Callable[[Session, int, int], None]


def remember(session: Session, address: Address, *, source: str, now: datetime) -> Subscriber:
    """The subscriber with that address, made (pending) when there is none."""
    known = queries.by_address(session, address)
    if known is not None:
        return known
    person = Subscriber(
        email=address.text, email_key=address.key, status=Status.PENDING, source=source, created_at=now, fields={}
    )
    try:
        with session.begin_nested():
            session.add(person)
    except IntegrityError:
        # A double click: the other request made them between the look and the write.
        return queries.required(session, address)
    return person


def note(session: Session, subscriber_id: int, kind: str, detail: str, now: datetime) -> None:
    """Write a line into a person's history."""
    session.add(SubscriberEvent(subscriber_id=subscriber_id, at=now, kind=kind, detail=detail[:300]))


def note_each(session: Session, kind: str, details: Mapping[int, str], now: datetime) -> None:
    """Write a line of its own into the history of each of these people, in one statement however many they are."""
    rows = [{"subscriber_id": one, "at": now, "kind": kind, "detail": said[:300]} for one, said in details.items()]
    if rows:
        session.execute(insert(SubscriberEvent), rows)


def set_zone(session: Session, person: Subscriber, zone: str, now: datetime) -> None:
    """Keep another time zone of a person, "" for the studio's; what is planned for them moves (semantics 3.8)."""
    if person.timezone != zone:
        note(session, person.id, "time zone", rules.zone_words(person.timezone, zone), now)
        person.timezone = zone
        occasions.happened(session, person.id, Happened.ZONE, "", now)


def record_consent(session: Session, **record: Any) -> Consent:
    """Keep what a person just agreed to; `record` are the columns of a consent."""
    consent = Consent(**record)
    session.add(consent)
    session.flush()
    return consent


def confirm(session: Session, consent: Consent, now: datetime) -> Subscriber:
    """The person pressed the button: they are confirmed, with what this consent allows.

    An old link does not bring back who bounced, complained or was erased since (semantics 1.2).
    """
    person = session.get_one(Subscriber, consent.subscriber_id)
    consent.confirmed_at = consent.confirmed_at or now
    if person.status in rules.CLOSED:
        note(session, person.id, "confirmed", "Pressed the button of an old email; nothing was changed", now)
        return person
    if person.status != Status.CONFIRMED:
        person.marketing = consent.marketing
        person.confirmed_at = now
        person.unsubscribed_at = None
    else:
        person.marketing = person.marketing or consent.marketing
    person.status = Status.CONFIRMED
    note(session, person.id, "confirmed", "Confirmed the address", now)
    return person


def unsubscribe(session: Session, subscriber_id: int, detail: str, now: datetime) -> None:
    """End all marketing to a person; their consents are kept with the moment of withdrawal."""
    person = session.get_one(Subscriber, subscriber_id)
    person.marketing = False
    if person.status in {Status.CONFIRMED, Status.PENDING}:
        person.status = Status.UNSUBSCRIBED
        person.unsubscribed_at = now
    session.execute(
        update(Consent)
        .where(Consent.subscriber_id == subscriber_id, Consent.withdrawn_at.is_(None))
        .values(withdrawn_at=now)
    )
    note(session, subscriber_id, "unsubscribed", detail, now)


def close(session: Session, subscriber_id: int, status: Status, detail: str, now: datetime) -> None:
    """Nothing goes to this person any more: their address bounced, or they complained."""
    person = session.get_one(Subscriber, subscriber_id)
    if person.status == Status.ERASED:
        return  # the detail often quotes the address, which was to be gone
    person.status = rules.stricter(person.status, status)
    person.marketing = False
    note(session, subscriber_id, str(status), detail, now)


def add_tag(session: Session, subscriber_id: int, name: str, now: datetime) -> None:
    """Give a person a tag; a tag they have already stays as it is."""
    name = rules.tidy_tag(name)
    if not name:
        return
    # Two confirmations at once may both bring the first use of a tag.
    insert_missing(session, Tag, [Tag.name], select(literal(name)).where(true()), unique=[Tag.name])
    tag = session.scalars(select(Tag).where(Tag.name == name)).one()
    if session.get(SubscriberTag, (subscriber_id, tag.id)) is None:
        session.add(SubscriberTag(subscriber_id=subscriber_id, tag_id=tag.id, tagged_at=now))
        note(session, subscriber_id, "tagged", f"Tagged “{name}”", now)
        occasions.happened(session, subscriber_id, Happened.TAG, name, now)
        session.flush()


def remove_tag(session: Session, subscriber_id: int, name: str, now: datetime) -> None:
    """Take a tag from a person."""
    name = rules.tidy_tag(name)
    tag = session.scalar(select(Tag).where(Tag.name == name))
    owned = session.get(SubscriberTag, (subscriber_id, tag.id)) if tag else None
    if owned is not None:
        session.delete(owned)
        note(session, subscriber_id, "untagged", f"Tag “{name}” removed", now)
        occasions.happened(session, subscriber_id, Happened.UNTAG, name, now)


def suppress(session: Session, fingerprint: str, reason: str, now: datetime) -> None:
    """Never send to the address with that keyed hash again."""
    if queries.suppressed_because(session, fingerprint) is None:
        session.add(Suppression(fingerprint=fingerprint, reason=reason, created_at=now))


def lift_erasure(session: Session, fingerprint: str) -> None:
    """An erased person signed up afresh and confirmed it: imports may know them again."""
    erased = Suppression.fingerprint == fingerprint, Suppression.reason == ERASED
    session.execute(delete(Suppression).where(*erased))


def erase(session: Session, subscriber_id: int, *, forget: Iterable[Forget], secret: str, now: datetime) -> None:
    """Erase a person who asked for it; a keyed hash of the address stays, so that no import brings them back."""
    person = session.get_one(Subscriber, subscriber_id)
    suppress(session, tokens.fingerprint(secret, person.email_key), ERASED, now)
    purge(session, subscriber_id, forget=forget, now=now)


def purge(session: Session, subscriber_id: int, *, forget: Iterable[Forget], now: datetime) -> None:
    """Remove a person's address and personal fields everywhere; `forget` are the other rooms' own erasers.

    The row itself stays as an empty shell, so that figures stay right.
    """
    person = session.get_one(Subscriber, subscriber_id)
    for room in forget:
        room(session, subscriber_id)
    occasions.forget(session, subscriber_id)
    for personal in (Consent, SubscriberTag, SubscriberEvent):
        session.execute(delete(personal).where(personal.subscriber_id == subscriber_id))
    _hollow_out(person)
    note(session, subscriber_id, "erased", "Erased", now)


def _hollow_out(person: Subscriber) -> None:
    person.email = person.email_key = f"erased-{person.id}@erased.invalid"
    person.first_name = person.last_name = person.timezone = person.source = ""
    person.fields = {}
    person.status = Status.ERASED
    person.marketing = False


def merge(
    session: Session, keep_id: int, drop_id: int, *, absorb: Iterable[Absorb], secret: str, now: datetime
) -> None:
    """Make two records of one person into one, keeping the stricter consent (semantics 4).

    `absorb` are the other rooms' own movers, called as (session, keep_id, drop_id). The address that is dropped is kept
    as a hash, so that an import cannot bring the second record back.
    """
    keep, drop = session.get_one(Subscriber, keep_id), session.get_one(Subscriber, drop_id)
    keep.status = rules.stricter(keep.status, drop.status)
    keep.marketing = keep.marketing and drop.marketing
    keep.first_name, keep.last_name = keep.first_name or drop.first_name, keep.last_name or drop.last_name
    if drop.timezone and not keep.timezone:
        set_zone(session, keep, drop.timezone, now)
    if drop.fields.keys() - keep.fields.keys():
        keep.fields = {**drop.fields, **keep.fields}
        occasions.happened(session, keep_id, Happened.FIELD, "", now)
    keep.created_at = min(keep.created_at, drop.created_at)
    keep.confirmed_at = keep.confirmed_at or drop.confirmed_at
    keep.unsubscribed_at = keep.unsubscribed_at or drop.unsubscribed_at
    for room in absorb:
        room(session, keep_id, drop_id)
    owned = select(SubscriberTag.tag_id).where(SubscriberTag.subscriber_id == keep_id)
    movable = SubscriberTag.subscriber_id == drop_id, SubscriberTag.tag_id.not_in(owned.scalar_subquery())
    session.execute(update(SubscriberTag).where(*movable).values(subscriber_id=keep_id))
    for history in (Consent, SubscriberEvent):
        session.execute(update(history).where(history.subscriber_id == drop_id).values(subscriber_id=keep_id))
    suppress(session, tokens.fingerprint(secret, drop.email_key), ERASED, now)
    occasions.forget(session, drop_id)
    _hollow_out(drop)  # not deleted: the links in emails sent to it must still answer
    note(session, keep_id, "merged", "Merged with another address of theirs", now)
    session.flush()
