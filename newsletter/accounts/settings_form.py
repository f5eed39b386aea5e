"""Reading the studio's settings from what an operator typed: pure, so every rule is a table of cases."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from newsletter.accounts import colours, rules

LINES = {"name": 120, "sender_name": 120}  # one line each, this many characters
TEXTS = {"postal_address": 500, "signature": 1000}  # several lines
DAYS = {"download_days": (1, 3650), "purge_days": (1, 365)}
HOURS = {"overdue_hours": (1, 8760)}
CHOICES = {"first": ("series", "broadcast")}
SWITCHES = ("reminder", "embed_images", "track_clicks", "one_a_day")
WORDS = {
    "name": "Studio name",
    "sender_name": "Sender name",
    "postal_address": "Postal address",
    "signature": "Signature",
    "accent": "Accent colour",
    "video_url": "Video link",
    "timezone": "Time zone",
    "download_days": "Download links work for",
    "purge_days": "Forget unconfirmed people after",
    "reminder": "Reminder",
    "embed_images": "Pictures inside emails",
    "track_clicks": "Counting clicks",
    "one_a_day": "One email a day",
    "first": "What goes first",
    "overdue_hours": "Too late after",
}


@dataclass
class Reading:
    """Settings as read: `values` fit to be kept, and per field what is wrong, in words."""

    values: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, value: object, problem: str) -> None:
        """Keep a value, or what is wrong with it."""
        if problem:
            self.problems[name] = problem
        else:
            self.values[name] = value


def read(form: Mapping[str, str]) -> Reading:
    """Read every setting of the form."""
    reading = Reading()
    typed = {name: form.get(name, "").strip() for name in WORDS}
    for name, most in LINES.items():
        reading.take(name, typed[name], _text_problem(typed[name], most, lines=False))
    if not typed["name"]:
        reading.take("name", "", "Give your studio a name; readers see it on every page and email.")
    for name, most in TEXTS.items():
        text = typed[name].replace("\r\n", "\n")
        reading.take(name, text, _text_problem(text, most, lines=True))
    reading.take("accent", typed["accent"].upper(), colours.accent_problem(typed["accent"]))
    reading.take("video_url", typed["video_url"], rules.web_link_problem(typed["video_url"]))
    known = typed["timezone"] in rules.zone_names()
    reading.take("timezone", typed["timezone"], "" if known else "Choose one from the list.")
    for unit, numbers in (("days", DAYS), ("hours", HOURS)):
        for name, (least, most) in numbers.items():
            problem = _number_problem(typed[name], least, most, unit)
            reading.take(name, 0 if problem else int(typed[name]), problem)
    for name, choices in CHOICES.items():
        reading.take(name, typed[name], "" if typed[name] in choices else "Choose one of these.")
    for name in SWITCHES:
        reading.take(name, typed[name] == "yes", "")
    return reading


def _text_problem(text: str, most: int, *, lines: bool) -> str:
    if len(text) > most:
        return f"At most {most} characters, please; these are {len(text)}."
    # A line end in a name would end a mail header; other control characters are never meant.
    if any(unicodedata.category(c) == "Cc" and not (lines and c in "\n\t") for c in text):
        return "There is a character in it that cannot be shown. Type it again by hand."
    return ""


def _number_problem(text: str, least: int, most: int, unit: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and least <= int(text) <= most):
        return f"A number of {unit} from {least} to {most}."
    return ""
