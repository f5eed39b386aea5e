"""Pages for what went wrong: what happened, what it means, what to do; never a trace."""

from __future__ import annotations

import secrets

import structlog
from flask import Flask, Response, jsonify, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, OperationalError
from werkzeug.exceptions import HTTPException

from newsletter.database.engine import db
from newsletter.errors import Busy, InputError, NotFound, Refused, SuppleError, TooMany

log = structlog.get_logger()


def init(app: Flask) -> None:
    """Turn every error of `app` into a page fit for a person."""
    app.register_error_handler(SuppleError, _ours)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(OperationalError, _database)
    app.register_error_handler(DataError, _unfit)
    app.register_error_handler(OverflowError, _unfit)
    app.register_error_handler(Exception, _unforeseen)


def page(problem: SuppleError, number: str = "") -> Response:
    """The answer to a request that met `problem`."""
    if request.path.startswith("/api/"):
        answer = jsonify(error=problem.happened, means=problem.means, remedy=problem.remedy, number=number)
    else:
        answer = make_response(render_template("problems/problem.html", problem=problem, number=number))
    answer.status_code = problem.status
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _ours(problem: SuppleError) -> Response:
    return _unforeseen(problem) if type(problem) is SuppleError else page(problem)


def _csrf(_problem: CSRFError) -> Response:
    return page(
        InputError(
            "Your browser did not send the key that belongs to this form.",
            means="The page was open for long, or cookies are switched off. Nothing was changed.",
            remedy="Go back, reload the page and press the button again.",
        )
    )


def _http(problem: HTTPException) -> Response:
    found: SuppleError
    if problem.code == 404:
        found = NotFound("There is no such page here.", remedy="Check the address, or start from the front page.")
    elif problem.code == 403:
        found = Refused("This page is not for you.", remedy="Sign in with an account that may see it.")
    elif problem.code == 429:
        found = TooMany("That was a bit much in a short time.", remedy="Wait a minute and try again.")
    else:
        found = InputError(problem.description or problem.name)
        found.status = problem.code or 500
    answer = page(found)
    for name, value in problem.get_headers():
        if name in {"Allow", "Retry-After"}:
            answer.headers[name] = value
    return answer


def _database(problem: OperationalError) -> Response:
    log.error("database not available", problem=str(problem.orig))
    return page(Busy("The database did not answer in time.", remedy="Try again in a moment; nothing was changed."))


def _unfit(problem: DataError | OverflowError) -> Response:
    """What was typed fits into no column: a NUL, or a number of twenty digits."""
    log.warning("a request does not fit", kind=type(problem).__name__, path=request.url_rule and request.url_rule.rule)
    db.session().rollback()  # PostgreSQL answers nothing more in a transaction that failed, and the page asks
    return page(
        InputError(
            "There is a sign or a number in this request that nothing here can have.",
            remedy="Go back and type it again.",
        )
    )


def _unforeseen(problem: Exception) -> Response:
    number = secrets.token_hex(4)
    log.exception("unforeseen problem", number=number, path=request.url_rule and request.url_rule.rule)
    kind = SuppleError(
        "Something here broke, and it was not you.",
        means="It was written down for the people who run this site.",
        remedy="Try again in a minute. If it stays like this, tell them the number below.",
    )
    log.debug("kind", kind=type(problem).__name__)
    return page(kind, number)
