"""A series between its folder and the database; docs/series.md tells authors about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import NotFound, SourceError
from newsletter.sequences import actions, drafts, files, models, queries, timing
from newsletter.sequences.drafts import Draft, DraftStep
from newsletter.sequences.edits import Replace
from newsletter.sequences.files import Folder


def of_folder(folder: Path) -> Folder:
    """The series that a folder holds. Raises SourceError naming the file and what is wrong with it."""
    name = folder.resolve().name
    return files.read(name, texts(folder))


def texts(folder: Path) -> dict[str, str]:
    """The files of a series' folder. Raises SourceError for one that is not UTF-8 text."""
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name == files.ABOUT or (files.is_step(path.name) and path.is_file()):
            try:
                found[path.name] = path.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError) as problem:
                raise SourceError(
                    f"{path.name} cannot be read: {problem}.", remedy="Save it as UTF-8 text."
                ) from problem
    return found


def held(session: Session, slug: str) -> Folder:
    """The series of that name as its folder would hold it; raises NotFound."""
    series = queries.by_slug(session, slug)
    if series is None:
        raise NotFound(f"There is no series {slug!r}.", remedy="`flask series list` names them all.")
    return Folder(_draft(session, series), files.in_order(_plain(one) for one in _triggers(session, series.id)))


def nothing(folder: Folder) -> Folder:
    """The same series before it had anything, to tell what a new one brings."""
    return Folder(Draft(slug=folder.draft.slug, name=folder.draft.name, description=folder.draft.description))


def is_written(folder: Folder, place: Path) -> bool:
    """Whether the folder `place` holds that series, in just these words."""
    return texts(place) == files.write(folder, place.resolve().name)


def write_folder(folder: Folder, place: Path) -> None:
    """Make the folder `place` hold that series and no other step. Raises SourceError when it holds something else."""
    if place.exists() and (not place.is_dir() or (any(place.iterdir()) and not (place / files.ABOUT).exists())):
        raise SourceError(
            f"{place} is there already and holds no series.",
            means="Nothing was written.",
            remedy=f"Name the series' own folder, like {place / folder.draft.slug}.",
        )
    written = files.write(folder, place.resolve().name)
    place.mkdir(parents=True, exist_ok=True)
    for old in texts(place).keys() - written.keys():
        (place / old).unlink()
    for name, text in written.items():
        (place / name).write_text(text, encoding="utf-8", newline="\n")


def load_series(session: Session, folder: Path, now: datetime) -> models.Sequence:
    """Make or update the sequence that `folder` holds, its steps in the order of the file names.

    A step is known by its key and keeps its id for good (semantics 3.1); one whose file is gone is deleted. Doing it
    twice changes nothing. Raises SourceError or InputError naming what is wrong; then nothing is changed.
    """
    return bring_in(session, of_folder(folder), now)


def bring_in(session: Session, folder: Folder, now: datetime) -> models.Sequence:
    """Make or update a sequence. Raises InputError when it cannot be like that."""
    series = queries.by_slug(session, folder.draft.slug)
    if series is None:
        series = models.Sequence(slug=folder.draft.slug, name=folder.draft.name, created_at=now)
        session.add(series)
        session.flush()
    before = _draft(session, series)
    moved = _put(session, series, before, Replace(folder.draft).on(before), now)
    _put_triggers(session, series.id, folder.triggers, now)
    session.flush()
    actions.replan(session, now, steps=moved)
    return series


def _draft(session: Session, series: models.Sequence) -> Draft:
    return drafts.of_rows(series, queries.all_steps(session, series.id))


def _put(session: Session, series: models.Sequence, before: Draft, after: Draft, now: datetime) -> list[int]:
    """Write a draft into its rows; returns the steps whose timing is another than before."""
    for name in ("name", "description", "min_gap_hours", "evergreen", "reentry", "cooldown_days"):
        setattr(series, name, getattr(after, name))
    series.goal, series.exits = dict(after.goal), [dict(one) for one in after.exits]
    rows = {row.key: row for row in queries.all_steps(session, series.id)}
    was = {step.key: step for step in before.steps}
    moved = []
    for position, step in enumerate(after.steps, 1):
        row = rows.get(step.key)
        if row is None:
            row = models.Step(sequence_id=series.id, key=step.key, kind=step.kind, source="")
            session.add(row)
        elif row.kind != step.kind:
            raise SourceError(
                f"The step {step.key} was {row.kind} and cannot become {step.kind}.", remedy="Give it a new key."
            )
        row.position = position
        row.deleted_at = (row.deleted_at or now) if step.deleted else None
        _put_step(row, step)
        moved += [row.id] if step.key in was and was[step.key].timing != step.timing else []
    session.flush()
    return moved


def _put_step(row: models.Step, step: DraftStep) -> None:
    when = step.timing
    row.source, row.config = step.source, dict(step.config)
    row.delay_amount, row.delay_unit, row.delay_from = when.amount, when.unit, when.counts_from
    row.window_start, row.window_end = timing.write_window(when)
    row.weekdays = when.weekdays


def _triggers(session: Session, sequence_id: int) -> list[models.Trigger]:
    found = select(models.Trigger).where(models.Trigger.sequence_id == sequence_id)
    return list(session.scalars(found.order_by(models.Trigger.id)))


def _plain(row: models.Trigger) -> dict[str, Any]:
    return {"kind": row.kind, "what": row.what, "config": dict(row.config), "enabled": row.enabled}


def _put_triggers(session: Session, sequence_id: int, wanted: tuple[Mapping[str, Any], ...], now: datetime) -> None:
    """Those that are still wanted keep their rows, and with them how far they have looked."""
    left = [dict(one) for one in wanted]
    for row in _triggers(session, sequence_id):
        if _plain(row) in left:
            left.remove(_plain(row))
        else:
            session.delete(row)
    session.add_all(models.Trigger(sequence_id=sequence_id, created_at=now, **one) for one in left)
