"""Background work of this room: the press."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from newsletter import clock
from newsletter.database.engine import db, transaction
from newsletter.errors import MagnetError
from newsletter.magnets import actions, manuscript, pressroom, queries, rules, sheet
from newsletter.magnets.rules import Paper
from newsletter.magnets.sheet import Imprint, Sheet
from newsletter.settings import current
from newsletter.work.queue import stopping

log = structlog.get_logger()


@dataclass(frozen=True)
class Order:
    """One gift to press: everything the press needs, so that it works with no database session open."""

    magnet_id: int
    source: str
    sheet: Sheet
    imprint: Imprint


def press_due() -> int:
    """Make the pages of every gift whose newest sheet has none; returns how many gifts got new pages.

    A gift that cannot be made keeps the reason in words, and readers keep its last good version.
    """
    if not _orders():
        return 0
    with pressroom.alone(current().data_dir) as alone:
        return sum(_fill(order) for order in _orders()) if alone else 0


def _orders() -> list[Order]:
    session, now = db.session(), clock.now()
    imprint, found = queries.imprint(session), []
    unreadable: list[tuple[int, str]] = []
    cured: list[int] = []
    for magnet in queries.drawn(session):
        try:
            words = sheet.parse(magnet.sheet)
        except MagnetError as problem:
            if str(problem) != magnet.press_error:
                unreadable.append((magnet.id, str(problem)))
            continue
        source = manuscript.source_hash(words, imprint)
        if _is_made(session, magnet.id, source):
            cured += [magnet.id] if magnet.press_error else []
            continue
        if rules.is_due(source, magnet.press_hash, magnet.press_tried_at, now):
            found.append(Order(magnet.id, source, words, imprint))
    session.rollback()
    for magnet_id, why in unreadable:
        _fail(magnet_id, "", why)
    for magnet_id in cured:
        _cure(magnet_id)
    return found


def _cure(magnet_id: int) -> None:
    # The words were put back as they were: their pages are there, and the complaint about others is over.
    with transaction() as session:
        actions.pressed(session, magnet_id)


def _is_made(session: Session, magnet_id: int, source: str) -> bool:
    newest = {Paper(file.paper): file.source_hash for file in reversed(queries.versions(session, magnet_id))}
    return all(newest.get(paper) == source for paper in rules.PRINTED)


def _fill(order: Order) -> bool:
    try:
        made = pressroom.printed(order.sheet, order.imprint, stopping)
        if not made:
            return False
        with transaction() as session:
            for paper, page in made.items():
                actions.keep(session, order.magnet_id, paper, order.source, page.pdf, 1, page.preview, now=clock.now())
            actions.pressed(session, order.magnet_id)
    except MagnetError as problem:
        return _fail(order.magnet_id, order.source, str(problem))
    except OSError as problem:
        what = problem.strerror or str(problem)
        log.error("the press could not work", magnet=order.magnet_id, problem=what)
        why = f"The computer could not make the PDF ({what}). It is tried again every 15 minutes."
        return _fail(order.magnet_id, order.source, why)
    except IntegrityError:
        return False  # another worker pressed the same sheet at the same time and was faster; the pages are equal
    return True


def _fail(magnet_id: int, source: str, why: str) -> bool:
    with transaction() as session:
        actions.press_failed(session, magnet_id, source, why, clock.now())
    return False
