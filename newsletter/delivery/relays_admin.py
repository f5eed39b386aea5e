"""The mail servers in the back office: how each is doing, what it may be given, and what the DNS has to say."""

from __future__ import annotations

from collections.abc import Mapping

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.database.engine import db, transaction
from newsletter.delivery import queries, relay_form, relay_rows, relays, routing
from newsletter.delivery.composing import sender_domain
from newsletter.delivery.models import Relay
from newsletter.delivery.relay_rules import Source
from newsletter.delivery.relay_words import LANE_WORDS, OWN, SECURITY_WORDS, WARMUPS, plan_days
from newsletter.delivery.smtp.connection import Patience
from newsletter.delivery.smtp.exchange import Exchange
from newsletter.errors import InputError, RelayError, Unsealable
from newsletter.settings import Smtp, current
from newsletter.work.queue import wake

bp = admin_blueprint("relays", __name__, "/admin/relays")

# An operator waits in front of the screen, and their request holds one of the server's threads (seconds for each step).
TRY_OUT = Patience(connect=5, greeting=8, command=8, goodbye=1)

# What a new one is offered as: the usual port and security, everything through it, no limits.
FRESH = {"port": "587", "security": "require", "connections": "16", "at_once": "yes", "series": "yes", "to_many": "yes"}


@bp.get("")
def listed() -> str:
    """Every mail server, how it is doing, and who comes before whom."""
    session, now = db.session(), clock.now()
    if routing.is_missing(session):
        with transaction() as writing:
            routing.keep_in_step(writing, now)
    groups = relays.shown(session, now)
    return render_template(
        "delivery/relays.html",
        groups=groups,
        lane_words=list(LANE_WORDS.values()),
        untaken=[LANE_WORDS[lane][1] for lane in relays.untaken(groups)],
    )


@bp.route("/new", methods=["GET", "POST"])
def new() -> str | Response | tuple[str, int]:
    """Add a mail server."""
    if request.method != "POST":
        return _form(None, FRESH)
    reading = relay_form.read(request.form, relay_rows.today(clock.now()))
    if reading.problems:
        return _form(None, request.form, reading.problems), 400
    try:
        with transaction() as session:
            relay = relays.add(session, reading.values, clock.now())
            _note(session, relay, "added")
    except InputError as problem:
        return _form(None, request.form, {"name": str(problem)}), 400
    flash("Added. It is the last choice until you move it up. Try the connection now.")
    return redirect(url_for("relays.listed"))


@bp.route("/<int:relay_id>", methods=["GET", "POST"])
def edit(relay_id: int) -> str | Response | tuple[str, int]:
    """Change what a mail server may be given, and how to reach it."""
    relay = relays.find(db.session(), relay_id)
    if request.method != "POST":
        return _form(relay, _typed(relay))
    own = relay.source == Source.OPERATOR
    reading = relay_form.read(request.form, relay_rows.today(clock.now()), with_server=own)
    if reading.problems:
        return _form(relay, request.form, reading.problems), 400
    try:
        with transaction() as session:
            relay = relays.find(session, relay_id)
            relays.change(session, relay, reading.values, clock.now())
            _note(session, relay, "changed")
    except InputError as problem:
        field = "name" if "called" in problem.happened else "password"
        return _form(relays.find(db.session(), relay_id), request.form, {field: str(problem)}), 400
    wake()
    flash("Saved.")
    return redirect(url_for("relays.listed"))


def _form(relay: Relay | None, typed: Mapping[str, str], problems: Mapping[str, str] | None = None) -> str:
    today = relay_rows.today(clock.now())
    return render_template(
        "delivery/relay.html",
        relay=relay,
        own=relay is None or relay.source == Source.OPERATOR,
        typed=typed,
        problems=problems or {},
        lanes=[(name, words, about) for name, words, about in LANE_WORDS.values()],
        securities=[(str(kind), words) for kind, words in SECURITY_WORDS.items()],
        warmups=[("", "None"), *((name, preset.words) for name, preset in WARMUPS.items()), (OWN, "Numbers of my own")],
        presets=WARMUPS,
        plan=plan_days(relay.warmup_start, relay.warmup_plan, today) if relay else [],
        today=today,
        most_connections=relay_form.MOST_CONNECTIONS,
    )


