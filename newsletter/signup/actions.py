"""Writes of signing up, confirming and leaving."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from newsletter import tokens
from newsletter.addresses import Address
from newsletter.audience import actions as audience
from newsletter.audience import occasions
from newsletter.audience import queries as people
from newsletter.audience.models import Consent, Subscriber
from newsletter.audience.rules import Happened
from newsletter.delivery import actions as delivery
from newsletter.delivery import queries as ledger
from newsletter.delivery.rules import Lane, may_send_again
from newsletter.magnets import actions as magnets
from newsletter.magnets import queries as gifts
from newsletter.sequences import actions as sequences
from newsletter.signup import queries, rules
from newsletter.signup.models import Form, SignupAttempt
from newsletter.signup.rules import Step, Verdict
from newsletter.web.limits import network

KEEP_ATTEMPTS = timedelta(days=1)
CHUNK = 200


@dataclass(frozen=True)
class Press:
    """One press of a sign-up button, as the door saw it."""

    address: Address
    follow: bool
    page_url: str
    ip: str
    user_agent: str
    proof: str = ""  # a solved and genuine challenge, empty when none was given


def sign_up(session: Session, form: Form, press: Press, secret: str, now: datetime) -> Verdict:
    """Count the press, and do what it leads to when the guards let it in."""
    verdict = _judge(session, press, secret, now)
    if verdict is Verdict.LET_IN:
        _request(session, form, press, secret, now)
    return verdict


def _judge(session: Session, press: Press, secret: str, now: datetime) -> Verdict:
    prints = {
        "ip_print": tokens.fingerprint(secret, f"ip {network(press.ip)}"),
        "address_print": tokens.fingerprint(secret, press.address.key),
        "domain_print": tokens.fingerprint(secret, f"domain {press.address.domain}"),
    }
    proof_print = tokens.fingerprint(secret, f"proof {press.proof}") if press.proof else None
    if proof_print and queries.is_spent(session, proof_print):
        proof_print = None
    counts = queries.counts(session, **prints, now=now)
    verdict = rules.judge(counts, proven=proof_print is not None)
    session.add(SignupAttempt(at=now, proof_print=proof_print, outcome=str(verdict), **prints))
    return verdict


def _request(session: Session, form: Form, press: Press, secret: str, now: datetime) -> None:
    known = people.by_address(session, press.address)
    if known is None:
        reason = people.suppressed_because(session, tokens.fingerprint(secret, press.address.key))
        if reason and reason != audience.ERASED:
            return
    has_magnet = known is not None and (form.magnet_id is None or gifts.has_magnet(session, form.magnet_id, known.id))
    step = rules.decide(known.status if known else None, has_magnet=has_magnet)
    person = known or audience.remember(session, press.address, source=f"form {form.slug}", now=now)
    if step is Step.CONFIRM:
        _ask_to_confirm(session, form, press, person, now)
    elif step is Step.DELIVER:
        _deliver_new(session, form, press, person, now)
    elif step is Step.DELIVER_AGAIN and form.magnet_id:
        magnets.deliver(session, form.magnet_id, person.id, now)
    elif step is Step.NOTHING:
        audience.note(session, person.id, "asked again", f"Signed up on “{form.name}”; nothing was sent", now)


def _consent(session: Session, form: Form, press: Press, person: Subscriber, now: datetime) -> Consent:
    marketing = rules.agrees_to_marketing(form.mode, press.follow)
    return audience.record_consent(
        session,
        subscriber_id=person.id,
        form_id=form.id,
        email=press.address.text,
        marketing=marketing,
        wording=f"{form.wording}\n{form.box}".strip() if marketing else form.wording,
        wording_version=rules.wording_version(form.wording, form.box),
        page_url=press.page_url[:500],
        ip=press.ip[:45],
        user_agent=press.user_agent[:400],
        requested_at=now,
    )


def _ask_to_confirm(session: Session, form: Form, press: Press, person: Subscriber, now: datetime) -> None:
    if may_send_again(ledger.times_planned(session, person.id, "confirm"), now):
        consent = _consent(session, form, press, person, now)
        _plan(session, f"confirm:{consent.id}", person.id, now)


def _plan(session: Session, reason: str, subscriber_id: int, now: datetime) -> bool:
    lane = Lane.TRANSACTIONAL
    return delivery.plan(session, reason=reason, subscriber_id=subscriber_id, lane=lane, due_at=now, now=now)


def _deliver_new(session: Session, form: Form, press: Press, person: Subscriber, now: datetime) -> None:
    """The gift at once. Follow-ups only if they get them already: the press may be anybody's, so it is asked first."""
    consent = _consent(session, form, press, person, now)
    if consent.marketing and not person.marketing:
        _plan(session, f"confirm:{consent.id}", person.id, now)
        consent_is_enough = False
    else:
        consent.confirmed_at = now
        consent_is_enough = consent.marketing
    _give(session, form, person.id, now, enroll=consent_is_enough)


