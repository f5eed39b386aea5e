"""What an operator does by hand: add one person on the operator's own word, correct a name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter import addresses, tokens
from newsletter.audience import actions, occasions, queries, rules
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import STATUS_WORDS, Happened, Status
from newsletter.errors import InputError

WORDING_VERSION = "by hand"
SOURCE = "added by hand"
OWN_COLUMNS = frozenset({"email", "first_name", "last_name", "timezone", "tags"})


def add(
    session: Session, typed: str, first_name: str, last_name: str, *, attest: str, secret: str, now: datetime
) -> Subscriber:
    """Add a person who asked the operator for it, with `attest` (how and when they asked) as their consent record.

    Raises InputError for an address that is here already, was erased, or is no address.
    """
    address = addresses.parse(typed)
    if not attest.strip():
        raise InputError("Write down how and when this person asked for your emails.", means="It is your proof.")
    if queries.suppressed_because(session, tokens.fingerprint(secret, address.key)) is not None:
        raise InputError(
            "Nothing may be sent to this address.",
            means="This person asked to be forgotten, or the address was closed.",
            remedy="They can sign up again themselves on your page.",
        )
    known = queries.by_address(session, address)
    if known is not None and known.status != Status.PENDING:
        raise InputError(f"This person is here already: {STATUS_WORDS[Status(known.status)]}.")
    person = known or actions.remember(session, address, source=SOURCE, now=now)
    person.first_name = rules.tidy_name(first_name) or person.first_name
    person.last_name = rules.tidy_name(last_name) or person.last_name
    given = actions.record_consent(
        session,
        subscriber_id=person.id,
        form_id=None,
        email=address.text,
        marketing=True,
        wording=attest.strip()[:1000],
        wording_version=WORDING_VERSION,
        page_url="",
        ip="",
        user_agent="",
        requested_at=now,
    )
    return actions.confirm(session, given, now)


def set_field(session: Session, subscriber_id: int, name: str, value: str, now: datetime) -> None:
    """Set a custom field of a person, or take it away when `value` is empty; raises InputError on a name taken."""
    key, kept = rules.column_name(name), rules.tidy_field(value)
    if not key:
        raise InputError("Type the name of the field.", remedy="A word like birthday.")
    if key in rules.NOT_FIELDS | OWN_COLUMNS:
        raise InputError(f"“{key}” is not a field of your own.", remedy="It has its place on this page already.")
    person = session.get_one(Subscriber, subscriber_id)
    if person.fields.get(key, "") == kept:
        return
    others = {other: held for other, held in person.fields.items() if other != key}
    person.fields = others | ({key: kept} if kept else {})
    occasions.happened(session, subscriber_id, Happened.FIELD, key, now)


def correct(
    session: Session, subscriber_id: int, first_name: str, last_name: str, timezone: str, now: datetime
) -> None:
    """Correct a person's name and time zone; raises InputError on a zone that does not exist."""
    if timezone and not rules.is_zone(timezone):
        raise InputError("There is no such time zone.", remedy="Choose one from the list, or none.")
    person = session.get_one(Subscriber, subscriber_id)
    person.first_name, person.last_name = rules.tidy_name(first_name), rules.tidy_name(last_name)
    actions.set_zone(session, person, timezone, now)
