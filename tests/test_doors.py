"""Every route has a test, every admin and api route refuses a stranger, every job is scheduled."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import lru_cache

import pytest
from flask import Flask
from werkzeug.routing import Rule

from newsletter import worker
from newsletter.database.engine import transaction
from tests.doors import addresses, apart
from tests.house import ROOT, modules, tree_of
from tests.people import person

# The doors of the back office and the API that stand open, and why.
OPEN = {
    "/admin/sign-in": "where a stranger becomes an operator",
    "/admin/setup/": "makes the first operator; its token is the key",
    "/api/signup/": "the sign-up form of other people's pages; it has the visitors' guards",
}


def closed(path: str) -> bool:
    return not any(path.startswith(door) for door in OPEN)


@pytest.mark.parametrize("prefix", ["/admin", "/api"])
def test_a_stranger_is_refused_everywhere(sqlite_app: Flask, prefix: str) -> None:
    """Charlie knows every address by heart; he gets the sign-in page or a refusal, and nothing changes."""
    with transaction() as session:
        person(session, "charlie@example.net")
    charlie, open_to_him = sqlite_app.test_client(), []
    for method, path in addresses(sqlite_app, prefix):
        if closed(path):
            answer = apart(charlie.open, path, method=method)
            to_sign_in = answer.status_code == 302 and answer.headers["Location"].startswith("/admin/sign-in")
            if not (answer.status_code in {401, 403} or (method == "GET" and to_sign_in)):
                open_to_him.append(f"{method} {path}: {answer.status_code}")
            assert "charlie@example.net" not in answer.text
    assert open_to_him == []


def test_the_doors_that_stand_open_exist(sqlite_app: Flask) -> None:
    """So that the list of exceptions above does not outlive its reasons."""
    known = [path for _, path in addresses(sqlite_app)]
    assert [door for door in OPEN if not any(path.startswith(door) for path in known)] == []


def test_every_route_has_a_test(sqlite_app: Flask) -> None:
    asked = spoken_of()
    silent = [
        rule.rule
        for rule in sqlite_app.url_map.iter_rules()
        if rule.endpoint != "static" and rule.endpoint not in asked and not any(map(_pattern(rule).search, asked))
    ]
    assert sorted(set(silent)) == []


def _pattern(rule: Rule) -> re.Pattern[str]:
    """The address as a test writes it, with anything (also a pattern) in the place of the variable parts."""
    if rule.rule == "/":
        return re.compile(r"^(http://[\w.:]+)?/$")
    parts = [re.escape(part) for part in re.split(r"<[^>]*>", rule.rule)]
    return re.compile(r"[^/]+".join(parts) + r"(?=$|[?#\s\"')])")


@lru_cache(maxsize=1)
def spoken_of() -> frozenset[str]:
    """Every text that stands in a test, f-strings with a placeholder for their expressions."""
    own = {"doors.py", "test_doors.py", "house.py", "test_house_rules.py"}
    trees = (tree_of(path) for path in ROOT.glob("tests/**/*.py") if path.name not in own)
    return frozenset(text for tree in trees for node in ast.walk(tree) if (text := _text(node)))


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    return ""


# Fronts that a job calls by its own name, not jobs themselves.
NOT_JOBS = {"worker_name"}


def test_every_job_is_scheduled() -> None:
    scheduled = {f"{job.__module__}.{job.__name__}" for job in worker.JOBS}
    assert sorted(set(_jobs()) - scheduled) == []


def _jobs() -> Iterator[str]:
    """A job takes nothing, returns how much it did, and is public."""
    for module in modules():
        if module.piece != "jobs":
            continue
        for node in module.tree.body:
            if not isinstance(node, ast.FunctionDef) or node.args.args:
                continue
            if not node.name.startswith("_") and node.name not in NOT_JOBS:
                yield f"newsletter.{'.'.join(module.dotted)}.{node.name}"


def test_a_job_says_how_much_it_did() -> None:
    assert [job for job in worker.JOBS if inspect.signature(job).return_annotation not in {"int", int}] == []
