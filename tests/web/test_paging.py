"""Lists come in pages, and a search means its signs literally."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.audience.models import Tag
from newsletter.database.engine import db, transaction
from newsletter.web.paging import LIKE_ESCAPE, PAGE_SIZE, Listing, containing, list_page


@pytest.mark.parametrize(
    ("asked", "number", "rows"),
    [
        ("1", 1, 25),
        ("2", 2, 25),
        ("3", 3, 5),
        ("4", 3, 5),
        ("0", 1, 25),
        ("-7", 1, 25),
        ("x", 1, 25),
        ("9" * 5000, 1, 25),
    ],
)
def test_a_page_that_is_not_there_is_the_nearest(app: Flask, asked: str, number: int, rows: int) -> None:
    with transaction() as session:
        session.add_all(Tag(name=f"{index:03}") for index in range(2 * PAGE_SIZE + 5))
    with app.test_request_context(f"/?page={asked}"):
        found = list_page(db.session(), select(Tag).order_by(Tag.name))
    assert (found.number, len(found.rows), found.total, found.pages) == (number, rows, 55, 3)
    assert found.rows[0].name == f"{(number - 1) * PAGE_SIZE:03}"


def test_an_empty_list_has_one_page(app: Flask) -> None:
    with app.test_request_context("/?page=5"):
        found = list_page(db.session(), select(Tag))
    assert (found.number, found.total, found.pages, list(found.rows)) == (1, 0, 1, [])
    assert Listing([], 1, 26).pages == 2


@pytest.mark.parametrize(
    ("search", "finds"),
    [("50%", ["50% off"]), ("_", ["a_b"]), ("\\", ["a\\b"]), ("OFF", ["50% off"]), ("\0a_", ["a_b"]), ("'", ["it's"])],
)
def test_a_search_means_its_signs_literally(app: Flask, search: str, finds: list[str]) -> None:
    with transaction() as session:
        session.add_all(Tag(name=name) for name in ("50% off", "500 more", "a_b", "axb", "a\\b", "it's"))
    pattern = containing(search)
    assert db.session.scalars(select(Tag.name).where(Tag.name.ilike(pattern, escape=LIKE_ESCAPE))).all() == finds
