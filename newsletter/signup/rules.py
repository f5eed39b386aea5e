"""What a sign-up leads to, and who is kept out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class ConsentMode(StrEnum):
    """What pressing the button means (semantics 1.7)."""

    SUBSCRIBE = "subscribe"  # "subscribe and get it": follow-ups are part of the deal
    MAGNET = "magnet"  # "send me the PDF": follow-ups only with the separate box, which starts unticked


class Step(StrEnum):
    """What a sign-up leads to; the visitor's page is the same for all of them (semantics 1.1)."""

    CONFIRM = "confirm"  # a confirmation email, then nothing until its button is pressed
    DELIVER = "deliver"  # confirmed already: the gift at once, and the form's series
    DELIVER_AGAIN = "deliver again"  # has it already: the delivery email again, and nothing else
    NOTHING = "nothing"  # bounced or complained: nothing is sent; the operator sees it


def decide(status: str | None, *, has_magnet: bool) -> Step:
    """The table of semantics 1.2; `status` is the person's, None when unknown."""
    if status in {None, "pending", "unsubscribed"}:
        return Step.CONFIRM
    if status == "confirmed":
        return Step.DELIVER_AGAIN if has_magnet else Step.DELIVER
    return Step.NOTHING


def agrees_to_marketing(mode: str, follow: bool) -> bool:
    """Whether this press agreed to follow-ups (semantics 1.7)."""
    return mode == ConsentMode.SUBSCRIBE or follow


def wording_version(wording: str, box: str) -> str:
    """A short name of the exact words a person agreed to."""
    return hashlib.sha256(f"{wording}\n{box}".encode()).hexdigest()[:12]


# No person reads, types an address and presses within a second; with autofill two have been seen.
QUICKEST = timedelta(seconds=1)
STAMP_LIFE = timedelta(days=7)

# A mail scanner follows links within seconds of delivery; a page may press its own button only well after that.
SCANNERS_ARE_DONE = timedelta(minutes=5)

REMIND_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class Counts:
    """How many presses there were lately: from this IP address, for this address, for its domain, from everywhere."""

    ip_hour: int = 0
    address_hour: int = 0
    domain_hour: int = 0
    all_ten_minutes: int = 0


class Verdict(StrEnum):
    """What the guards say to a press."""

    LET_IN = "let in"
    PROVE = "prove"  # under attack: the browser must do some work first
    REFUSE = "refuse"


# A gym's guests share one IP address; a class of thirty that signs up together must get through.
IP_HOUR = 40
ADDRESS_HOUR = 8
DOMAIN_HOUR = 1000
ATTACK_TEN_MINUTES = 300
FLOOD_TEN_MINUTES = 6000
# About 65,000 hashes: a quarter of a second on a phone, and an attacker's processor gets four addresses a second.
DIFFICULTY = 16


def is_under_attack(counts: Counts) -> bool:
    """Whether forms ask for proof of work."""
    return counts.all_ten_minutes >= ATTACK_TEN_MINUTES


def judge(counts: Counts, *, proven: bool) -> Verdict:
    """What the guards say, the same at every door (semantics 1.10)."""
    over = (
        counts.ip_hour >= IP_HOUR
        or counts.address_hour >= ADDRESS_HOUR
        or counts.domain_hour >= DOMAIN_HOUR
        or counts.all_ten_minutes >= FLOOD_TEN_MINUTES
    )
    if over:
        return Verdict.REFUSE
    return Verdict.PROVE if is_under_attack(counts) and not proven else Verdict.LET_IN


def is_proof(challenge: str, solution: str) -> bool:
    """Whether SHA-256 of `challenge:solution` begins with DIFFICULTY zero bits."""
    if not solution.isascii() or len(solution) > 20:
        return False
    digest = hashlib.sha256(f"{challenge}:{solution}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - DIFFICULTY) == 0


def may_press_itself(issued_at: datetime, now: datetime) -> bool:
    """Whether a confirm page may press its button by script: only when the link is too old for a scanner (1.4)."""
    return now - issued_at > SCANNERS_ARE_DONE
