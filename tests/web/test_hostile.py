"""What a stranger sends to see something break: every answer is a page in words, never a 500."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import IntegerConverter, Rule

from newsletter import clock, tokens
from newsletter.settings import current
from newsletter.tokens import Purpose
from tests.accounts.people import signed_in
from tests.signup.conftest import Visitor, person

HUGE = 99999999999999999999


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    return signed_in(app)


def _built(app: Flask, *, number: int, word: str) -> Iterator[tuple[str, str]]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint != "static":
            built = rule.build({name: _value(rule, name, number, word) for name in rule.arguments})
            if built is not None:
                yield from ((method, built[1]) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))


def _value(rule: Rule, name: str, number: int, word: str) -> object:
    converter = rule._converters[name]
    if hasattr(converter, "items"):
        return min(converter.items)
    return number if isinstance(converter, IntegerConverter) else word


@pytest.mark.parametrize(("number", "word"), [(HUGE, "x"), (2**31, "x"), (1, "\0"), (1, "a\0b"), (1, "x" * 3000)])
def test_no_address_breaks_a_page(app: Flask, operator: FlaskClient, number: int, word: str) -> None:
    broken = []
    for method, path in _built(app, number=number, word=word):
        answer = operator.open(path, method=method)
        answer.close()
        if answer.status_code == 500:
            broken.append((method, path, answer.status_code))
    assert broken == []


@pytest.mark.parametrize("page", ["http://[", "http://x/\0", "http://x/\ud800", "http://" + "x" * 5000])
def test_no_page_field_breaks_a_sign_up(visitor: Visitor, page: str) -> None:
    json = {"email": "alice@example.org", "stamp": visitor.stamp(), "page": page}
    assert visitor.client.post("/api/signup/stretches", json=json).status_code == 202
    if "\ud800" not in page:
        assert visitor.sign_up("alice@example.org", page=page).status_code == 303
    assert (
        visitor.client.post(
            "/signup/stretches",
            data={"email": "bob@example.org", "stamp": visitor.stamp()},
            headers={"Referer": "http://["},
        ).status_code
        == 303
    )


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"email":' * 50_000,
        '{"email": ["a"]}',
        '{"email": 1e999}',
        '{"a":' + "9" * 5000 + "}",
        '{"email":"\\ud800@x.org"}',
        '"x"',
        "",
    ],
)
def test_no_json_breaks_the_api(visitor: Visitor, body: str) -> None:
    answer = visitor.client.post("/api/signup/stretches", data=body, content_type="application/json")
    assert answer.status_code in {400, 413}


WORDS = ["\0", "²", str(HUGE), f"leave:{HUGE}", "leave:²", f"earlier:{HUGE}", "http://["]
FIELDS = (
    *(
        "q",
        "state",
        "status",
        "tag",
        "page",
        "sort",
        "reader",
        "view",
        "start",
        "to",
        "person",
        "wish",
        "scope",
        "next",
    ),
    *("email", "paper", "date", "time", "form_id", "slug", "title", "body", "text", "name", "subject", "file_name"),
)


@pytest.mark.parametrize("word", WORDS)
def test_no_field_breaks_a_page(app: Flask, operator: FlaskClient, visitor: Visitor, word: str) -> None:
    visitor.confirm("alice@example.org")
    operator.post("/admin/broadcasts", data={})
    fields, broken = dict.fromkeys(FIELDS, word), []
    for method, path in _built(app, number=1, word="stretches"):
        if path == "/admin/sign-out":
            continue
        asked = {"data": fields} if method == "POST" else {}
        answer = operator.open(path, method=method, query_string=fields, **asked)
        answer.close()
        if answer.status_code == 500:
            broken.append((method, path, answer.status_code))
    assert broken == []


@pytest.mark.parametrize("wish", [f"leave:{HUGE}", "leave:²"])
def test_no_wish_breaks_the_preferences(visitor: Visitor, wish: str) -> None:
    visitor.confirm("alice@example.org")
    alice = person("alice@example.org")
    assert alice is not None
    token = tokens.sign(current().secret_key, Purpose.PREFERENCES, alice.id, at=clock.now())
    assert visitor.client.post(f"/preferences/{token}", data={"wish": wish}).status_code == 400
