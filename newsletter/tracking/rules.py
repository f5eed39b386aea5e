"""What the tracking room decides: which links are counted, how their addresses look, and who is a program."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

LONGEST_URL = 2000  # some mail programs cut longer ones, so such an email is broken already
LONGEST_SHOWN = 80
LARGEST_ID = 2**31 - 1  # what the column holds; PostgreSQL answers a larger one with an error
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_NUMBER = re.compile(r"[1-9a-z][0-9a-z]{0,5}", re.ASCII)  # six digits reach 2,176,782,335

# An email travels, is noticed, opened and read before its reader presses anything; gateways that test links do it
# while the email is still on its way.
QUICKEST_READER = timedelta(seconds=5)
# Nobody opens two different links of an email within one; a program that tests links opens all of them at once.
BURST = timedelta(seconds=1)

# What browsers and mail apps say it in when they fetch a page that nobody asked for yet (Sec-Purpose: Fetch
# standard, section 2.2.2; the others are older and still sent).
FETCHED_AHEAD = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_AHEAD = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)

# Programs that name themselves: gateways that test links, messengers that draw a preview, search engines, and the
# libraries that such programs are written with. Cubot makes telephones.
_PROGRAMS = re.compile(
    r"""(?<!cu)bot(?![a-z]) | crawl | spider | slurp | preview | scanner | link[ -]?check | validator | monitor
    | headless | barracuda | mimecast | proofpoint | symantec | messagelabs | trendmicro | fireeye | forcepoint
    | cloudmark | sophos | zscaler | urldefense | virustotal | safebrowsing | microsoft[ ]office | ms-office
    | facebookexternalhit | facebookcatalog | whatsapp/ | slack-imgproxy | embedly | iframely | vkshare
    | googleimageproxy | google-safety | google-read-aloud | yahoomailproxy | phantomjs | puppeteer | selenium
    | curl/ | wget | python | urllib | httpx | aiohttp | libwww | lwp:: | java/ | apache-http | okhttp | go-http
    | node-fetch | axios | undici | guzzle | ruby | perl | php/ | dart/ | winhttp | scrapy
    """,
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A link of an email that was opened; `robot` as far as the request itself and its moment tell."""

    delivery_id: int
    subscriber_id: int
    link_id: int
    at: datetime
    robot: bool


def worth_tracking(url: str) -> bool:
    """Whether a link that is the same for every reader leads through our door: a plain address of the web."""
    if len(url) > LONGEST_URL or any(sign <= " " or sign in "\\\x7f" for sign in url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def short(url: str) -> str:
    """An address as people say it: without its scheme, without what follows the path, cut when it is long."""
    parts = urlsplit(url)
    said = f"{parts.hostname}{parts.path}".removesuffix("/")
    return said if len(said) <= LONGEST_SHOWN else said[: LONGEST_SHOWN - 1] + "…"


def digest(url: str) -> str:
    """What an address is found by: the first 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def base36(number: int) -> str:
    """A row's id in an address: digits and small letters, as `int(text, 36)` reads it."""
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"


def link_id(text: str) -> int | None:
    """The id that an address names; None for one that no link can have, or that is not spelled as `base36` does it."""
    number = int(text, 36) if _NUMBER.fullmatch(text) else None
    return number if number is not None and number <= LARGEST_ID else None


def door(base_url: str, token: str) -> str:
    """What all counted links of one email begin with; a link's `base36` id completes it."""
    return f"{base_url}/c/{token}/"


def address(base_url: str, token: str, number: int) -> str:
    """The counted address of the link with that id, in the email that `token` was made for."""
    return door(base_url, token) + base36(number)


def may_be_recorded(headers: Mapping[str, str]) -> bool:
    """Whether a click may be kept: not when the browser says that its owner wants no tracking (Sec-GPC: 1).

    `headers` by their names in small letters, here and in `is_robot`.
    """
    return headers.get("sec-gpc", "").strip() != "1"


def is_robot(method: str, headers: Mapping[str, str], sent_at: datetime, now: datetime) -> bool:
    """Whether a program opened a link of an email composed at `sent_at`, by all that the request itself tells."""
    if method != "GET" or now - sent_at < QUICKEST_READER:
        return True
    if any(_AHEAD.search(headers.get(name, "")) for name in FETCHED_AHEAD):
        return True
    program = headers.get("user-agent", "").strip()
    return not program or _PROGRAMS.search(program) is not None


def bursts(clicks: Iterable[tuple[int, int, datetime]]) -> set[int]:
    """Of clicks on one email, as (key, link, moment), the keys of those with a different link within a second."""
    ordered = sorted(clicks, key=lambda click: click[2])
    found: set[int] = set()
    for at, (key, link, moment) in enumerate(ordered):
        for other, other_link, later in ordered[at + 1 :]:
            if later - moment > BURST:
                break
            if other_link != link:
                found |= {key, other}
    return found
