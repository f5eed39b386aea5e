"""The broadcast that is measured: about 12 KB of HTML and text, the reader's first name, five links that are theirs."""

from __future__ import annotations

from pathlib import Path

from bench.place import ROOT

FRONT = """---
subject: "{{ subscriber.first_name or 'Hello' }}, your letter of the month"
preheader: Five exercises, five minutes each, and why they help.
---
# The letter of the month

Hello {{ subscriber.first_name or "there" }},
"""
PARAGRAPH = """
Most of us sit for longer than we sleep, and the body answers by making itself short in front and tired behind. Give
it five minutes in the other direction: lie on your back, let the arms grow heavy, and breathe out for twice as long
as you breathe in. **Nothing has to hurt** for this to work.
"""
LINKS = ("first", "second", "third", "fourth", "fifth")
TRACKING = ROOT / "newsletter" / "tracking" / "actions.py"


def source() -> str:
    """The broadcast as an operator writes it."""
    pieces = [FRONT]
    for name in LINKS:
        pieces.append(f"\nSee [the {name} exercise]({_link(name)}) and try it today.\n")
    return "".join(pieces)


def _link(name: str) -> str:
    address = f"https://exercises.example.org/{name}"
    # While no room rewrites links, the reader's own number makes each of them as different as a tracked one.
    return address if TRACKING.exists() else address + "?reader={{ subscriber.email | urlencode }}"


def write(folder: Path) -> Path:
    """The broadcast as a file."""
    path = folder / "letter.md"
    path.write_text(source(), encoding="utf-8")
    return path
