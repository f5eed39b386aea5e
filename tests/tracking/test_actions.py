"""Links get numbers once; clicks are kept, counted, moved and forgotten."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from sqlalchemy import Select, literal, select, union_all

from newsletter.accounts import actions as accounts
from newsletter.accounts import queries as studio
from newsletter.audience import occasions
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Happened, Status
from newsletter.database.engine import db, transaction
from newsletter.tracking import actions, queries
from newsletter.tracking.models import Click, Link
from newsletter.tracking.queries import LinkClicks
from newsletter.tracking.rules import Seen
from tests.accounts.people import make_alice
from tests.people import NOW
from tests.tracking.conftest import HIPS, MOVES, Post

SECOND = timedelta(seconds=1)


def deliveries(*ids: int) -> Select[int]:
    """What the ledger would select."""
    return select(union_all(*(select(literal(number).label("id")) for number in ids)).subquery().c.id)


def record(*seen: Seen) -> int:
    with transaction() as session:
        return actions.record_clicks(session, list(seen))


def robots() -> dict[int, bool]:
    db.session.rollback()
    return dict(db.session.execute(select(Click.id, Click.robot).order_by(Click.id)).all())


def test_an_address_keeps_the_number_it_got(app: Flask, post: Post) -> None:
    with transaction() as session:
        again = actions.link_ids(session, [HIPS, "https://example.org/new", MOVES, HIPS])
    assert (again[MOVES], again[HIPS]) == (post.moves, post.hips)
    assert again["https://example.org/new"] not in {post.moves, post.hips}
    assert len(db.session.scalars(select(Link)).all()) == 3
    assert queries.link_ids(db.session(), [MOVES, "https://example.org/unknown"]) == {MOVES: post.moves}


def test_many_links_at_once(app: Flask) -> None:
    urls = [f"https://example.org/{number}" for number in range(1203)]
    with transaction() as session:
        ids = actions.link_ids(session, urls)
    assert ids.keys() == set(urls)
    assert len(set(ids.values())) == 1203
    assert all(queries.url_of(db.session(), ids[url]) == url for url in urls[::100])


def test_no_links_are_no_ids(app: Flask) -> None:
    with transaction() as session:
        assert actions.link_ids(session, []) == {}


def test_clicks_are_counted_by_link_without_robots(app: Flask, post: Post) -> None:
    later = NOW + timedelta(hours=1)
    assert (
        record(
            post.click(),
            post.click(at=later),
            post.click(bob=True),
            post.click(post.hips, at=later + timedelta(minutes=1)),
            post.click(post.hips, at=later, bob=True, robot=True),
        )
        == 5
    )
    session = db.session()
    both = deliveries(post.to_alice, post.to_bob)
    assert queries.clicks_by_link(session, both) == [LinkClicks(MOVES, 2, 3), LinkClicks(HIPS, 1, 1)]
    assert queries.clicks_by_link(session, deliveries(post.to_bob)) == [LinkClicks(MOVES, 1, 1)]
    assert queries.clicks_by_link(session, deliveries(999)) == []
    assert queries.readers_who_clicked(session, both) == 2
    assert [(one.url, one.robot) for one in queries.clicks_of_delivery(session, post.to_bob)] == [
        (MOVES, False),
        (HIPS, True),
    ]


def test_two_links_of_one_email_within_a_second_are_a_programs_also_across_writes(app: Flask, post: Post) -> None:
    record(post.click(), post.click(post.hips, bob=True))
    assert set(robots().values()) == {False}
    record(post.click(post.hips, at=NOW + SECOND / 2), post.click(post.hips, at=NOW + SECOND / 2, bob=True))
    assert list(robots().values()) == [True, False, True, False]


def test_upper_rooms_are_told_of_readers_when_no_other_link_can_follow_within_a_second(app: Flask, post: Post) -> None:
    record(post.click(), post.click(post.hips, bob=True, robot=True))
    for moment, told in ((NOW + SECOND / 2, []), (NOW + SECOND, [(post.alice, Happened.CLICK)])):
        with transaction() as session:
            assert [(one.subscriber_id, one.kind) for one in occasions.take(session, 10, moment)] == told


def test_clicks_that_come_in_late_mark_the_ones_before_and_after(app: Flask, post: Post) -> None:
    """Two web processes write down what they saw at moments of their own."""
    record(post.click(at=NOW + SECOND / 2))
    record(post.click(post.hips))
    assert list(robots().values()) == [True, True]


def test_nothing_is_kept_of_people_who_are_gone(app: Flask, post: Post) -> None:
    with transaction() as session:
        session.get_one(Subscriber, post.alice).status = Status.ERASED
    assert record(post.click(), post.click(bob=True)) == 1
    assert record(Seen(103, 4711, post.moves, NOW, robot=False)) == 0
    assert db.session.scalars(select(Click.subscriber_id)).all() == [post.bob]


def test_nothing_is_kept_while_the_studio_does_not_count(app: Flask, post: Post) -> None:
    alice = make_alice()
    with transaction() as session:
        accounts.change_settings(session, {"track_clicks": False}, by=alice.id, now=NOW)
    assert record(post.click()) == 0
    assert db.session.scalars(select(Click)).all() == []


def test_a_new_studio_counts_clicks(app: Flask) -> None:
    assert studio.studio(db.session()).track_clicks is True


def test_4_what_is_held_and_told_about_a_person(app: Flask, post: Post) -> None:
    record(post.click(), post.click(post.hips, at=NOW + timedelta(minutes=1), robot=True), post.click(bob=True))
    session = db.session()
    assert queries.held(session, post.alice) == {
        "clicks": [
            {"link": MOVES, "at": NOW, "by": "you"},
            {"link": HIPS, "at": NOW + timedelta(minutes=1), "by": "a program"},
        ]
    }
    (line,) = queries.history(session, post.alice)
    assert (line.at, line.kind, line.text) == (NOW, "click", "Pressed the link to example.org/moves")


def test_4_forgetting_removes_every_click_of_that_person_only(app: Flask, post: Post) -> None:
    record(post.click(), post.click(bob=True))
    with transaction() as session:
        for forget in app.extensions["forget"]:
            forget(session, post.alice)
    assert db.session.scalars(select(Click.subscriber_id)).all() == [post.bob]


def test_4_merging_moves_the_clicks(app: Flask, post: Post) -> None:
    record(post.click(), post.click(bob=True))
    with transaction() as session:
        for absorb in app.extensions["absorb"]:
            absorb(session, post.alice, post.bob)
    assert db.session.scalars(select(Click.subscriber_id)).all() == [post.alice, post.alice]


def test_every_room_is_asked(app: Flask) -> None:
    assert queries.history in app.extensions["history"]
    assert queries.held in app.extensions["held"]
