"""What a benchmark found, one line for each goal, and the table of all of them."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Line:
    """One measured thing beside its reference; `met` is None where nothing was promised."""

    work: str
    ours: str
    reference: str = ""
    ratio: str = ""
    goal: str = ""
    met: bool | None = None


WIDTH = 150  # characters, where the output goes into a file
VERDICTS = {True: "[green]yes[/green]", False: "[red]no[/red]", None: ""}


def show(title: str, lines: list[Line]) -> None:
    """Print the lines as a table."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    table = Table("work", "ours", "reference, same run", "ratio", "goal", "met", title=title, show_lines=True)
    for line in lines:
        table.add_row(line.work, line.ours, line.reference, line.ratio, line.goal, VERDICTS[line.met])
    console.print(table)


def say(notes: list[str]) -> None:
    """Print what a reader has to know to judge the tables."""
    for note in notes:
        Console().print(f"· {note}", soft_wrap=True, highlight=False)


def at_least(ratio: float, goal: float) -> tuple[str, str, bool]:
    """Ratio, goal and verdict where more is better."""
    return f"{ratio:.2f} ×", f"≥ {goal:.1f} ×", ratio >= goal


def at_most(ratio: float, goal: float) -> tuple[str, str, bool]:
    """Ratio, goal and verdict where less is better."""
    return f"{ratio:.2f} ×", f"≤ {goal:.1f} ×", ratio <= goal