def _give(session: Session, form: Form | None, subscriber_id: int, now: datetime, *, enroll: bool) -> None:
    if form is None:
        return
    if form.tag:
        audience.add_tag(session, subscriber_id, form.tag, now)
    if form.magnet_id:
        magnets.deliver(session, form.magnet_id, subscriber_id, now)
    if enroll:
        occasions.happened(session, subscriber_id, Happened.FORM, form.slug, now)
    if form.sequence_id and enroll:
        sequences.enroll(session, form.sequence_id, subscriber_id, f"form:{form.slug}", now)


def confirm(session: Session, consent_id: int, secret: str, now: datetime) -> None:
    """The button was pressed: confirming is delivering (semantics 1.3). Pressed again, nothing changes."""
    consent = people.consent(session, consent_id)
    if consent is None or consent.confirmed_at is not None:
        return
    person = audience.confirm(session, consent, now)
    audience.lift_erasure(session, tokens.fingerprint(secret, person.email_key))
    _give(session, queries.form(session, consent.form_id), person.id, now, enroll=consent.marketing)


def leave_series(session: Session, subscriber_id: int, sequence_id: int, now: datetime) -> None:
    """End one series for a person."""
    sequences.exit_one(session, sequence_id, subscriber_id, "unsubscribed from this series", now)
    audience.note(session, subscriber_id, "left a series", "Unsubscribed from one series", now)


def leave_all(session: Session, subscriber_id: int, how: str, now: datetime) -> None:
    """End all marketing to a person; what still waits for them is canceled."""
    audience.unsubscribe(session, subscriber_id, how, now)
    sequences.exit_all(session, subscriber_id, "unsubscribed", now)
    delivery.cancel_all(session, subscriber_id, "unsubscribed", now, but=Lane.TRANSACTIONAL)


def remind(session: Session, now: datetime) -> int:
    """Plan the one reminder for those who asked a day ago and have not confirmed (semantics 1.9)."""
    due = queries.to_remind(session, now - rules.REMIND_AFTER, now - 3 * rules.REMIND_AFTER, CHUNK)
    return sum(_plan(session, f"reminder:{consent.subscriber_id}", consent.subscriber_id, now) for consent in due)


def purge(session: Session, forget: Iterable[audience.Forget], purge_days: int, now: datetime) -> int:
    """Forget people who never confirmed (semantics 1.9) and yesterday's attempts."""
    forget = list(forget)
    found = queries.to_purge(session, now - timedelta(days=purge_days), CHUNK)
    for subscriber_id in found:
        audience.purge(session, subscriber_id, forget=forget, now=now)
    session.execute(delete(SignupAttempt).where(SignupAttempt.at < now - KEEP_ATTEMPTS))
    return len(found)


def note_confirmations(session: Session, now: datetime) -> int:
    """Write into the consent records when their confirmation emails went out (semantics 1.8)."""
    sent = queries.confirmations_sent(session, now - timedelta(days=4))
    for consent, accepted_at in sent:
        consent.confirmation_sent_at = accepted_at
    return len(sent)


def create_form(session: Session, slug: str, now: datetime, **values: Any) -> Form:
    """Open a new way in; `values` are the other columns of a form."""
    form = Form(slug=slug, created_at=now, **values)
    session.add(form)
    session.flush()
    return form
