"""What a list is searched for. A search is sent as a form; in a page's own address one for an address travels sealed,
so that neither the browser's history nor any log of requests on the way holds whom somebody looked for.
"""

from __future__ import annotations

from typing import Any

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from newsletter import sealing
from newsletter.errors import Unsealable
from newsletter.settings import current

PURPOSE = "search"
SEALED = "~"  # what a sealed search begins with
LONGEST = 200  # characters; no address and no subject that somebody types is longer


def asked(name: str = "q") -> str:
    """What this request searches for, in the clear; one that cannot be unsealed stays as it is, and finds nothing."""
    text = request.values.get(name, "").replace("\0", "").strip()
    if not text.startswith(SEALED):
        return text[:LONGEST]
    try:
        return sealing.unseal(current().secret_key, PURPOSE, text.removeprefix(SEALED))
    except Unsealable:
        return text


def in_address(text: str) -> str:
    """A search as a page's address has it."""
    return SEALED + sealing.seal(current().secret_key, PURPOSE, text) if "@" in text else text


def shown(endpoint: str, *, also: tuple[str, ...] = (), name: str = "q", anchor: str = "", **path: int) -> Response:
    """Send on from a search form to the list that it searches, with those of its other fields that are named."""
    fields = {field: request.form.get(field, "") for field in also} | {name: in_address(asked(name))}
    kept: dict[str, Any] = path | {field: value for field, value in fields.items() if value}
    return redirect(url_for(endpoint, _anchor=anchor or None, **kept))
