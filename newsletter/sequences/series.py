"""A series as a folder of files, brought into the database: `series.yaml` and one Markdown file for each step."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import yaml
from sqlalchemy.orm import Session

from newsletter.errors import SourceError
from newsletter.messages.source import Source, load
from newsletter.sequences import actions, models, queries, timing, wording
from newsletter.sequences.rules import Timing

TAKEN = frozenset({"key", "delay", "window", "days", "after"})
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")


def load_series(session: Session, folder: Path, now: datetime) -> models.Sequence:
    """Make or update the sequence that `folder` holds, its steps in the order of the file names.

    A step is known by its key and keeps its id for good (semantics 3.1); one whose file is gone is deleted. Doing it
    twice changes nothing. Raises SourceError naming the file and what is wrong with it; then nothing is changed.
    """
    about = _about(folder)
    sources = [load(path) for path in sorted(folder.glob("*.md"))]
    read = {_key(source): (source, _timing(source)) for source in sources}
    if not read or len(read) < len(sources):
        raise SourceError(
            f"The series {folder.name} has no emails, or two with the same key.", remedy="Mend its files."
        )
    series = queries.by_slug(session, folder.name)
    if series is None:
        series = models.Sequence(slug=folder.name, name=about["name"], created_at=now)
        session.add(series)
    series.name, series.description = about["name"][:120], about.get("description", "")
    session.flush()
    rows = {row.key: row for row in queries.all_steps(session, series.id)}
    moved = []
    for key, (source, when) in read.items():
        row = rows.get(key) or _new_step(session, series.id, key)
        moved += [row.id] if _put(row, source, when) else []
        rows[key] = row
    for position, key in enumerate(_order(list(rows), list(read)), 1):
        rows[key].position = position
        rows[key].deleted_at = None if key in read else rows[key].deleted_at or now
    session.flush()
    actions.replan(session, now, steps=moved)
    return series


def _order(before: list[str], now: list[str]) -> list[str]:
    """The keys in their new order, with each deleted one still behind the one it stood behind.

    Readers who wait on a deleted step go on from its place.
    """
    order = list(now)
    for at, key in enumerate(before):
        if key not in now:
            order.insert(order.index(before[at - 1]) + 1 if at else 0, key)
    return order


def _new_step(session: Session, sequence_id: int, key: str) -> models.Step:
    row = models.Step(sequence_id=sequence_id, key=key, position=0, source="")
    session.add(row)
    session.flush()
    return row


def _put(row: models.Step, source: Source, when: Timing) -> bool:
    """Write a file's content into a step's row; True when its timing is another than before."""
    row.source = wording.write(source.subject, source.preheader, source.body)
    changed = queries.timing(row) != when
    row.delay_amount, row.delay_unit, row.delay_from = when.amount, when.unit, when.counts_from
    row.window_start, row.window_end = timing.write_window(when)
    row.weekdays = when.weekdays
    return changed


def _about(folder: Path) -> dict[str, str]:
    try:
        found = yaml.load((folder / "series.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise SourceError(f"{folder.name}/series.yaml cannot be read: {problem}") from problem
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        raise SourceError(f"{folder.name}/series.yaml gives the series no name.", remedy="Begin it with name: …")
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _key(source: Source) -> str:
    key = str(source.meta.get("key", ""))
    if not _KEY.fullmatch(key):
        raise SourceError(
            f"{source.name}: the field key is missing or is not like core-one.",
            means="A step is recognised by its key when its file is renamed or changed.",
            remedy="Give it a key of small letters, digits and hyphens.",
        )
    strange = sorted(set(source.meta) - TAKEN)
    if strange:
        raise SourceError(f"{source.name}: the field {strange[0]} is not known.", remedy=f"Known: {sorted(TAKEN)}.")
    return key


def _timing(source: Source) -> Timing:
    fields = {name: source.meta.get(name, "") for name in ("delay", "window", "days", "after")}
    words = {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in fields.items()}
    try:
        return timing.parse(words["delay"] or "0 days", words["window"], words["days"], words["after"])
    except SourceError as problem:
        raise SourceError(f"{source.name}: {problem.happened}", means=problem.means, remedy=problem.remedy) from problem
