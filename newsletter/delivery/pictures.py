"""The pictures that emails link: stored before the first email that shows them leaves."""

from __future__ import annotations

from collections.abc import Iterable

from flask import current_app

from newsletter import clock
from newsletter.database import blobs
from newsletter.database.engine import transaction
from newsletter.delivery.letters import Letter


def keep(letters: Iterable[Letter]) -> None:
    """Store the pictures of these letters that are not stored yet."""
    # Known per application: asking the database for every picture of every email would be most of its work.
    kept: set[str] = current_app.extensions.setdefault("kept_pictures", set())
    linked = {picture.content_hash: picture for letter in letters for picture in letter.compiled.images}
    new = [picture for name, picture in linked.items() if name not in kept]
    if new:
        with transaction() as session:
            for picture in new:
                blobs.put(session, picture.content, picture.content_type, clock.now())
        kept.update(picture.content_hash for picture in new)
