"""The only reader of the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from newsletter import clock

THEN = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_now_is_aware_utc() -> None:
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_standing_at_a_moment_and_going_on_afterwards() -> None:
    with clock.standing_at(THEN):
        assert clock.now() == THEN
        with clock.standing_at(THEN + timedelta(days=1)):
            assert clock.now() == THEN + timedelta(days=1)
        assert clock.now() == THEN
    assert clock.now() > THEN


def test_it_goes_on_after_an_error_too() -> None:
    with pytest.raises(RuntimeError), clock.standing_at(THEN):
        raise RuntimeError
    assert clock.now() != THEN


def test_a_moment_elsewhere_is_told_in_utc() -> None:
    with clock.standing_at(datetime(2026, 3, 4, 9, tzinfo=timezone(timedelta(hours=2)))):
        assert clock.now().isoformat() == "2026-03-04T07:00:00+00:00"


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"), clock.standing_at(datetime(2026, 3, 4)):  # noqa: DTZ001
        pass
