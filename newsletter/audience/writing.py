"""The statements of an import: a few for a whole chunk of people instead of several for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from newsletter.addresses import Address
from newsletter.audience import actions, occasions, queries, rules
from newsletter.audience.models import Consent, Subscriber, SubscriberEvent, SubscriberTag, Tag
from newsletter.audience.rules import Happened, Status
from newsletter.work.claims import insert_rows

SOURCE = "import"
LONGEST_ATTESTATION = 1000


@dataclass(frozen=True)
class Errand:
    """How to import: a `tag` for everybody, `attest` in words (how these people asked for it), the secret, the time."""

    secret: str
    now: datetime
    tag: str = ""
    attest: str = ""


@dataclass(frozen=True)
class Row:
    """One person of the file that can be taken as written; `line` counts from 1, the heading included."""

    line: int
    address: Address
    first_name: str
    last_name: str
    timezone: str
    tags: tuple[str, ...]
    fields: dict[str, str]


def write_people(session: Session, rows: Sequence[Row], known: Mapping[str, Subscriber], errand: Errand) -> list[int]:
    """Write these people, of whom the `known` ones (by address key) are updated; returns all their ids.

    Only with an attestation do they become confirmed and may get marketing; it is kept as their consent's wording.
    """
    new = [_new(row, errand) for row in rows if row.address.key not in known]
    insert_rows(session, Subscriber, new, unique=[Subscriber.email_key])
    fields = [row.address.key for row in rows if _brings_fields(known.get(row.address.key), row)]
    moved = {row.address.key: words for row in rows if (words := _moved(known.get(row.address.key), row))}
    attested = [row for row in rows if errand.attest and _is_undecided(known.get(row.address.key))]
    for row in rows:
        if row.address.key in known:
            _update(known[row.address.key], row, errand)
    session.flush()
    ids = queries.ids_by_keys(session, [row.address.key for row in rows])
    if attested:
        session.execute(insert(Consent), [_consent(row, ids[row.address.key], errand) for row in attested])
    if rows:
        session.execute(insert(SubscriberEvent), [_event(ids[row.address.key], errand.now) for row in rows])
    actions.note_each(session, "time zone", {ids[key]: words for key, words in moved.items()}, errand.now)
    occasions.to_many(session, {ids[key]: [""] for key in fields}, Happened.FIELD, errand.now)
    occasions.to_many(session, {ids[key]: [""] for key in moved}, Happened.ZONE, errand.now)
    _tag(session, {ids[row.address.key]: _tags(row, errand) for row in rows}, errand.now)
    return list(ids.values())


def _is_undecided(person: Subscriber | None) -> bool:
    return person is None or person.status == Status.PENDING


def _new(row: Row, errand: Errand) -> dict[str, Any]:
    return {
        "email": row.address.text,
        "email_key": row.address.key,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "timezone": row.timezone,
        "fields": row.fields,
        "status": Status.CONFIRMED if errand.attest else Status.PENDING,
        "marketing": bool(errand.attest),
        "source": SOURCE,
        "created_at": errand.now,
        "confirmed_at": errand.now if errand.attest else None,
    }


def _brings_fields(person: Subscriber | None, row: Row) -> bool:
    before = person.fields if person else {}
    return any(before.get(name) != value for name, value in row.fields.items())


def _moved(person: Subscriber | None, row: Row) -> str:
    """Which time zone this row gives somebody known instead of which, in words; empty when it gives none."""
    if person is None or row.timezone in {"", person.timezone}:
        return ""
    return rules.zone_words(person.timezone, row.timezone)


def _update(person: Subscriber, row: Row, errand: Errand) -> None:
    """What the file leaves empty stays; what a person decided about marketing stays as well."""
    person.first_name = row.first_name or person.first_name
    person.last_name = row.last_name or person.last_name
    person.timezone = row.timezone or person.timezone
    if row.fields:
        person.fields = {**person.fields, **row.fields}
    if errand.attest and person.status == Status.PENDING:
        person.status, person.marketing, person.confirmed_at = Status.CONFIRMED, True, errand.now


def _consent(row: Row, subscriber_id: int, errand: Errand) -> dict[str, Any]:
    return {
        "subscriber_id": subscriber_id,
        "email": row.address.text,
        "marketing": True,
        "wording": errand.attest.strip()[:LONGEST_ATTESTATION],
        "wording_version": SOURCE,
        "page_url": "",
        "ip": "",
        "user_agent": "",
        "requested_at": errand.now,
        "confirmed_at": errand.now,
    }


def _event(subscriber_id: int, now: datetime) -> dict[str, Any]:
    return {"subscriber_id": subscriber_id, "at": now, "kind": "imported", "detail": "Imported from a file"}


def _tags(row: Row, errand: Errand) -> list[str]:
    return list(dict.fromkeys([*row.tags, *rules.split_tags(errand.tag)]))


def _tag(session: Session, wanted: Mapping[int, Sequence[str]], now: datetime) -> None:
    names = sorted({name for tags in wanted.values() for name in tags})
    insert_rows(session, Tag, [{"name": name} for name in names], unique=[Tag.name])
    ids = queries.tag_ids(session, names)
    had = queries.tag_names_of(session, list(wanted))
    new = {subscriber_id: sorted(set(tags) - set(had.get(subscriber_id, ()))) for subscriber_id, tags in wanted.items()}
    occasions.to_many(session, new, Happened.TAG, now)
    pairs = [
        {"subscriber_id": subscriber_id, "tag_id": ids[name], "tagged_at": now}
        for subscriber_id, tags in new.items()
        for name in tags
    ]
    insert_rows(session, SubscriberTag, pairs, unique=[SubscriberTag.subscriber_id, SubscriberTag.tag_id])
