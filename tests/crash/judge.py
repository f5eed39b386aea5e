"""The judgement: what the mail server wrote down against what the ledger says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

OPEN = {"planned", "claimed", "sending", "deferred"}


@dataclass(frozen=True)
class Row:
    """One email of the ledger; `uncertain` says that an attempt with a lost answer is on record."""

    email: str
    reason: str
    state: str
    message_id: str
    uncertain: bool


def violations(rows: Iterable[Row], took: Iterable[tuple[str, str]], promised: Iterable[tuple[str, str]]) -> list[str]:
    """Every broken promise, in words.

    `took` are the server's emails as (recipient, Message-ID), each as often as it came; `promised` are those that
    somebody was told would be sent, as (recipient, the reason or its first word).
    """
    by_mail = {(row.email, row.message_id): row for row in rows}
    counted = Counter(took)
    found = [*_of_rows(by_mail, counted), *_not_planned(by_mail.values(), promised)]
    found += [f"{email} got {message_id}, which is not in the ledger" for email, message_id in counted - _keys(by_mail)]
    return sorted(found)


def _keys(by_mail: dict[tuple[str, str], Row]) -> Counter[tuple[str, str]]:
    # As often as may be: how often is judged by row.
    return Counter(dict.fromkeys(by_mail, 1_000_000))


def _of_rows(by_mail: dict[tuple[str, str], Row], counted: Counter[tuple[str, str]]) -> Iterator[str]:
    for key, row in by_mail.items():
        times, what = counted[key], f"{row.email} {row.reason} ({row.state})"
        if row.state in OPEN:
            yield f"not finished: {what}"
        elif row.state == "accepted" and not times:
            yield f"lost: {what} never came"
        elif row.state not in {"accepted", "unknown"} and times:
            yield f"wrong: {what} came {times} times"
        if times > 1 and not row.uncertain:
            yield f"doubled: {what} came {times} times and is not listed as uncertain"


def _not_planned(rows: Iterable[Row], promised: Iterable[tuple[str, str]]) -> Iterator[str]:
    planned = {(row.email, words) for row in rows for words in (row.reason, row.reason.partition(":")[0])}
    for email, reason in promised:
        if (email, reason) not in planned:
            yield f"promised and not planned: {email} {reason}"
