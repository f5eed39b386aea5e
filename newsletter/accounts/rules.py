"""What a password, a way back and a studio's settings may be."""

from __future__ import annotations

from urllib.parse import urlsplit
from zoneinfo import available_timezones

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200  # argon2 takes time for every byte; nobody types more than this

# Of ten characters and more, those that head every list of leaked passwords, compared without case.
_COMMON = """
    1234567890 0123456789 9876543210 1111111111 0000000000 1212121212 123123123123 1q2w3e4r5t 1qaz2wsx3edc qwertyuiop
    qwerty1234 qwerty12345 qwerty123456 asdfghjkl1 password12 password123 password1234 passwordpassword passw0rd123
    iloveyou12 iloveyou123 welcome123 welcome1234 letmein1234 administrator admin12345 admin123456 changeme123
    princess123 sunshine123 football123 baseball123 abcdefghij abcdef1234 abc1234567 newsletter newsletter1
"""
COMMON_PASSWORDS = frozenset(_COMMON.split())


def password_problem(password: str, email: str) -> str:
    """What is wrong with a new password of the operator with `email`, in words; empty when nothing is."""
    folded = password.casefold()
    if len(password) < SHORTEST_PASSWORD:
        return f"It needs at least {SHORTEST_PASSWORD} characters. Three or four words in a row are easy to remember."
    if len(password) > LONGEST_PASSWORD:
        return f"It may have {LONGEST_PASSWORD} characters at most."
    if folded.strip() in {email.casefold(), email.casefold().partition("@")[0]}:
        return "It must not be your email address."
    if folded in COMMON_PASSWORDS or len(set(folded)) < 3:
        return "Many people use this one, so it is among the first that a stranger tries."
    return ""


def own_path(asked: str, otherwise: str) -> str:
    """Where to go after signing in: `asked` when it is a path of this site's back office, else `otherwise`."""
    # A browser reads a backslash as a slash and drops tabs and line ends, so either could lead to another site.
    if any(character <= " " or character in "\\\x7f" for character in asked):
        return otherwise
    try:
        parts = urlsplit(asked)
    except ValueError:
        return otherwise
    if parts.scheme or parts.netloc or not (parts.path == "/admin" or parts.path.startswith("/admin/")):
        return otherwise
    return asked


def web_link_problem(link: str) -> str:
    """What is wrong with a link to a video, in words; empty when nothing is (or there is no link)."""
    if not link:
        return ""
    try:
        parts = urlsplit(link)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not host or any(character <= " " for character in link):
        return "A link begins with https:// and has no spaces; copy it from the address bar of the video's page."
    return "" if len(link) <= 500 else "This link is too long: 500 characters at most."


def zone_names() -> list[str]:
    """Every time zone that a person may choose, sorted; the UTC ones first."""
    places = sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
    return ["UTC", *places]
