"""Reads about gifts, their files, who has them and who fetched them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.audience.history import HistoryLine
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.database import blobs
from newsletter.magnets.models import Download, Magnet, MagnetGrant, MagnetVersion
from newsletter.magnets.rules import PAPER_WORDS, Paper, magnet_of
from newsletter.magnets.sheet import Imprint
from newsletter.settings import current
from newsletter.web.paging import LIKE_ESCAPE, containing
from newsletter.work.claims import among


@dataclass(frozen=True)
class Gift:
    """What a download link stands for: whose gift, and which file they get today; `blob` is None until one is made."""

    grant_id: int
    magnet_id: int
    subscriber_id: int
    first_name: str  # empty when this gift carries no names
    file_name: str
    paper: Paper
    blob: str | None


@dataclass(frozen=True)
class Figures:
    """How a gift is doing: people who have it, downloads, and files made so far."""

    people: int
    downloads: int
    versions: int


def magnet(session: Session, magnet_id: int) -> Magnet | None:
    """The gift with that id."""
    return session.get(Magnet, magnet_id)


def by_slug(session: Session, slug: str) -> Magnet | None:
    """The gift with that short name."""
    return session.scalar(select(Magnet).where(Magnet.slug == slug))


def magnets(search: str = "") -> Select[Magnet]:
    """All gifts, or those whose title or short name contains `search`."""
    found = select(Magnet).order_by(Magnet.id)
    if search:
        pattern = containing(search)
        matches = [column.ilike(pattern, escape=LIKE_ESCAPE) for column in (Magnet.title, Magnet.slug)]
        found = found.where(or_(*matches))
    return found


def drawn(session: Session) -> Sequence[Magnet]:
    """The gifts that the press makes from a sheet."""
    return session.scalars(select(Magnet).where(~Magnet.uploaded).order_by(Magnet.id)).all()


def imprint(session: Session) -> Imprint:
    """The studio as it stands on every page of paper."""
    settings, studio = current(), accounts.studio(session)
    return Imprint(
        name=studio.name,
        url=settings.base_url,
        video=f"{settings.base_url}/video",
        postal_address=", ".join((studio.postal_address or settings.postal_address).split("\n")),
        signature=studio.signature,
    )


def versions(session: Session, magnet_id: int) -> Sequence[MagnetVersion]:
    """Every file of a gift, the newest first."""
    found = select(MagnetVersion).where(MagnetVersion.magnet_id == magnet_id)
    return session.scalars(found.order_by(MagnetVersion.made_at.desc(), MagnetVersion.id.desc())).all()


def version(session: Session, magnet_id: int, paper: Paper, source: str) -> MagnetVersion | None:
    """The file that was made of that very source."""
    same = MagnetVersion.magnet_id == magnet_id, MagnetVersion.paper == paper, MagnetVersion.source_hash == source
    return session.scalar(select(MagnetVersion).where(*same))


def newest(session: Session, of: Magnet, paper: Paper = Paper.A4) -> MagnetVersion | None:
    """The file a reader gets on `paper`, else on the other one; an uploaded file has no paper."""
    wanted: ColumnElement[bool] = MagnetVersion.paper == Paper.UPLOAD
    found = select(MagnetVersion).where(MagnetVersion.magnet_id == of.id, wanted if of.uploaded else ~wanted)
    order = (MagnetVersion.paper == paper).desc(), MagnetVersion.made_at.desc(), MagnetVersion.id.desc()
    return session.scalar(found.order_by(*order).limit(1))


def content(session: Session, blob: str) -> bytes:
    """A stored file's bytes."""
    found = blobs.get(session, blob)
    return found.content if found is not None else b""


def grant_of(session: Session, magnet_id: int, subscriber_id: int) -> MagnetGrant | None:
    """The proof that a person has a gift."""
    pair = MagnetGrant.magnet_id == magnet_id, MagnetGrant.subscriber_id == subscriber_id
    return session.scalar(select(MagnetGrant).where(*pair))


def holder(session: Session, grant_id: int) -> tuple[int, str]:
    """Whose a granted gift is, and the gift's short name."""
    found = select(MagnetGrant.subscriber_id, Magnet.slug).join(Magnet, Magnet.id == MagnetGrant.magnet_id)
    subscriber_id, slug = session.execute(found.where(MagnetGrant.id == grant_id)).one()
    return subscriber_id, slug


def downloaded(session: Session, subscriber_ids: Collection[int]) -> dict[int, set[str]]:
    """The short names of the gifts that each of these people has downloaded; who has none is left out."""
    found = (
        select(MagnetGrant.subscriber_id, Magnet.slug)
        .join(Magnet, Magnet.id == MagnetGrant.magnet_id)
        .where(among(session, MagnetGrant.subscriber_id, subscriber_ids))
        .where(exists().where(Download.grant_id == MagnetGrant.id))
    )
    slugs: dict[int, set[str]] = {}
    for subscriber_id, slug in session.execute(found):
        slugs.setdefault(subscriber_id, set()).add(slug)
    return slugs


