"""Writes about gifts: giving them, making them, replacing their files."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from newsletter import tokens
from newsletter.audience import occasions
from newsletter.audience.rules import Happened
from newsletter.database import blobs
from newsletter.database.engine import after_commit
from newsletter.delivery import actions as delivery
from newsletter.delivery import queries as ledger
from newsletter.delivery.rules import Lane, may_send_again
from newsletter.errors import InputError, MagnetError, NotFound
from newsletter.magnets import queries, rules
from newsletter.magnets.models import Download, Magnet, MagnetGrant, MagnetVersion
from newsletter.magnets.rules import Paper
from newsletter.magnets.sheet import Sheet
from newsletter.settings import current
from newsletter.tokens import Purpose
from newsletter.work.queue import wake

PDF, PNG = "application/pdf", "image/png"
_NOT_IN_FILE_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')


def grant(session: Session, magnet_id: int, subscriber_id: int, now: datetime) -> MagnetGrant:
    """Let a person have a gift; they have it once, however often it is granted."""
    found = queries.grant_of(session, magnet_id, subscriber_id)
    if found is None:
        found = MagnetGrant(magnet_id=magnet_id, subscriber_id=subscriber_id, granted_at=now)
        session.add(found)
        session.flush()
    return found


def deliver(session: Session, magnet_id: int, subscriber_id: int, now: datetime) -> bool:
    """Give a gift and plan its email; asked again, plan it again; False when that is too soon (semantics 1.2)."""
    grant(session, magnet_id, subscriber_id, now)
    before = ledger.times_planned(session, subscriber_id, rules.reason(magnet_id, 0))
    if not may_send_again(before, now):
        return False
    why = rules.reason(magnet_id, len(before))
    lane = Lane.TRANSACTIONAL
    return delivery.plan(session, reason=why, subscriber_id=subscriber_id, lane=lane, due_at=now, now=now)


def download_url(granted: MagnetGrant, now: datetime) -> str:
    """The link with which this person fetches this gift, made `now`; it carries no name, path or address."""
    settings = current()
    token = tokens.sign(settings.secret_key, Purpose.DOWNLOAD, granted.id, at=now)
    return f"{settings.base_url}/download/{token}"


def note_download(session: Session, grant_id: int, paper: Paper, now: datetime) -> None:
    """Write down that a person fetched a gift, and tell who wants to begin something with it."""
    session.add(Download(grant_id=grant_id, at=now, paper=paper))
    subscriber_id, slug = queries.holder(session, grant_id)
    occasions.happened(session, subscriber_id, Happened.MAGNET, slug, now)


def create(session: Session, sheet: Sheet, now: datetime, *, slug: str = "", file_name: str = "") -> Magnet:
    """A new gift from a sheet; the press makes its pages in the background."""
    made = _new(session, slug or sheet.title, sheet.title, file_name or sheet.title, now)
    made.sheet = sheet.as_dict()
    after_commit(session, wake)
    return made


def _new(session: Session, slug: str, title: str, file_name: str, now: datetime) -> Magnet:
    made = Magnet(
        slug=_free_slug(session, slug),
        title=title[:200],
        file_name=file_name_of(file_name),
        sheet={},
        uploaded=False,
        attach=False,
        stamp=True,
        press_error="",
        press_hash="",
        press_tried_at=None,
        created_at=now,
        updated_at=now,
    )
    session.add(made)
    session.flush()
    return made


def _free_slug(session: Session, text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    wanted = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "gift"
    taken = set(session.scalars(select(Magnet.slug).where(Magnet.slug.startswith(wanted, autoescape=True))))
    return next(slug for slug in (wanted, *(f"{wanted}-{n}" for n in range(2, len(taken) + 3))) if slug not in taken)


def file_name_of(text: str) -> str:
    """A file name that every computer takes: one line, no path, ending in .pdf."""
    plain = " ".join(_NOT_IN_FILE_NAMES.sub(" ", unicodedata.normalize("NFC", text)).split()).strip(". ")
    return f"{plain.removesuffix('.pdf').removesuffix('.PDF').strip('. ')[:120] or 'gift'}.pdf"


def edit(session: Session, magnet_id: int, sheet: Sheet, file_name: str, now: datetime) -> Magnet:
    """Change the words of a gift's sheet; readers keep the last page until the new one is made."""
    found = _find(session, magnet_id)
    found.sheet = sheet.as_dict()
    found.title = sheet.title
    found.file_name = file_name_of(file_name or sheet.title)
    found.updated_at = now
    after_commit(session, wake)
    return found


def _find(session: Session, magnet_id: int) -> Magnet:
    found = queries.magnet(session, magnet_id)
    if found is None:
        raise NotFound("There is no such gift.", remedy="Look for it in the list of gifts.")
    return found


