"""Goals and exits as the worker asks them: at once, when a step is due, and again at sending; on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from newsletter import clock
from newsletter.audience import actions as audience
from newsletter.audience.models import Subscriber
from newsletter.database.engine import transaction
from newsletter.delivery import jobs as delivery_jobs
from newsletter.delivery.rules import State
from newsletter.sequences import actions, jobs
from newsletter.sequences.rules import EnrollmentState
from newsletter.tracking import actions as tracking
from newsletter.tracking.rules import Seen
from tests.sequences.conftest import MONDAY, emails, join, person, run, sent, turn
from tests.sequences.test_steps import build, mail, tag, ways


@pytest.mark.parametrize("planned", [False, True])
def test_3_13_who_takes_an_exit_leaves_at_once_and_gets_nothing_that_was_planned(app: Flask, planned: bool) -> None:
    series = build("core", mail("a"), mail("b"), exits=[{"tagged": "client"}, {"untagged": "curious"}])
    alice, bob, charlie = person("Alice"), person("Bob"), person("Charlie")
    for number in (alice, bob, charlie):
        tag(number, "curious")
        join(series, number)
    moment = MONDAY + timedelta(days=1)
    if planned:
        with clock.standing_at(moment):
            jobs.plan_due()
    tag(bob, "client", moment)
    with transaction() as session:
        audience.remove_tag(session, charlie, "curious", moment)
    with transaction() as session:
        assert actions.reconsider(session, [alice, bob, charlie], moment) == 2
    for number, why in ((bob, "they get the tag “client”"), (charlie, "they lose the tag “curious”")):
        assert ways(number) == [("core", 1, EnrollmentState.EXITED, why)]
        assert [row.state for row in emails(number)] == [State.CANCELED] * planned
    run(MONDAY + timedelta(days=4))
    assert [sent(number) != [] for number in (alice, bob, charlie)] == [True, False, False]


def test_3_13_an_exit_is_asked_again_at_the_moment_of_sending(app: Flask) -> None:
    """As it is when a worker has planned the email before anybody looked at the new tag."""
    series = build("core", mail("a"), mail("b"), goal={"tag": "client"})
    charlie = person("Charlie")
    join(series, charlie)
    with clock.standing_at(MONDAY + timedelta(days=1)):
        jobs.plan_due()
        tag(charlie, "client")
        while jobs.plan_due() + delivery_jobs.send_due():
            pass
    (email,) = emails(charlie)
    assert (email.state, email.state_why) == (State.CANCELED, "Left the series: goal reached")
    assert ways(charlie) == [("core", 1, EnrollmentState.EXITED, "goal reached")]


def test_3_13_a_goal_reached_while_waiting_ends_it_when_the_step_is_due(app: Flask) -> None:
    series = build("core", mail("a", 0), mail("b"), goal={"field": "plan", "is": "set"})
    alice, bob = person("Alice"), person("Bob")
    for number in (alice, bob):
        join(series, number)
    turn(MONDAY)
    with transaction() as session:
        session.get_one(Subscriber, alice).fields = {"plan": "gold"}
    run(MONDAY + timedelta(days=2))
    assert ways(alice) == [("core", 1, EnrollmentState.EXITED, "goal reached")]
    assert ways(bob) == [("core", 1, EnrollmentState.FINISHED, "")]


def press(delivery_id: int, subscriber_id: int, now: datetime, url: str = "https://example.org/") -> None:
    with transaction() as session:
        link = tracking.link_ids(session, [url])[url]
        tracking.record_clicks(session, [Seen(delivery_id, subscriber_id, link, now, robot=False)])


@pytest.mark.parametrize("rules", [{"goal": {"clicked": "a"}}, {"exits": [{"clicked": "any"}]}])
def test_3_13_a_link_that_is_pressed_ends_a_series_at_once(app: Flask, rules: dict[str, Any]) -> None:
    series = build("core", mail("a", 0), mail("b", 20), **rules)
    alice, bob = person("Alice"), person("Bob")
    for number in (alice, bob):
        join(series, number)
    turn(MONDAY)
    later = MONDAY + timedelta(hours=1)
    press(emails(alice)[0].id, alice, later)
    with clock.standing_at(later + timedelta(seconds=2)):
        jobs.enter_due()
    assert [ways(number)[0][2] for number in (alice, bob)] == [EnrollmentState.EXITED, EnrollmentState.ACTIVE]


def test_3_13_a_program_that_opens_all_links_ends_nothing(app: Flask) -> None:
    """Also when its clicks are written down one after another, and the sweep comes in between."""
    series = build("core", mail("a", 0), mail("b", 20), goal={"clicked": "a"})
    bob = person("Bob")
    join(series, bob)
    turn(MONDAY)
    moment = MONDAY + timedelta(hours=1)
    for link in ("https://example.org/", "https://example.org/more"):
        press(emails(bob)[0].id, bob, moment, link)
        moment += timedelta(seconds=0.7)
        with clock.standing_at(moment):
            jobs.enter_due()
    with clock.standing_at(moment + timedelta(seconds=5)):
        assert jobs.enter_due() > 0
    assert ways(bob)[0][2] == EnrollmentState.ACTIVE
