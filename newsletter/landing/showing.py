"""What the template of a page is given: by the public site, and by the operator's preview of what is not saved yet."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from sqlalchemy.orm import Session

from newsletter.figures.exercises import EXERCISES
from newsletter.landing import article, drawings, queries, rules
from newsletter.landing.models import Page


def canonical(page: Page, first: Page | None, base_url: str) -> str:
    """The one address of a page: the front page has none but the site's own."""
    return base_url + ("/" if first is not None and page.id == first.id else f"/p/{page.slug}")


def context(session: Session, page: Page, base_url: str) -> dict[str, Any]:
    """All that the template of a page needs but the comments."""
    form = queries.form_of(session, page)
    own_address = canonical(page, queries.home(session), base_url)
    return {
        "page": page,
        "pieces": [(piece, _trusted(piece)) for piece in article.pieces(page.body)],
        "canonical": own_address,
        "page_url": own_address,
        "card_url": f"{base_url}/p/{page.slug}/card.png",
        "minutes": rules.reading_minutes(article.plain_words(page.body)),
        "form": form,
        "gift": queries.gift_of(session, form),
        "move_keys": [key for key in article.move_keys(page.body) if key in EXERCISES],
        "clip": rules.clip(queries.video_url(session, page), base_url),
        "exercises": EXERCISES,
        "figure": drawings.url,
        "related": queries.related(session, page),
    }


def _trusted(piece: article.Piece) -> Markup:
    # The parser escapes raw HTML and refuses javascript: links, so what it renders may stand in a page.
    return Markup(piece.html)  # noqa: S704
