"""A series between its folder and the database; docs/series.md tells authors about it."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from newsletter.errors import NotFound, SourceError, SuppleError
from newsletter.messages.source import LONGEST_SOURCE
from newsletter.sequences import (
    editing,
    entering,
    files,
    making,
    models,
    openings,
    queries,
    triggers,
    versions,
    ways_in,
)
from newsletter.sequences.drafts import Draft
from newsletter.sequences.edits import Replace
from newsletter.sequences.files import Folder
from newsletter.sequences.foresight import Foreseen
from newsletter.sequences.moving import Choices
from newsletter.sequences.triggers import Opening

LONGEST_FILE = 4 * LONGEST_SOURCE  # octets; a character takes up to four in UTF-8
NOT_THERE = 0  # the version that is expected of a series which nobody has made yet; the first one is 1


def of_folder(folder: Path) -> Folder:
    """The series that a folder holds. Raises SourceError naming the file and what is wrong with it."""
    name = folder.resolve().name
    return files.read(name, texts(folder))


def texts(folder: Path) -> dict[str, str]:
    """The files of a series' folder. Raises SourceError for one that is no file of its own, too long, or not UTF-8."""
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name == files.ABOUT or files.is_step(path.name):
            _refuse_strange(path)
            try:
                found[path.name] = path.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError) as problem:
                raise SourceError(
                    f"{path.name} cannot be read: {problem}.", remedy="Save it as UTF-8 text."
                ) from problem
    return found


def _refuse_strange(path: Path) -> None:
    """A link would have a folder somebody sent read or write files elsewhere, and a pipe is waited for for ever."""
    if path.is_symlink() or not path.is_file():
        raise SourceError(
            f"{path.name} is a link, or something else that is no file.",
            means="Nothing was read or written.",
            remedy="Put the file itself into the folder.",
        )
    if path.stat().st_size > LONGEST_FILE:
        raise SourceError(f"{path.name} is too long to be a step.", remedy=f"At most {LONGEST_SOURCE:,} characters.")


def held(session: Session, slug: str) -> Folder:
    """The series of that name as its folder would hold it; raises NotFound."""
    series = queries.by_slug(session, slug)
    if series is None:
        raise NotFound(f"There is no series {slug!r}.", remedy="`flask series list` names them all.")
    begins = files.in_order(_plain(one) for one in openings.all_of(session, series.id))
    return Folder(versions.current(session, series.id), begins)


def tidy(folder: Folder) -> Folder:
    """The same as its files say it, to be compared with others of that kind; as it is where files cannot say it."""
    try:
        return files.read(folder.draft.slug, files.write(folder, folder.draft.slug))
    except SuppleError:
        return folder


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
    there = texts(place)  # refuses links before the first file is written
    for old in there.keys() - written.keys():
        (place / old).unlink()
    for name, text in written.items():
        if os.path.lexists(place / name):
            _refuse_strange(place / name)
        (place / name).write_text(text, encoding="utf-8", newline="\n")


def load_series(session: Session, folder: Path, now: datetime) -> models.Sequence:
    """Make or update the sequence that `folder` holds, its steps in the order of the file names.

    A step is known by its key and keeps its id for good (semantics 3.1); one whose file is gone is deleted. Doing it
    twice changes nothing. Raises SourceError or InputError naming what is wrong; then nothing is changed.
    """
    return bring_in(session, of_folder(folder), now)


def check_moves(session: Session, folder: Folder) -> None:
    """Raise InputError where a step of `folder` newly leads to no series, or round to its own."""
    series = queries.by_slug(session, folder.draft.slug)
    before = versions.current(session, series.id) if series is not None else None
    editing.check_leads(session, before, folder.draft)


def foresee(session: Session, folder: Folder, now: datetime, choices: Choices) -> Foreseen | None:
    """What `bring_in` needs to know and takes long to work out, before anything is locked; None of a new series."""
    series = queries.by_slug(session, folder.draft.slug)
    if series is None:
        return None
    return editing.foresee(session, series.id, Replace(folder.draft), now=now, choices=choices)


def bring_in(
    session: Session,
    folder: Folder,
    now: datetime,
    choices: Choices | None = None,
    operator_id: int | None = None,
    foreseen: Foreseen | None = None,
    expected: int | None = None,
) -> models.Sequence:
    """Make a sequence, or edit the version `expected` (None: any) and note that as one version.

    Raises InputError when it cannot be like that, and Outdated when it is another version by now.
    """
    series = queries.by_slug(session, folder.draft.slug)
    if series is None:
        series = making.begin(session, folder.draft.name, folder.draft.description, now)
        series.slug = folder.draft.slug
        editing.begin(session, series.id, folder.draft, now)
        entering.replace(session, series.id, folder.triggers, now)
    else:
        _edit(session, series.id, folder, now, choices, operator_id, foreseen, expected)
    session.flush()
    return series


def _edit(
    session: Session,
    sequence_id: int,
    folder: Folder,
    now: datetime,
    choices: Choices | None,
    operator_id: int | None,
    foreseen: Foreseen | None,
    expected: int | None,
) -> None:
    """Steps, rules and triggers in one version, which can be taken back like any other."""
    editing.guard(session, sequence_id, expected)
    before, ways = versions.current(session, sequence_id), ways_in.kept(session, sequence_id)
    _refuse_other_kinds(before, folder.draft)
    edit = Replace(folder.draft)
    made = editing.apply(
        session, sequence_id, edit, now=now, operator_id=operator_id, choices=choices, foreseen=foreseen
    )
    if not entering.replace(session, sequence_id, folder.triggers, now):
        return
    session.flush()
    ways_now = ways_in.kept(session, sequence_id)
    if made is None:
        number, what = editing.next_version(session, sequence_id), "; ".join(ways_in.changed(ways, ways_now))
        editing.note(session, sequence_id, number, what, before, before, operator_id, now, (ways, ways_now))
    else:
        made.before, made.after = {**made.before, "triggers": ways}, {**made.after, "triggers": ways_now}


def _refuse_other_kinds(before: Draft, after: Draft) -> None:
    """A key stands for one step for good: who had it must not meet it again as something else (semantics 3.1)."""
    kinds = {step.key: step.kind for step in before.steps}
    for step in after.living:
        was = kinds.get(step.key, step.kind)
        if was != step.kind:
            raise SourceError(
                f"The step {step.key} is {was} and cannot become {step.kind}.", remedy="Give it a new key."
            )


def _plain(one: Opening) -> dict[str, Any]:
    config = dict(one.config)
    if one.kind == triggers.Kind.DATE:
        rule = one.rule
        config = {"yearly": rule.yearly, "days": rule.days, "at": f"{rule.at:%H:%M}"}
    return {"kind": str(one.kind), "what": one.what, "config": config, "enabled": one.enabled}
