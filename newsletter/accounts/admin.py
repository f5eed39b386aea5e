"""Signing in and out, the operator's own account, the studio's settings, the audit log."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response

from newsletter import clock, tokens
from newsletter.accounts import actions, gate, logo, passwords, queries, rules, settings_form
from newsletter.accounts.audit import AUDIT_WORDS
from newsletter.accounts.models import Operator
from newsletter.addresses import parse
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, TokenError
from newsletter.settings import current
from newsletter.tokens import Purpose
from newsletter.web.limits import limiter
from newsletter.web.paging import list_page

bp = Blueprint("accounts", __name__, url_prefix="/admin")

OPEN = {"accounts.sign_in", "accounts.setup"}  # everything else here wants a signed-in operator
SETUP_LIFE = timedelta(days=7)  # a start prints a fresh link as long as there is no operator
WRONG = "The address or the password is not right."


@bp.before_request
def stand_guard() -> Response | None:
    """Let a stranger only as far as the door."""
    return None if request.endpoint in OPEN else gate.require_operator()


bp.after_request(gate.keep_private)


def typed_address() -> str:
    """What a limit counts by: the address somebody tries to sign in as, whether it exists or not.

    As it is looked up, not as it was typed: one address has many spellings, and each would have tries of its own.
    """
    typed = request.form.get("email", "")
    try:
        return "address:" + parse(typed).key
    except InputError:
        return "address:none"


def was_wrong(response: Response) -> bool:
    """Only failures count: an operator who signs in often is never locked out."""
    return response.status_code == 401


@bp.route("/sign-in", methods=["GET", "POST"])
@limiter.limit("10/minute;60/hour", methods=["POST"], deduct_when=was_wrong)
@limiter.limit("10/10 minutes;30/hour", key_func=typed_address, methods=["POST"], deduct_when=was_wrong)
def sign_in() -> str | Response | tuple[str, int]:
    """The door. An unknown address and a wrong password get the same answer after the same time."""
    after = rules.own_path(request.values.get("next", ""), url_for("dashboard.overview"))
    if request.method != "POST":
        if current_user.is_authenticated:
            return redirect(after)
        return render_template("accounts/sign_in.html", after=after, set_up=queries.is_set_up(db.session()))
    email, password = request.form.get("email", ""), request.form.get("password", "")
    found = queries.operator_by_email(db.session(), email)
    known = found.password_hash if found else None
    if not passwords.matches(known, password[: rules.LONGEST_PASSWORD + 1]) or found is None:
        return render_template("accounts/sign_in.html", after=after, set_up=True, email=email, problem=WRONG), 401
    with transaction() as work:
        operator = actions.signed_in(work, found, password, clock.now())
    _begin_session(operator, stay=request.form.get("stay") == "yes")
    return redirect(after)


def _begin_session(operator: Operator, *, stay: bool) -> None:
    session.clear()  # nothing that somebody planted in this browser before signing in lives on
    session.permanent = stay
    login_user(gate.SignedIn(operator))


@bp.post("/sign-out")
def sign_out() -> Response:
    """End this session and every copy of its cookie."""
    with transaction() as work:
        actions.end_sessions(work, gate.current_operator().id)
    logout_user()
    session.clear()
    flash("You are signed out. See you soon.")
    return redirect(url_for("accounts.sign_in"))


@bp.route("/setup/<token>", methods=["GET", "POST"])
@limiter.limit("20/hour", methods=["POST"])
def setup(token: str) -> str | Response | tuple[str, int]:
    """Make the first operator; the link is void as soon as there is one."""
    tokens.read(current().secret_key, Purpose.SETUP, token, now=clock.now(), max_age=SETUP_LIFE)
    if queries.is_set_up(db.session()):
        raise TokenError("This link was used already.", remedy="Sign in with the account that was made then.")
    if request.method != "POST":
        return render_template("accounts/setup.html", token=token)
    form = request.form
    try:
        with transaction() as work:
            operator = actions.create_first_operator(
                work, form.get("email", ""), form.get("password", ""), clock.now(), form.get("name", "")
            )
    except InputError as problem:
        return render_template("accounts/setup.html", token=token, problem=problem), 400
    _begin_session(operator, stay=False)
    flash("Welcome! This is your back office.")
    return redirect(url_for("dashboard.overview"))


@bp.get("/account")
def account() -> str:
    """The operator's own name and password."""
    return render_template("accounts/account.html", operator=gate.current_operator())


