"""`GET /metrics`: who may read it, that a strict reader understands it, and that its figures are right."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from newsletter import clock
from newsletter.dashboard import exposition, metrics
from newsletter.dashboard.exposition import Family
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions
from newsletter.delivery.models import Relay, Tally
from newsletter.delivery.relay_rules import Source
from newsletter.delivery.rules import Lane, State
from newsletter.work import heartbeats
from tests.conftest import running
from tests.dashboard.exposition_reader import read
from tests.house import ROOT
from tests.people import person, planned

TOKEN = "a-token-of-the-tests"


@pytest.fixture
def watched(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """An application whose METRICS_TOKEN is set."""
    yield from running(database_url, tmp_path, METRICS_TOKEN=TOKEN)


def scrape(browser: FlaskClient, token: str = TOKEN) -> dict[Any, float]:
    answer = browser.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    samples, kinds = read(answer.text)
    assert {name for name, _ in samples} <= set(kinds)
    return samples


def test_without_a_token_set_there_is_no_such_page(sqlite_app: Flask) -> None:
    answer = sqlite_app.test_client().get("/metrics", headers={"Authorization": "Bearer "})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN, "Bearer tökenß"]
)
def test_charlie_is_refused(watched: Flask, sent: str) -> None:
    answer = watched.test_client().get("/metrics", headers={"Authorization": sent})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "supple" not in answer.text


def test_a_new_installation_has_figures_too(watched: Flask) -> None:
    samples = scrape(watched.test_client())
    assert samples["supple_deliveries", (("lane", "bulk"), ("state", "planned"))] == 0
    assert samples["supple_oldest_due_seconds", (("lane", "transactional"),)] == 0
    assert samples["supple_leases_expired", ()] == 0


def test_the_figures_are_those_of_the_ledger(watched: Flask) -> None:
    now = clock.now()
    with transaction() as session:
        alice = person(session)
        planned(session, alice, reason="confirm:1", lane=Lane.TRANSACTIONAL, due_at=now - timedelta(seconds=90))
        planned(session, alice, reason="broadcast:1", lane=Lane.BULK, due_at=now + timedelta(hours=1))
        session.add(Tally(batch='relay:mx "two"\\25', state=State.ACCEPTED, count=1_000_000))
        session.add(Tally(batch='relay:mx "two"\\25', state=State.DEFERRED, count=3))
        for name, problem in (("well:25", ""), ("ill:25", "It refuses us.")):
            made = Relay(name=name, source=Source.OPERATOR, host="mx", port=25, created_at=now)
            made.problem, made.retry_at = problem, now + timedelta(minutes=2) if problem else None
            session.add(made)
        heartbeats.beat(session, "here:1:ab", now)
        actions.hold(session, "lane:2", "Paused.", now)
    samples = scrape(watched.test_client())
    assert samples["supple_deliveries", (("lane", "transactional"), ("state", "planned"))] == 1
    assert samples["supple_deliveries", (("lane", "bulk"), ("state", "planned"))] == 1
    assert samples["supple_oldest_due_seconds", (("lane", "transactional"),)] == pytest.approx(90, abs=30)
    assert samples["supple_oldest_due_seconds", (("lane", "bulk"),)] == 0
    assert samples["supple_attempts_total", (("outcome", "accepted"), ("relay", 'mx "two"\\25'))] == 1_000_000
    assert samples["supple_attempts_total", (("outcome", "deferred"), ("relay", 'mx "two"\\25'))] == 3
    assert samples["supple_relay_up", (("relay", "well:25"),)] == 1
    assert samples["supple_relay_up", (("relay", "ill:25"),)] == 0
    assert 0 < samples["supple_relay_rest_seconds", (("relay", "ill:25"),)] <= 120
    assert samples["supple_worker_last_seen_timestamp_seconds", (("worker", "here:1:ab"),)] == pytest.approx(
        now.timestamp(), abs=1
    )
    assert samples["supple_hold_since_timestamp_seconds", (("what", "lane:2"),)] == pytest.approx(
        now.timestamp(), abs=1
    )


def test_a_scrape_asks_a_few_questions_and_none_counts_the_ledger(watched: Flask) -> None:
    asked: list[str] = []
    connection = db.session().connection()
    event.listen(connection, "before_cursor_execute", lambda *given: asked.append(given[2]))
    list(metrics.families(db.session(), clock.now()))
    assert len(asked) <= 12
    counting = [words for words in asked if "count(" in words.lower() and "deliveries" in words]
    assert all("lease_until" in words for words in counting)  # of what is under way, in an index of its own


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == metrics.VERSION


LABELS = st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,9}", fullmatch=True), st.text(max_size=30), max_size=3)
SAMPLES = st.tuples(LABELS, st.floats(allow_nan=False))


@given(
    st.text(max_size=60),
    st.lists(
        st.tuples(LABELS, st.floats(allow_nan=False)), max_size=4, unique_by=lambda one: str(sorted(one[0].items()))
    ),
)
def test_whatever_a_relay_is_called_the_format_stays_whole(
    about: str, samples: list[tuple[dict[str, str], float]]
) -> None:
    told, kinds = read(exposition.expose([Family("supple_x", "gauge", about, samples)]))
    assert kinds == {"supple_x": "gauge"}
    assert told == {("supple_x", tuple(sorted(labels.items()))): value for labels, value in samples}


@pytest.mark.parametrize(
    "broken",
    [
        *("x 1", "x 1\nx 2\n", 'x{a="b} 1\n', "x{a=b} 1\n", "x one\n", "1x 1\n", "x\n", "\n"),
        *("# TYPE x gouge\n", "# TYPE x gauge\n# TYPE x gauge\n", "# HELLO x y\n"),
        *('x 1\ny 1\nx{a="1"} 1\n', 'x{a="\\t"} 1\n', 'x{a="1",a="2"} 1\n'),
    ],
)
def test_the_reader_is_strict(broken: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(broken)
