"""A studio with forms and a visitor, as the doors of signing up have them."""

from __future__ import annotations

from tests.signup.conftest import visitor

__all__ = ["visitor"]