@bp.post("/account/name")
def change_name() -> Response:
    """Change how the operator is called."""
    with transaction() as work:
        actions.rename(work, gate.current_operator().id, request.form.get("name", ""), clock.now())
    flash("Your name is saved.")
    return redirect(url_for("accounts.account"))


@bp.post("/account/password")
@limiter.limit("10/minute", methods=["POST"])
def change_password() -> str | Response | tuple[str, int]:
    """Change the password and sign out every other device."""
    operator, form = gate.current_operator(), request.form
    try:
        if form.get("new", "") != form.get("again", ""):
            raise InputError("The two new passwords are not the same. Type the new one twice.")
        with transaction() as work:
            changed = actions.change_password(
                work, operator.id, form.get("current", ""), form.get("new", ""), clock.now()
            )
    except InputError as problem:
        return render_template("accounts/account.html", operator=operator, problem=problem), 400
    _begin_session(changed, stay=session.permanent)
    flash("Your password is changed. Every other device is signed out.")
    return redirect(url_for("accounts.account"))


@bp.get("/settings")
def settings() -> str:
    """How the studio presents itself, and its rules."""
    return _settings_page({}, {})


def _settings_page(typed: dict[str, str], problems: dict[str, str]) -> str:
    return render_template(
        "accounts/settings.html",
        kept=queries.studio(db.session()),
        typed=typed,
        problems=problems,
        zones=[(zone, zone.replace("_", " ")) for zone in rules.zone_names()],
        server=current(),
    )


@bp.post("/settings")
def save_settings() -> str | Response | tuple[str, int]:
    """Keep the settings, or show which field wants another look."""
    reading = settings_form.read(request.form)
    if reading.problems:
        return _settings_page(request.form.to_dict(), reading.problems), 400
    # Another zone moves readers who named none: whom, is shown before it is kept.
    zone = reading.values.pop("timezone")
    moves = zone != queries.studio(db.session()).timezone
    with transaction() as work:
        changed = actions.change_settings(work, reading.values, by=gate.current_operator().id, now=clock.now())
    if changed or not moves:
        flash("Your settings are saved." if changed else "Nothing was different, so nothing was changed.")
    return redirect(url_for("zone.look", timezone=zone) if moves else url_for("accounts.settings"))


@bp.post("/settings/logo")
def save_logo() -> str | Response | tuple[str, int]:
    """Take in a logo, drawn anew from what was uploaded, or remove it."""
    by, uploaded = gate.current_operator().id, request.files.get("logo")
    if request.form.get("remove") == "yes":
        picture = None
    elif uploaded is None or not uploaded.filename:
        return _settings_page({}, {"logo": "Choose a file first."}), 400
    else:
        try:
            picture = logo.remake(uploaded.stream.read(logo.LARGEST_UPLOAD + 1))
        except InputError as problem:
            return _settings_page({}, {"logo": f"{problem.happened} {problem.remedy}"}), 400
    with transaction() as work:
        actions.set_logo(work, picture, by=by, now=clock.now())
    flash("Your logo is saved." if picture else "The logo is removed.")
    return redirect(url_for("accounts.settings"))


@bp.get("/activity")
def activity() -> str:
    """What operators changed, newest first."""
    entries = list_page(db.session(), queries.audit_log(), scalars=False)
    return render_template("accounts/activity.html", entries=entries, words=AUDIT_WORDS)
