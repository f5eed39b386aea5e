"""What a world is made of, and what its making wrote down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from newsletter.sequences.rules import mask

# Clocks that change, that change by half an hour, that never change, the two ends of the world, none, and nonsense.
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "",
    "Mars/Base",
)
WINDOWS = (("07:00", "09:00"), ("22:00", "02:00"), ("02:15", "02:45"), ("18:30", "20:00"))
WEEKDAYS = (mask(range(5)), mask([5, 6]), mask([2]), mask([0, 3]))
DELAYS = ((0, "days"), (1, "days"), (2, "days"), (4, "days"), (7, "days"), (5, "hours"), (24, "hours"), (36, "hours"))
TAGS = ("yoga", "running", "client")
NAMES = ("Alice", "Bob", "Charlie", "Dora", "Emil", "Fay")
KINDS = ("email",) * 6 + ("wait", "condition", "condition", "tag", "tag", "move", "end")
# Few texts, so that each is compiled once for all worlds: a row is known by its step, not by its words.
TEXTS = tuple(
    f"---\nsubject: Letter {n}{who}\npreheader: News\n---\nHello.\n"
    for n, who in enumerate(
        ("", " for {{ subscriber.first_name or 'you' }}", " to {{ subscriber.fields.city or '-' }}")
    )
)


@dataclass
class World:
    """What was made: the moment to forecast from, and a diary of how it came to be, for when the proof fails."""

    seed: int
    now: datetime
    series: list[int] = field(default_factory=list)
    readers: list[int] = field(default_factory=list)
    diary: list[str] = field(default_factory=list)

    def note(self, *words: object) -> None:
        """A line of the diary."""
        self.diary.append(" ".join(str(word) for word in words))
