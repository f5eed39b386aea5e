"""What a comment and an article must be, and what kind of video a URL is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from newsletter import addresses
from newsletter.errors import InputError

NAME_LENGTH = 80
TEXT_LENGTH = 4000
SLUG_LENGTH = 80
TITLE_LENGTH = 200
SUMMARY_LENGTH = 300
URL_LENGTH = 500
# A reader names a video or an article at most; beyond two links all that ever came was advertising.
LINKS_ALLOWED = 2

_LINK = re.compile(r"https?://|\bwww\.|\[url|<a\s", re.IGNORECASE)
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_JOINERS = "\u200c\u200d \n"
_BLANK_LINES = re.compile(r"\n{3,}")
_FILM_ENDINGS = (".mp4", ".m4v", ".webm", ".ogv")


class CommentState(StrEnum):
    """Where a comment stands; what a person reads is in `COMMENT_STATE_WORDS`."""

    HELD = "held"  # waits for the operator
    APPROVED = "approved"  # to be seen by all
    REMOVED = "removed"  # not to be seen any more


COMMENT_STATE_WORDS = {
    CommentState.HELD: "waiting for you",
    CommentState.APPROVED: "on the page",
    CommentState.REMOVED: "removed",
}


class VideoKind(StrEnum):
    """How a page shows its video."""

    NONE = "none"  # the drawn moves instead
    FILE = "file"  # a media file of this site, played in place
    ELSEWHERE = "elsewhere"  # a picture that links there: nothing is loaded from others before the visitor says so


@dataclass(frozen=True)
class Clip:
    """A page's video; `host` is who serves it when that is not this site."""

    kind: VideoKind
    url: str = ""
    host: str = ""


@dataclass(frozen=True)
class CommentCheck:
    """A comment as it would be kept, and per field what is wrong with it."""

    name: str
    email: str
    email_key: str
    text: str
    problems: dict[str, str] = field(default_factory=dict)


NO_COMMENT = CommentCheck("", "", "", "")


def check_comment(name: str, email: str, text: str) -> CommentCheck:
    """Tidy what a reader typed and find what is wrong with it; no problems means it may be held for the operator."""
    name, text = tidy_line(name), _BLANK_LINES.sub("\n\n", tidy_text(text))
    problems: dict[str, str] = {}
    key = ""
    if not name.strip(_JOINERS):
        problems["name"] = "Please tell us a name; a first name will do."
    elif len(name) > NAME_LENGTH:
        problems["name"] = f"This name is too long: it may have {NAME_LENGTH} characters."
    elif _LINK.search(name):
        problems["name"] = "A name without a web address, please."
    try:
        address = addresses.parse(email)
        email, key = address.text, address.key
    except InputError as problem:
        problems["email"] = _told(problem) if email.strip() else "Please give your email address."
    wrong = _wrong_text(text)
    if wrong:
        problems["text"] = wrong
    return CommentCheck(name, email, key, text, problems)


def tidy_text(text: str) -> str:
    """`text` with plain line ends, without invisible signs that a database or a screen stumbles over.

    The joiners U+200C and U+200D stay: Persian words and many emoji are made with them.
    """
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def tidy_line(text: str) -> str:
    """`text` as one line with single spaces."""
    return " ".join(tidy_text(text).split())


def is_slug(text: str) -> bool:
    """Whether a page may have this as its address."""
    return len(text) <= SLUG_LENGTH and _SLUG.fullmatch(text) is not None


def _told(problem: InputError) -> str:
    return f"{problem.happened} {problem.remedy}"


def _wrong_text(text: str) -> str:
    if not text.strip(_JOINERS):
        return "Please write a few words."
    if len(text) > TEXT_LENGTH:
        return f"This is {len(text):,} characters long; there is room for {TEXT_LENGTH:,}."
    if len(_LINK.findall(text)) > LINKS_ALLOWED:
        return f"This has many web addresses in it, as advertising does. Please keep it to {LINKS_ALLOWED}."
    return ""


def check_page(slug: str, title: str, summary: str, video_url: str, body: str) -> dict[str, str]:
    """What is wrong with a page as an operator wrote it, by field."""
    problems = {}
    if not is_slug(slug):
        problems["slug"] = "Small letters, digits and single hyphens, for example tight-upper-back."
    if not title or len(title) > TITLE_LENGTH:
        problems["title"] = f"A page needs a title of at most {TITLE_LENGTH} characters."
    if not summary or len(summary) > SUMMARY_LENGTH:
        problems["summary"] = f"A page needs a summary of at most {SUMMARY_LENGTH} characters."
    if not is_usable_video(video_url):
        problems["video_url"] = "A full address that starts with https://, or nothing."
    if not body:
        problems["body"] = "The article is empty."
    return problems


def is_usable_video(url: str) -> bool:
    """Whether a video may be linked: nothing, a path on this site, or a web address; never javascript: and its like."""
    if not url:
        return True
    if len(url) > URL_LENGTH or _CONTROL.search(url) or " " in url or "\\" in url:
        return False
    if url.startswith("/"):
        return not url.startswith("//")
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def clip(url: str, base_url: str) -> Clip:
    """How to show the video at `url` on the site at `base_url`; one that may not be linked is none."""
    if not url or not is_usable_video(url):
        return Clip(VideoKind.NONE)
    ours = url.startswith(("/", base_url.rstrip("/") + "/"))
    parts = urlsplit(url)
    if ours and parts.path.lower().endswith(_FILM_ENDINGS):
        return Clip(VideoKind.FILE, url)
    return Clip(VideoKind.ELSEWHERE, url, parts.hostname or "")


def reading_minutes(words: int) -> int:
    """Minutes that `words` take to read, at least one; adults read about 238 words a minute (Brysbaert 2019)."""
    return max(1, round(words / 238))
