"""What a limit counts by."""

from __future__ import annotations

import pytest
from flask import Flask

from newsletter.web.limits import limiter, network

NETWORKS = [
    ("192.0.2.7", "192.0.2.7"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
    ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
    ("::ffff:192.0.2.7", "192.0.2.7"),
    ("unknown", "unknown"),
]


@pytest.mark.parametrize(("ip", "counted"), NETWORKS)
def test_1_10_whoever_has_a_whole_network_is_one_visitor(ip: str, counted: str) -> None:
    assert network(ip) == counted


def test_a_limit_holds_for_all_of_a_network(own_app: Flask) -> None:
    own_app.add_url_rule("/limited", "limited", limiter.limit("2/minute")(lambda: "in"))
    visitor = own_app.test_client()
    said = [visitor.get("/limited", environ_base={"REMOTE_ADDR": f"2001:db8::{n}"}).status_code for n in range(1, 4)]
    assert said == [200, 200, 429]
