"""What the gifts' room decides without asking anyone: paper, limits, when to try again."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import quote


class Paper(StrEnum):
    """What a made file is printed on; an uploaded one is as it is."""

    A4 = "a4"
    LETTER = "letter"
    UPLOAD = "upload"


PAPER_WORDS = {Paper.A4: "A4", Paper.LETTER: "US Letter", Paper.UPLOAD: "uploaded"}
PRINTED = (Paper.A4, Paper.LETTER)

# CLDR 46, supplemental/measurementData.xml, paperSize US-Letter: everywhere else the printer holds A4.
LETTER_REGIONS = frozenset(["BZ", "CA", "CL", "CO", "CR", "GT", "MX", "NI", "PA", "PH", "PR", "SV", "US", "VE"])

# The same places by their clock (IANA), for attachments, where no browser tells its language.
LETTER_CITIES = """
    America/Anchorage America/Belize America/Bogota America/Boise America/Caracas America/Chicago America/Costa_Rica
    America/Denver America/Detroit America/Edmonton America/El_Salvador America/Guatemala America/Halifax
    America/Los_Angeles America/Managua America/Mexico_City America/Monterrey America/New_York America/Panama
    America/Phoenix America/Puerto_Rico America/Santiago America/St_Johns America/Tijuana America/Toronto
    America/Vancouver America/Winnipeg Asia/Manila Pacific/Honolulu
"""
LETTER_ZONES = frozenset(LETTER_CITIES.split())

LARGEST_UPLOAD = 20 * 1024 * 1024
LARGEST_ATTACHMENT = 2 * 1024 * 1024  # base64 makes it 2.7 MB; above that mail servers begin to refuse
TRY_AGAIN = timedelta(minutes=15)


def paper_for(asked: str, languages: str) -> Paper:
    """The paper a reader wants: what they asked for by name, else by the region of their first language.

    `languages` is the Accept-Language header (RFC 9110, section 12.5.4); without a region it is A4.
    """
    if asked in PRINTED:
        return Paper(asked)
    first = languages.split(",")[0].split(";")[0].strip()
    region = first.replace("_", "-").split("-")[-1] if "-" in first or "_" in first else ""
    return Paper.LETTER if region.upper() in LETTER_REGIONS else Paper.A4


def paper_in(zone: str) -> Paper:
    """The paper that is usual where the clock goes by `zone` (an IANA name)."""
    return Paper.LETTER if zone in LETTER_ZONES else Paper.A4


def is_due(source: str, failed_at: str, tried_at: datetime | None, now: datetime) -> bool:
    """Whether the press should work on `source`: at once when it is new, else 15 minutes after it failed.

    Pressing takes seconds of a whole core; a sheet that cannot fit would otherwise keep it busy all day.
    """
    return source != failed_at or tried_at is None or now - tried_at >= TRY_AGAIN


def reason(magnet_id: int, times_before: int) -> str:
    """The ledger's reason for the delivery email of a gift; the first time it has no number."""
    return f"magnet:{magnet_id}:{times_before + 1}" if times_before else f"magnet:{magnet_id}"


def magnet_of(why: str) -> int:
    """The gift that a reason of the ledger speaks of; raises ValueError when it speaks of none."""
    kind, _, rest = why.partition(":")
    if kind != "magnet":
        raise ValueError(f"{why!r} is not about a gift")
    return int(rest.partition(":")[0])


def counts_as_download(status: int, start: int, length: int, whole: int) -> bool:
    """Whether an answer gave the reader the file: all of it at once, not a piece, a check or "not changed"."""
    return status == 200 or (status == 206 and start == 0 and length == whole)


def disposition(kind: str, name: str) -> str:
    """Content-Disposition for a file called `name` (no quotes, no control characters, as `file_name_of` leaves it).

    In ASCII for old programs, in full for all others (RFC 6266, appendix D; RFC 8187).
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    shown = plain if plain.strip(". ") != "pdf" else "gift.pdf"
    header = f'{kind}; filename="{shown}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"
