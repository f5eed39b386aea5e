"""The same guards at every door: the page, the embedded form and the API read a press of the button here."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from flask import request
from sqlalchemy.orm import Session

from newsletter import addresses, clock, tokens
from newsletter.errors import InputError, TokenError, TooMany
from newsletter.settings import current
from newsletter.signup import queries, rules
from newsletter.signup.actions import Press
from newsletter.signup.models import Form
from newsletter.signup.rules import Verdict
from newsletter.tokens import Purpose
from newsletter.web.limits import client_ip

CHALLENGE_LIFE = timedelta(minutes=30)


@dataclass(frozen=True)
class Asked:
    """What a form carries for the guards: the time stamp, and under attack a challenge with its difficulty in bits."""

    stamp: str
    challenge: str = ""
    difficulty: int = 0


def ask(session: Session, form: Form) -> Asked:
    """What the guards want from the next press on this form."""
    settings, now = current(), clock.now()
    counts = rules.Counts(all_ten_minutes=queries.recent_attempts(session, now))
    if not rules.is_under_attack(counts):
        return Asked(stamp(form.id))
    challenge = tokens.sign(settings.secret_key, Purpose.WORK_PROOF, form.id, secrets.randbits(39), at=now)
    return Asked(stamp(form.id), challenge, rules.DIFFICULTY)


def stamp(*thing: int) -> str:
    """The time stamp that a form carries for the time trap; `thing` are the ids of what it is a form for."""
    return tokens.sign(current().secret_key, Purpose.FORM, *thing, at=clock.now())


def is_robot(fields: Mapping[str, str]) -> bool:
    """Whether the field that no person sees was filled in."""
    return bool(fields.get("website"))


def read(form: Form, fields: Mapping[str, str]) -> Press:
    """Understand a press; raises InputError with what the person should do next (the form is shown again)."""
    address = addresses.parse(fields.get("email", ""))
    check_stamp(fields.get("stamp", ""), form.id)
    return Press(
        address=address,
        follow=fields.get("follow") in {"1", "on", "true", "True"},
        page_url=_own_page(fields.get("page", "")),
        ip=client_ip(),
        user_agent=request.user_agent.string,
        proof=_proof(form, fields.get("challenge", ""), fields.get("proof", "")),
    )


def obey(verdict: Verdict) -> None:
    """Stop a press that is not let in: TooMany, or under attack an InputError that asks for one more press."""
    if verdict is Verdict.REFUSE:
        raise TooMany("Many sign-ups came from your network in a short time.", remedy="Please try again in an hour.")
    if verdict is Verdict.PROVE:
        raise InputError(
            "We are getting very many sign-ups right now, so your browser has to do a little work first.",
            remedy="Press the button once more.",
        )


def check_stamp(stamp: str, *thing: int) -> None:
    """Raise InputError, asking for one more press, when a form was filled in too quickly for a person or is too old."""
    settings, now = current(), clock.now()
    once_more = InputError("This page was open for a while.", remedy="Press the button once more.")
    try:
        token = tokens.read(settings.secret_key, Purpose.FORM, stamp, now=now, max_age=rules.STAMP_LIFE)
    except TokenError as problem:
        raise once_more from problem
    # The stamp knows whole seconds only, so up to one second more may have passed than it says.
    if token.ids != thing:
        raise once_more
    if now - token.issued_at < rules.QUICKEST:
        raise InputError("That was quicker than a person types.", remedy="Press the button once more.")


def _proof(form: Form, challenge: str, solution: str) -> str:
    try:
        token = tokens.read(
            current().secret_key, Purpose.WORK_PROOF, challenge, now=clock.now(), max_age=CHALLENGE_LIFE
        )
    except TokenError:
        return ""
    return challenge if token.ids[:1] == (form.id,) and rules.is_proof(challenge, solution) else ""


def _own_page(page: str) -> str:
    """The page the form stood on, as it says; only http addresses are kept, without their query."""
    try:
        parts = urlsplit(page or request.referrer or "")
    except ValueError:
        return ""
    # What is not printable a database may refuse, and nobody was ever on such a page.
    told = f"{parts.scheme}://{parts.netloc}{parts.path}"
    return told if parts.scheme in {"http", "https"} and told.isprintable() else ""
