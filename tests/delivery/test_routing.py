"""Relays in the database: the ways out, budgets that hold across workers, rests and slow-downs (semantics 2.8, 2.9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from flask import Flask

from newsletter.database.engine import db, transaction
from newsletter.delivery import relay_rows, relays, routing
from newsletter.delivery import relay_rules as rules
from newsletter.delivery.models import Relay, RelayDay, RelayDomain
from newsletter.delivery.relay_rows import SEALED_FOR
from newsletter.delivery.routing import Draw, Way
from newsletter.delivery.rules import Lane, Reply
from newsletter.errors import InputError, NotFound
from newsletter.sealing import seal
from newsletter.settings import Smtp
from tests.conftest import SECRET
from tests.delivery.relaying import NOW, draw, relay

ALL = tuple(Lane)


def ways(now: datetime = NOW) -> dict[str, tuple[Lane, ...]]:
    with transaction() as session:
        return {way.name: way.lanes for way in routing.ways(session, now)}


def failed(relay_id: int, now: datetime = NOW) -> None:
    with transaction() as session:
        routing.failed(session, relay_id, "535 5.7.8 Wrong password", now)


def worked(relay_id: int, accepted: int, now: datetime = NOW) -> None:
    with transaction() as session:
        routing.worked(session, relay_id, accepted, now)


def row(relay_id: int) -> Relay:
    db.session.rollback()
    return db.session.get_one(Relay, relay_id, populate_existing=True)


@pytest.fixture
def smtp_url(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Smtp:
    """SMTP_URL is set."""
    smtp = Smtp("first.example.org", 25, "", "", implicit_tls=False, starttls="auto")
    use(app, monkeypatch, smtp)
    return smtp


def use(app: Flask, monkeypatch: pytest.MonkeyPatch, smtp: Smtp | None) -> None:
    changed = replace(app.extensions["settings"], smtp=smtp)
    monkeypatch.setitem(app.extensions, "settings", changed)


def test_without_any_relay_the_built_in_mailbox_is_the_only_way(app: Flask) -> None:
    with transaction() as session:
        assert routing.ways(session, NOW) == [Way(routing.MAILBOX, "mailbox", None, ALL)]
        assert routing.draw(session, routing.MAILBOX, "one", 70, NOW) == Draw(70, 1)
        routing.unused(session, routing.MAILBOX, 5, NOW)
        routing.worked(session, routing.MAILBOX, 5, NOW)
        routing.failed(session, routing.MAILBOX, "no", NOW)
        routing.slow_down(session, routing.MAILBOX, "example.org", Reply(421), NOW)
        assert routing.pace(session, routing.MAILBOX, ["example.org"], NOW) == [None]
        routing.release(session, routing.MAILBOX, "one")


def test_relays_that_are_switched_off_do_not_make_the_mailbox_a_way(app: Flask) -> None:
    """Emails would count as sent and reach nobody."""
    relay(enabled=False)
    assert ways() == {}


def test_smtp_url_is_the_first_relay_and_keeps_its_limits(
    app: Flask, monkeypatch: pytest.MonkeyPatch, smtp_url: Smtp
) -> None:
    assert ways() == {"first.example.org:25": ALL}
    with transaction() as session:
        [way] = routing.ways(session, NOW)
        assert way.smtp == smtp_url
        session.get_one(Relay, way.relay_id).daily_cap = 7
    other = Smtp("second.example.org", 465, "", "", implicit_tls=True, starttls="never")
    use(app, monkeypatch, other)
    assert ways() == {"second.example.org:465": ALL}
    use(app, monkeypatch, None)
    assert ways() == {"mailbox": ALL}
    use(app, monkeypatch, smtp_url)
    assert ways() == {"first.example.org:25": ALL}
    assert row(way.relay_id).daily_cap == 7


def test_a_kept_password_is_opened_for_the_wire_only(app: Flask) -> None:
    sealed = seal(SECRET, SEALED_FOR, "hunter2")
    number = relay(username="alice", password=sealed, security="require")
    with transaction() as session:
        [way] = routing.ways(session, NOW)
    assert way.smtp == Smtp("mx.example.org", 587, "alice", "hunter2", implicit_tls=False, starttls="require")
    assert way.name == "mx.example.org:587"
    assert "hunter2" not in repr(row(number).__dict__)


def test_a_password_sealed_with_another_key_stops_its_relay_and_tells(app: Flask) -> None:
    number = relay(password=seal("another key of more than 32 letters.", SEALED_FOR, "hunter2"))
    assert ways() == {}
    assert "SECRET_KEY" in row(number).problem


def test_2_8_a_failure_rests_the_relay_and_the_next_priority_takes_over(app: Flask) -> None:
    first, _ = relay("first:25", priority=1), relay("second:25", priority=2)
    assert ways() == {"first:25": ALL}
    failed(first)
    assert ways() == {"second:25": ALL}
    assert draw(first, 10) == Draw(0, 0, NOW + timedelta(minutes=1))
    assert row(first).since == NOW
    assert "535" in row(first).problem


def test_after_its_rest_a_relay_proves_itself_before_it_takes_over_again(app: Flask) -> None:
    """Hysteresis: a few emails on trial; the other relay goes on meanwhile."""
    first, _ = relay("first:25", priority=1), relay("second:25", priority=2)
    failed(first)
    later = NOW + timedelta(minutes=1)
    assert ways(later) == {"first:25": ALL, "second:25": ALL}
    assert draw(first, 100, later) == Draw(rules.PROBE, 1)
    assert draw(first, 100, later, "two") == Draw(0, 0, later + rules.PROBE_PATIENCE), "one worker tries it"
    worked(first, rules.PROBE, later)
    assert ways(later) == {"first:25": ALL, "second:25": ALL}
    assert draw(first, 100, later) == Draw(rules.PROBE, 1)
    worked(first, rules.PROBE, later)
    assert ways(later) == {"first:25": ALL}
    assert row(first).problem == ""
    assert draw(first, 100, later).emails == 100


def test_each_failure_in_a_row_doubles_the_rest(app: Flask) -> None:
    number, now, rests = relay(), NOW, []
    for _ in range(7):
        failed(number, now)
        failed(number, now + timedelta(seconds=1))  # another worker noticed too
        retry_at = row(number).retry_at
        assert retry_at is not None
        rests.append((retry_at - now) // timedelta(minutes=1))
        now = retry_at
    assert rests == [1, 2, 4, 8, 16, 30, 30]
    assert row(number).since == NOW


def test_an_operator_may_end_the_rest(app: Flask) -> None:
    number = relay()
    failed(number)
    with transaction() as session:
        routing.try_now(session, number, NOW)
    assert draw(number, 100) == Draw(rules.PROBE, 1)


def test_2_9_a_rate_grants_its_emails_and_says_when_there_are_more(app: Flask) -> None:
    number = relay(rate=10.0)
    assert draw(number, 100) == Draw(10, 4, NOW + timedelta(milliseconds=100))
    assert draw(number, 100).emails == 0
    assert draw(number, 100, NOW + timedelta(milliseconds=300)).emails == 3
    assert draw(number, 2, NOW + timedelta(hours=1)) == Draw(2, 2)


def test_what_was_not_sent_is_given_back(app: Flask) -> None:
    number = relay(rate=10.0, daily_cap=10)
    with transaction() as session:
        assert routing.draw(session, number, "one", 10, NOW).emails == 10
        routing.unused(session, number, 6, NOW)
    assert draw(number, 10).emails == 6
    later = NOW + timedelta(minutes=1)
    with transaction() as session:
        routing.unused(session, number, 5, later)
    assert draw(number, 10, later).emails == 5, "the day got them back"


def test_a_rate_gets_nothing_back_later_because_that_would_be_a_burst_too_many(app: Flask) -> None:
    number = relay(rate=10.0)
    draw(number, 10)
    later = NOW + timedelta(minutes=1)
    assert draw(number, 10, later).emails == 10
    with transaction() as session:
        routing.unused(session, number, 10, later + timedelta(microseconds=1))
    assert draw(number, 10, later + timedelta(microseconds=1)).emails == 0


def test_2_9_a_daily_cap_holds_until_midnight_utc_and_the_next_priority_takes_the_rest(app: Flask) -> None:
    first, _ = relay("first:25", priority=1, daily_cap=5), relay("second:25", priority=2)
    midnight = datetime.fromisoformat("2026-03-05T00:00:00+00:00")
    assert draw(first, 100) == Draw(5, 4, midnight)
    assert ways() == {"second:25": ALL}
    assert draw(first, 100) == Draw(0, 4, midnight)
    assert draw(first, 100, midnight).emails == 5
    assert {day.drawn for day in db.session.query(RelayDay)} == {5}


def test_2_7_a_broadcast_leaves_some_of_the_day_to_confirmations(app: Flask) -> None:
    number = relay(daily_cap=100)
    assert draw(number, 500, lane=Lane.BULK).emails == 90
    assert ways() == {"mx.example.org:587": (Lane.TRANSACTIONAL, Lane.SEQUENCE)}
    assert draw(number, 500, lane=Lane.SEQUENCE).emails == 5
    assert ways() == {"mx.example.org:587": (Lane.TRANSACTIONAL,)}
    assert draw(number, 500).emails == 5
    assert ways() == {}


def test_2_9_a_warm_up_plan_allows_each_days_number(app: Flask) -> None:
    number = relay(warmup_start=date(2026, 3, 4), warmup_plan=[3, 6], daily_cap=5)
    days = [draw(number, 100, NOW + timedelta(days=day)).emails for day in range(-1, 4)]
    assert days == [0, 3, 5, 5, 5]


def test_a_cap_set_in_the_middle_of_a_day_counts_what_went_before(app: Flask) -> None:
    number = relay()
    draw(number, 8)
    worked(number, 8)
    with transaction() as session:
        session.get_one(Relay, number).daily_cap = 10
    assert draw(number, 100).emails == 2


def test_a_relay_that_is_gone_or_switched_off_gives_nothing(app: Flask) -> None:
    assert draw(99, 10) == Draw(0, 0)
    assert draw(relay(enabled=False), 10) == Draw(0, 0)
    with transaction() as session:
        routing.unused(session, 99, 5, NOW)
        routing.failed(session, 99, "gone", NOW)
        routing.slow_down(session, 99, "", Reply(421), NOW)
        assert routing.pace(session, 99, ["example.org"], NOW) == [None]


def test_2_9_a_share_holds_one_domain_back_and_no_other(app: Flask) -> None:
    number = relay(rate=10.0, share=20)
    with transaction() as session:
        moments = routing.pace(session, number, ["a.example", "b.example", "a.example", "a.example", "a.example"], NOW)
    half = timedelta(milliseconds=500)
    assert moments == [None, None, None, NOW + half, NOW + 2 * half]
    with transaction() as session:
        assert routing.pace(session, number, ["a.example"], NOW) == [NOW + 3 * half]
        assert routing.pace(session, number, ["a.example"], NOW + half) == [None]
        assert routing.pace(session, number, ["c.example"], NOW) == [None]


def test_without_a_share_nothing_is_held_back_and_no_row_is_written(app: Flask) -> None:
    number = relay(rate=10.0)
    with transaction() as session:
        assert routing.pace(session, number, ["a.example"] * 500, NOW) == [None] * 500
    assert db.session.query(RelayDomain).count() == 0


def test_2_8_a_domain_that_asks_for_less_gets_half_and_recovers(app: Flask) -> None:
    number = relay()
    limited = Reply(451, "4.7.0", "Too many messages")
    with transaction() as session:
        assert [way.paced for way in routing.ways(session, NOW)] == [False]
        routing.slow_down(session, number, "a.example", limited, NOW)
        routing.slow_down(session, number, "a.example", limited, NOW)  # the same window: one request
        assert [way.paced for way in routing.ways(session, NOW)] == [True]
        moments = routing.pace(session, number, ["a.example", "b.example"] * 10, NOW)
        assert moments.count(None) == 4 + 10
        again = NOW + rules.SETTLE
        routing.slow_down(session, number, "a.example", limited, again)
        assert routing.pace(session, number, ["a.example"] * 9, again).count(None) == 2
        recovered = again + 2 * rules.RECOVERY
        assert routing.pace(session, number, ["a.example"] * 50, recovered) == [None] * 50


def test_2_8_a_relay_that_asks_for_less_slows_down_as_a_whole(app: Flask) -> None:
    number = relay(rate=8.0)
    with transaction() as session:
        routing.slow_down(session, number, "a.example", Reply(421, "4.7.0", "Slow down", about="session"), NOW)
    assert draw(number, 100).emails == 4
    assert draw(number, 100, NOW + rules.RECOVERY).emails == 8


def test_another_4xx_slows_nothing_down(app: Flask) -> None:
    number = relay(rate=8.0)
    with transaction() as session:
        routing.slow_down(session, number, "a.example", Reply(450, "4.2.0", "Mailbox busy"), NOW)
        routing.slow_down(session, number, "a.example", Reply(451, "4.7.1", "Greylisted, come back"), NOW)
        assert [way.paced for way in routing.ways(session, NOW)] == [False]


def test_the_back_office_reads_adds_moves_and_forgets_on_both_databases(app: Flask) -> None:
    """Its pages are tested on one; this is all that they ask of the database."""
    values = {"name": "new", "host": "new.example.org", "port": 25, "username": "", "password": "", "security": "auto"}
    first = relay(share=20, rate=5.0)
    with transaction() as session:
        second = relays.add(session, values, NOW)
        relays.move(session, second, up=True)
        routing.draw(session, second.id, "worker", 3, NOW)
        routing.worked(session, second.id, 3, NOW)
        routing.slow_down(session, second.id, "a.example", Reply(421), NOW)
        relays.change(session, second, values | {"name": "renamed"}, NOW)
    [group] = relays.shown(db.session(), NOW)
    seen = [(view.relay.name, view.sent, view.connections, [slow.domain for slow in view.slow]) for view in group]
    assert seen == [("mx.example.org:587", 0, 0, []), ("renamed", 3, 3, ["a.example"])]
    with pytest.raises(InputError, match="called renamed already"), transaction() as session:
        relays.change(session, relays.find(session, first), {"name": "renamed"}, NOW)
    with transaction() as session:
        relays.remove(session, relays.find(session, second.id))
    with pytest.raises(NotFound):
        relays.find(db.session(), second.id)
    assert not relay_rows.into_mailbox(db.session())
