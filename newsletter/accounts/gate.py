"""The gate of the back office: who comes through, and blueprints that stand behind it."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, redirect, request, url_for
from flask_login import LoginManager, current_user
from werkzeug.wrappers import Response

from newsletter.accounts.models import Operator
from newsletter.database.engine import db
from newsletter.errors import Refused

login = LoginManager()


class SignedIn:
    """The operator of this request, as flask-login wants it; its id carries the session key."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, operator: Operator) -> None:
        self.operator = operator

    def get_id(self) -> str:
        """What the cookie remembers: a changed session key makes it worthless."""
        return f"{self.operator.id}:{self.operator.session_key}"


@login.user_loader  # type: ignore[untyped-decorator]
def load(remembered: str) -> SignedIn | None:
    """Find the operator whom a session cookie names, unless the session was ended."""
    operator_id, _, session_key = remembered.partition(":")
    operator = db.session.get(Operator, int(operator_id)) if operator_id.isdigit() else None
    if operator is None or operator.session_key != session_key:
        return None
    return SignedIn(operator)


def current_operator() -> Operator:
    """The operator who is signed in; raises Refused when nobody is."""
    if not current_user.is_authenticated:
        raise Refused("You are not signed in.", remedy="Sign in and try again.")
    return cast(SignedIn, current_user._get_current_object()).operator


def admin_blueprint(name: str, import_name: str, url_prefix: str) -> Blueprint:
    """A blueprint of the back office: nobody reaches its routes without signing in."""
    blueprint = Blueprint(name, import_name, url_prefix=url_prefix)
    blueprint.before_request(require_operator)
    blueprint.after_request(keep_private)
    return blueprint


def keep_private(response: Response) -> Response:
    """Let no copy stay behind: after signing out, the Back button must not show a list of people."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def require_operator() -> Response | None:
    """Send a stranger who looks to the sign-in page, and refuse one who acts."""
    if current_user.is_authenticated:
        return None
    if request.method in {"GET", "HEAD"}:
        return redirect(url_for("accounts.sign_in", next=request.full_path.rstrip("?")))
    raise Refused("You are not signed in.", means="Nothing was changed.", remedy="Sign in and try again.")