def switch(session: Session, magnet_id: int, *, attach: bool, stamp: bool, now: datetime) -> None:
    """Whether the file goes along with the email, and whether it carries the reader's name.

    Raises InputError when the file is too big to go along (semantics 1.6).
    """
    found = _find(session, magnet_id)
    file = queries.newest(session, found)
    if attach and file is not None and file.size > rules.LARGEST_ATTACHMENT:
        raise InputError(
            f"The file has {file.size / 1024 / 1024:.1f} MB.",
            means="Above 2 MB many mail servers refuse an email.",
            remedy="Leave it as a link; readers always get the newest version that way.",
        )
    found.attach, found.stamp, found.updated_at = attach, stamp, now


def upload(
    session: Session, pdf: bytes, pages: int, preview: bytes | None, *, title: str, name: str, now: datetime
) -> Magnet:
    """A new gift from a PDF that `upload.checked` let pass; `name` is what its file was called."""
    made = _new(session, title or name.removesuffix(".pdf"), title or file_name_of(name)[:-4], name, now)
    replace(session, made.id, pdf, pages, preview, now=now)
    return made


def replace(session: Session, magnet_id: int, pdf: bytes, pages: int, preview: bytes | None, *, now: datetime) -> None:
    """Let readers get this PDF from now on, with the links they have; the sheet, if there is one, rests."""
    found = _find(session, magnet_id)
    found.uploaded, found.press_error, found.updated_at = True, "", now
    found.attach = found.attach and len(pdf) <= rules.LARGEST_ATTACHMENT
    keep(session, magnet_id, Paper.UPLOAD, hashlib.sha256(pdf).hexdigest(), pdf, pages, preview, now=now)


def back_to_sheet(session: Session, magnet_id: int, now: datetime) -> None:
    """Let readers get the pressed page again instead of the uploaded file; raises InputError when there is no sheet."""
    found = _find(session, magnet_id)
    if not found.sheet:
        raise InputError("This gift has no sheet.", remedy="Upload another PDF to replace it.")
    found.uploaded, found.updated_at = False, now
    after_commit(session, wake)


def keep(
    session: Session,
    magnet_id: int,
    paper: Paper,
    source: str,
    pdf: bytes,
    pages: int,
    preview: bytes | None,
    *,
    now: datetime,
) -> MagnetVersion:
    """Keep a file as the newest of its paper; a source that was kept before becomes the newest again."""
    blob = blobs.put(session, pdf, PDF, now)
    picture = blobs.put(session, preview, PNG, now) if preview else None
    found = queries.version(session, magnet_id, paper, source)
    if found is None:
        found = MagnetVersion(magnet_id=magnet_id, paper=paper, source_hash=source)
        session.add(found)
    found.blob_hash, found.preview_hash = blob, picture
    found.size, found.pages, found.made_at = len(pdf), pages, now
    session.flush()
    return found


def pressed(session: Session, magnet_id: int) -> None:
    """The press is done with the newest sheet."""
    done = {"press_error": "", "press_hash": "", "press_tried_at": None}
    session.execute(update(Magnet).where(Magnet.id == magnet_id).values(**done))


def press_failed(session: Session, magnet_id: int, source: str, why: str, now: datetime) -> None:
    """Keep in words why the newest sheet could not be made; readers keep the last good version."""
    failed = {"press_error": why, "press_hash": source, "press_tried_at": now}
    session.execute(update(Magnet).where(Magnet.id == magnet_id).values(**failed))


def rebuild(session: Session, magnet_id: int) -> None:
    """Press the gift again at the next turn, even when nothing changed; its pages are served meanwhile."""
    found = _find(session, magnet_id)
    if found.uploaded:
        raise MagnetError("This gift is an uploaded file.", remedy="Upload it again to replace it.")
    for file in queries.versions(session, magnet_id):
        if file.paper in rules.PRINTED:
            file.source_hash = f"rebuilt:{file.id}"
    pressed(session, magnet_id)
    after_commit(session, wake)


def forget(session: Session, subscriber_id: int) -> None:
    """Remove what this room holds about a person: their gifts and when they fetched them."""
    theirs = select(MagnetGrant.id).where(MagnetGrant.subscriber_id == subscriber_id)
    session.execute(delete(Download).where(Download.grant_id.in_(theirs)))
    session.execute(delete(MagnetGrant).where(MagnetGrant.subscriber_id == subscriber_id))


def absorb(session: Session, keep_id: int, drop_id: int) -> None:
    """Move the gifts of one record of a person to the other; of a gift that both have, the downloads."""
    for dropped in session.scalars(select(MagnetGrant).where(MagnetGrant.subscriber_id == drop_id)).all():
        kept = queries.grant_of(session, dropped.magnet_id, keep_id)
        if kept is None:
            dropped.subscriber_id = keep_id
            continue
        session.execute(update(Download).where(Download.grant_id == dropped.id).values(grant_id=kept.id))
        session.delete(dropped)
    session.flush()
