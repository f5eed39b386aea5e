"""GET /healthz answers 200 when web, database and worker are well."""

from __future__ import annotations

from datetime import timedelta

from flask.testing import FlaskClient

from newsletter import clock
from newsletter.database.engine import transaction
from newsletter.work import heartbeats


def test_well_with_a_fresh_heartbeat(client: FlaskClient) -> None:
    with transaction() as session:
        heartbeats.beat(session, "here", clock.now())
    assert client.get("/healthz").status_code == 200


def test_unwell_without_a_worker(client: FlaskClient) -> None:
    with transaction() as session:
        heartbeats.beat(session, "here", clock.now() - timedelta(minutes=4))
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json == {"web": True, "database": True, "worker": False}