def _typed(relay: Relay) -> dict[str, str]:
    """A relay as its form shows it; the password never leaves."""
    kept = ("name", "host", "port", "username", "security", "connections", "warmup_name")
    typed = {name: str(getattr(relay, name)) for name in kept}
    for name in ("rate", "daily_cap", "share"):
        value = getattr(relay, name)
        typed[name] = "" if value is None else f"{value:g}" if name == "rate" else str(value)
    typed |= {name: "yes" for name, _, _ in LANE_WORDS.values() if getattr(relay, name)}
    typed["warmup_start"] = relay.warmup_start.isoformat() if relay.warmup_start else ""
    typed["warmup_numbers"] = " ".join(map(str, relay.warmup_plan)) if relay.warmup_name == OWN else ""
    return typed


def _note(session: Session, relay: Relay, action: str) -> None:
    by, subject = current_operator().id, f"relay:{relay.id}"
    accounts.record(session, f"relay.{action}", by=by, now=clock.now(), subject=subject)


@bp.post("/<int:relay_id>/test")
def test(relay_id: int) -> Response:
    """Connect and sign in as for sending, without sending anything."""
    session = db.session()
    relay = relays.find(session, relay_id)
    try:
        name, smtp = relay.name, relay_rows.smtp_of(relay)
    except Unsealable as problem:
        flash(str(problem), "problem")
        return redirect(url_for("relays.listed"))
    session.rollback()  # no transaction is held while the network answers
    refused = _refusal(smtp, name) if smtp else ""
    with transaction() as writing:
        relay = relays.find(writing, relay_id)
        _note(writing, relay, "tested")
        if not refused:
            routing.try_now(writing, relay_id, clock.now())
    if refused:
        flash(refused, "problem")
    else:
        flash(f"{name} answers and lets us in. Nothing was sent.")
        wake()
    return redirect(url_for("relays.listed"))


def _refusal(smtp: Smtp, name: str) -> str:
    """Why a relay cannot be used, in words; empty when it can."""
    try:
        with Exchange(smtp, connections=1, patience=TRY_OUT, name=name):
            return ""
    except RelayError as problem:
        return problem.happened


@bp.post("/<int:relay_id>/switch")
def switch(relay_id: int) -> Response:
    """Use a mail server, or let it be."""
    on = request.form.get("on") == "yes"
    with transaction() as session:
        relay = relays.find(session, relay_id)
        relays.switch(relay, on=on, now=clock.now())
        _note(session, relay, "switched-on" if on else "switched-off")
        name = relay.name
    wake()
    flash(f"{name} takes mail again." if on else f"{name} is switched off. What it has begun, it finishes.")
    return redirect(url_for("relays.listed"))


@bp.post("/<int:relay_id>/move")
def move(relay_id: int) -> Response:
    """One step earlier or later in the order."""
    with transaction() as session:
        relay = relays.find(session, relay_id)
        relays.move(session, relay, up=request.form.get("to") != "later")
        _note(session, relay, "moved")
    return redirect(url_for("relays.listed"))


@bp.post("/<int:relay_id>/try-now")
def try_now(relay_id: int) -> Response:
    """End a rest: the next emails show whether it works again."""
    with transaction() as session:
        relay = relays.find(session, relay_id)
        routing.try_now(session, relay_id, clock.now())
        _note(session, relay, "tried")
    wake()
    flash("A few emails are tried now.")
    return redirect(url_for("relays.listed"))


@bp.post("/<int:relay_id>/delete")
def delete(relay_id: int) -> Response:
    """Forget a mail server and its password."""
    with transaction() as session:
        relay = relays.find(session, relay_id)
        _note(session, relay, "deleted")
        relays.remove(session, relay)
    flash("Deleted, and its password with it.")
    return redirect(url_for("relays.listed"))


@bp.get("/dns")
def dns() -> str:
    """The records that tell other mail servers that these emails are genuine."""
    domain = sender_domain(current())
    signers = queries.signers(db.session(), domain)
    return render_template("delivery/relays_dns.html", domain=domain, signers=signers)