def choices(session: Session) -> list[tuple[str, str]]:
    """Every gift as (short name, title), for who lets an operator choose one."""
    return [(row.slug, row.title) for row in session.scalars(select(Magnet).order_by(Magnet.title))]


def has_magnet(session: Session, magnet_id: int, subscriber_id: int) -> bool:
    """Whether a person has a gift."""
    return grant_of(session, magnet_id, subscriber_id) is not None


def gift(session: Session, grant_id: int, paper: Paper = Paper.A4) -> Gift | None:
    """What the holder of a grant gets today; None when the person never confirmed or is erased (semantics 1.5).

    Whoever has left since keeps their gift: it was given.
    """
    theirs = (
        select(MagnetGrant, Magnet, Subscriber)
        .join(Magnet, Magnet.id == MagnetGrant.magnet_id)
        .join(Subscriber, Subscriber.id == MagnetGrant.subscriber_id)
        .where(MagnetGrant.id == grant_id)
        .where(Subscriber.confirmed_at.is_not(None), Subscriber.status != Status.ERASED)
    )
    row = session.execute(theirs).one_or_none()
    if row is None:
        return None
    grant, of, person = row
    file = newest(session, of, paper)
    return Gift(
        grant_id=grant.id,
        magnet_id=of.id,
        subscriber_id=person.id,
        first_name=person.first_name if of.stamp and not of.uploaded else "",
        file_name=of.file_name,
        paper=Paper(file.paper) if file else paper,
        blob=file.blob_hash if file else None,
    )


def figures(session: Session, magnet_ids: Sequence[int]) -> dict[int, Figures]:
    """How each of these gifts is doing."""

    def counted(statement: Select[int, int]) -> dict[int, int]:
        return dict(session.execute(statement).all())

    grants = select(MagnetGrant.magnet_id, func.count()).group_by(MagnetGrant.magnet_id)
    files = select(MagnetVersion.magnet_id, func.count()).group_by(MagnetVersion.magnet_id)
    fetched = select(MagnetGrant.magnet_id, func.count()).join(Download, Download.grant_id == MagnetGrant.id)
    people = counted(grants.where(MagnetGrant.magnet_id.in_(magnet_ids)))
    made = counted(files.where(MagnetVersion.magnet_id.in_(magnet_ids)))
    downloads = counted(fetched.where(MagnetGrant.magnet_id.in_(magnet_ids)).group_by(MagnetGrant.magnet_id))
    return {key: Figures(people.get(key, 0), downloads.get(key, 0), made.get(key, 0)) for key in magnet_ids}


def downloads_since(session: Session, since: datetime) -> int:
    """How many downloads there were since a moment, of all gifts."""
    return session.scalar(select(func.count(Download.id)).where(Download.at >= since)) or 0


def reason_words(session: Session, reason: str) -> str:
    """Why a delivery email of this room is sent."""
    of = magnet(session, magnet_of(reason))
    again = " (asked again)" if reason.count(":") > 1 else ""
    return f"Gift “{of.title}”{again}" if of else ""


def _of(session: Session, subscriber_id: int) -> Sequence[tuple[Magnet, MagnetGrant]]:
    found = select(Magnet, MagnetGrant).join(MagnetGrant, MagnetGrant.magnet_id == Magnet.id)
    return session.execute(found.where(MagnetGrant.subscriber_id == subscriber_id)).all()


def _fetched(session: Session, subscriber_id: int) -> Sequence[tuple[Magnet, Download]]:
    found = (
        select(Magnet, Download)
        .join(MagnetGrant, MagnetGrant.magnet_id == Magnet.id)
        .join(Download, Download.grant_id == MagnetGrant.id)
        .where(MagnetGrant.subscriber_id == subscriber_id)
    )
    return session.execute(found.order_by(Download.at)).all()


def history(session: Session, subscriber_id: int) -> list[HistoryLine]:
    """The gifts a person got, and when they fetched them."""
    lines = [
        HistoryLine(grant.granted_at, "gift", f"Got “{of.title}”", f"/admin/magnets/{of.id}")
        for of, grant in _of(session, subscriber_id)
    ]
    for of, download in _fetched(session, subscriber_id):
        text = f"Downloaded “{of.title}” ({PAPER_WORDS[Paper(download.paper)]})"
        lines.append(HistoryLine(download.at, "download", text, f"/admin/magnets/{of.id}"))
    return lines


def held(session: Session, subscriber_id: int) -> dict[str, Any]:
    """What this room holds about a person, for their own copy."""
    return {
        "gifts": [{"title": of.title, "granted_at": grant.granted_at} for of, grant in _of(session, subscriber_id)],
        "downloads": [
            {"title": of.title, "at": download.at, "paper": download.paper}
            for of, download in _fetched(session, subscriber_id)
        ],
    }
