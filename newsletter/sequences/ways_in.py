"""Edits of how a series begins: noted as versions like every other edit, and taken back like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, or_, select
from sqlalchemy.orm import Session

from newsletter.delivery import actions as delivery
from newsletter.sequences import entering, openings, queries, triggers
from newsletter.sequences.models import Enrollment, SequenceVersion
from newsletter.sequences.triggers import Opening

Plain = list[dict[str, Any]]


def kept(session: Session, sequence_id: int) -> Plain:
    """A series' triggers as JSON, as `entering.replace` takes them."""
    return [plain(one) for one in openings.all_of(session, sequence_id)]


def plain(one: Opening) -> dict[str, Any]:
    """One trigger as JSON."""
    return {"kind": one.kind, "what": one.what, "config": dict(one.config), "enabled": one.enabled}


def sent_since(session: Session, edit: SequenceVersion) -> int:
    """How many people have got an email who joined because of an edit of the triggers."""
    found = _joined(edit, select(func.count(Enrollment.id))).where(Enrollment.last_sent_at.is_not(None))
    return session.scalar(found) or 0


def lately(session: Session, opening: Opening, since: datetime) -> int:
    """How many people have joined by a trigger since then."""
    joined = Enrollment.sequence_id == opening.sequence_id, Enrollment.enrolled_at >= since, _by(plain(opening))
    return session.scalar(select(func.count(Enrollment.id)).where(*joined)) or 0


def take_back(session: Session, edit: SequenceVersion, now: datetime) -> None:
    """Let a series begin as it did before an edit; who joined because of it, and has got nothing yet, is out again."""
    wanted = edit.before.get("triggers")
    if wanted is None:
        return
    for row in session.scalars(_joined(edit, select(Enrollment)).where(Enrollment.last_sent_at.is_(None))).all():
        waiting = queries.planned(session, row)
        if waiting is not None:
            delivery.cancel(session, waiting, "The way in by which they joined was taken back", now)
        session.delete(row)
    session.flush()
    entering.replace(session, edit.sequence_id, wanted, now)


def _joined(edit: SequenceVersion, found: Select[Any]) -> Select[Any]:
    """Who joined by a trigger that the edit made or woke, since then."""
    before, after = edit.before.get("triggers") or [], edit.after.get("triggers") or []
    fresh = [one for one in after if one["enabled"] and one not in before]
    sources = or_(false(), *(_by(one) for one in fresh))
    return found.where(Enrollment.sequence_id == edit.sequence_id, Enrollment.enrolled_at >= edit.at, sources)


def _by(one: Mapping[str, Any]) -> ColumnElement[bool]:
    kind, what = str(one["kind"]), str(one["what"])
    if what == triggers.ANY:
        return Enrollment.source.startswith(f"{kind}:", autoescape=True)
    return Enrollment.source == Opening(0, kind, what).source


def changed(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[str]:
    """What an edit of triggers did, in words."""
    said = [f"Begins {_say(one)}" for one in after if one not in before and not _switched(one, before)]
    said += [f"Begins no more {_say(one)}" for one in before if one not in after and not _switched(one, after)]
    woken = [one for one in after if one not in before and _switched(one, before)]
    return said + [f"{'Begins again' if one['enabled'] else 'Begins for now no more'} {_say(one)}" for one in woken]


def _switched(one: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> bool:
    return {**one, "enabled": not one["enabled"]} in list(others)


def _say(one: Mapping[str, Any]) -> str:
    said = triggers.say(Opening(0, str(one["kind"]), str(one["what"]), one["config"]), {})
    return said if one["kind"] == triggers.Kind.DATE else f"when {said}"
