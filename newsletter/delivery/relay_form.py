"""Reading a relay's form: what an operator typed becomes values fit to be kept, or what is wrong with it, in words."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from newsletter.delivery.relay_rules import Security
from newsletter.delivery.relay_words import LANE_WORDS, LONGEST_PLAN, OWN, WARMUPS
from newsletter.settings import is_host

MOST_CONNECTIONS = 50
FASTEST = 10_000.0
MOST_A_DAY = 100_000_000
LONGEST_NAME, LONGEST_USERNAME, LONGEST_PASSWORD = 80, 320, 500
_NUMBERS = re.compile(r"[\s,;]+")


@dataclass
class Reading:
    """A form as read: `values` fit to be kept, and per field what is wrong, in words."""

    values: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, value: object, problem: str = "") -> None:
        """Keep a value, or what is wrong with it."""
        if problem:
            self.problems[name] = problem
        else:
            self.values[name] = value


def read(form: Mapping[str, str], today: date, *, with_server: bool = True) -> Reading:
    """Read a relay's form; without the server's part for the one that SMTP_URL names."""
    typed = {name: value.strip() for name, value in form.items()}
    typed["password"] = form.get("password", "")  # spaces may belong to it
    reading = Reading()
    if with_server:
        _server(typed, reading)
    for name, _, _ in LANE_WORDS.values():
        reading.take(name, typed.get(name) == "yes")
    _limits(typed, reading)
    _warmup(typed, reading, today)
    return reading


def _server(typed: Mapping[str, str], reading: Reading) -> None:
    host = typed.get("host", "").rstrip(".").lower()
    reading.take("host", host, "" if is_host(host) else "A name like smtp.example.org, without https:// or a port.")
    port = _whole(typed.get("port", ""), 65535)
    reading.take("port", port, "" if port else "A number from 1 to 65535; most servers use 587.")
    known = typed.get("security") in {str(kind) for kind in Security}
    reading.take("security", typed.get("security"), "" if known else "Choose one from the list.")
    for name, most in (("username", LONGEST_USERNAME), ("password", LONGEST_PASSWORD)):
        reading.take(name, typed.get(name, ""), _line_problem(typed.get(name, ""), most))
    name = typed.get("name", "") or f"{host}:{port or ''}"
    problem = _line_problem(name, LONGEST_NAME if typed.get("name") else 300)
    # The name stands in logs and metrics, where no address may be.
    reading.take("name", name, problem or ("Without an @, please: logs show it." if "@" in name else ""))
    if typed.get("password") and not typed.get("username"):
        reading.problems["username"] = "A password needs a user name with it."
    if typed.get("username") and typed.get("security") == Security.NEVER and not _is_near(host):
        reading.problems["security"] = "The password would travel in the open. Choose STARTTLS or TLS."


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"


def _line_problem(text: str, most: int) -> str:
    if len(text) > most:
        return f"At most {most} characters, please."
    return "" if text.isprintable() else "There is a character in it that cannot be shown. Type it again by hand."


def _limits(typed: Mapping[str, str], reading: Reading) -> None:
    rate, given = _decimal(typed.get("rate", "")), typed.get("rate", "")
    fits = rate is not None and 0.01 <= rate <= FASTEST
    reading.take("rate", rate, "" if fits or not given else f"A number from 0.01 to {FASTEST:,.0f}, or nothing.")
    connections = _whole(typed.get("connections", ""), MOST_CONNECTIONS)
    reading.take("connections", connections, "" if connections else f"A number from 1 to {MOST_CONNECTIONS}.")
    cap, given = _whole(typed.get("daily_cap", ""), MOST_A_DAY), typed.get("daily_cap", "")
    reading.take("daily_cap", cap, "" if cap or not given else "A whole number from 1, or nothing.")
    share, given = _whole(typed.get("share", ""), 100), typed.get("share", "")
    reading.take("share", share, "" if share or not given else "A number from 1 to 100, or nothing.")
    if share and not typed.get("rate"):
        reading.problems["share"] = "A share of what? Set “emails a second” too."


def _warmup(typed: Mapping[str, str], reading: Reading, today: date) -> None:
    chosen = typed.get("warmup_name", "")
    if chosen not in {"", OWN, *WARMUPS}:
        reading.take("warmup_name", chosen, "Choose one from the list.")
        return
    plan = WARMUPS[chosen].plan() if chosen in WARMUPS else []
    problem = ""
    if chosen == OWN:
        plan, problem = _own_plan(typed.get("warmup_numbers", ""))
    reading.take("warmup_name", chosen)
    reading.take("warmup_plan", plan, "")
    if problem:
        reading.problems["warmup_numbers"] = problem
    start = _day(typed.get("warmup_start", "")) if typed.get("warmup_start") else today
    near = start is not None and (start - today).days <= 366
    reading.take("warmup_start", start if chosen else None, "" if near or not chosen else "A day like 2026-03-24.")


def _own_plan(text: str) -> tuple[list[int], str]:
    parts = [part for part in _NUMBERS.split(text) if part]
    numbers = [_whole(part, MOST_A_DAY) for part in parts]
    plan = [number for number in numbers if number]
    if not plan or len(plan) != len(parts) or len(plan) > LONGEST_PLAN:
        return [], f"The numbers of each day, as 50 100 200; at most {LONGEST_PLAN} days."
    return plan, ""


def _whole(text: str, most: int) -> int | None:
    """A whole number from 1, or None."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
        return None
    return int(text) if 1 <= int(text) <= most else None


def _decimal(text: str) -> float | None:
    fits = re.fullmatch(r"\d{1,6}([.,]\d{1,4})?", text, re.ASCII)
    return float(text.replace(",", ".")) if fits else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
