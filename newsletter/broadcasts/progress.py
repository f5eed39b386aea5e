"""How far a broadcast is, as its page shows it: a sentence, a bar with words, the pace and what may be done now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from newsletter.broadcasts import rules
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.queries import Tally
from newsletter.broadcasts.rules import BroadcastState
from newsletter.delivery.rules import State

WIDTH = 1000  # of the bar, in its own units
NARROWEST = 6  # of a part that is there at all: one refused of a million is still seen


@dataclass(frozen=True)
class Part:
    """A part of the bar: its name in the style sheet, its words, and the outbox's filter; `x` and `width` of WIDTH."""

    key: str
    words: str
    number: int
    figure: str = ""  # the number as it is shown
    state: str = ""
    x: int = 0
    width: int = 0


@dataclass(frozen=True)
class Progress:
    """What the page says; `live` while it changes by itself."""

    headline: str
    aside: str
    parts: tuple[Part, ...]
    live: bool
    may_pause: bool
    may_resume: bool
    may_cancel: bool
    uncertain: int  # that wait for an operator's decision


def progress(broadcast: Broadcast, tally: Tally) -> Progress:
    """How far a started broadcast is."""
    state = BroadcastState(broadcast.state)
    return Progress(
        headline=_headline(broadcast, tally),
        aside=_aside(broadcast, tally),
        parts=tuple(_laid_out(_proof(broadcast) if _is_proving(broadcast) else _parts(tally))),
        live=state in rules.RUNNING or (state is BroadcastState.CANCELED and broadcast.finished_at is None),
        may_pause=rules.may(state, BroadcastState.PAUSED),
        may_resume=state is BroadcastState.PAUSED,
        may_cancel=state in rules.RUNNING,
        uncertain=tally.uncertain,
    )


def _is_proving(broadcast: Broadcast) -> bool:
    going = broadcast.state in {BroadcastState.STARTING, BroadcastState.PAUSED}
    return going and broadcast.proved_to < broadcast.through_id


def _headline(broadcast: Broadcast, tally: Tally) -> str:
    if _is_proving(broadcast):
        return "Checking everybody’s email before the first one leaves"
    got = f"{tally.accepted:,} of {tally.total:,}"
    if broadcast.state == BroadcastState.STARTING:
        return f"{tally.accepted:,} sent, and more are being lined up"
    if broadcast.state == BroadcastState.CANCELED:
        return (
            f"Called off; {_people(tally.accepted)} had it already" if tally.accepted else "Called off; nobody got it"
        )
    if broadcast.state == BroadcastState.DONE:
        return f"Done: {got} have it" if tally.accepted < tally.total else f"Done: {_everybody(tally.total)}"
    return f"{got} sent"


def _aside(broadcast: Broadcast, tally: Tally) -> str:
    state = broadcast.state
    if _is_proving(broadcast):
        paused = " Paused for now." if state == BroadcastState.PAUSED else ""
        return f"Each is made once, to see that it works for every reader. {broadcast.proved:,} so far.{paused}"
    if state == BroadcastState.PAUSED:
        return f"{_people(tally.waiting + tally.deferred)} {_wait(tally.waiting + tally.deferred)} until you go on."
    if state == BroadcastState.CANCELED:
        return "" if broadcast.finished_at else "What waited is being taken out of the outbox."
    if state == BroadcastState.DONE:
        return ""
    if tally.waiting:
        return _pace(broadcast, tally)
    if tally.deferred:
        return f"Everybody’s turn has come. {_people(tally.deferred)} will be tried again, for up to three days."
    if tally.uncertain:
        return "Everybody’s turn has come. The uncertain ones wait for your decision."
    return ""


def _pace(broadcast: Broadcast, tally: Tally) -> str:
    if broadcast.rate < 1:
        return f"{_people(tally.waiting)} {_wait(tally.waiting)} for their turn."
    left = rules.time_left(tally.waiting, broadcast.rate)
    return f"{round(broadcast.rate):,} a minute, {left} left."


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"


def _wait(number: int) -> str:
    return "waits" if number == 1 else "wait"


def _everybody(number: int) -> str:
    return (
        "there was nobody to send it to"
        if not number
        else "it has reached its one reader"
        if number == 1
        else (f"all {number:,} have it")
    )


def _proof(broadcast: Broadcast) -> list[Part]:
    """The bar of the proof run, in subscriber ids: how many readers there are is only known at its end."""
    left = broadcast.through_id - broadcast.proved_to
    share = round(100 * broadcast.proved_to / broadcast.through_id)
    return [
        Part("proved", "checked", broadcast.proved_to, f"{share}%"),
        Part("waiting", "to be checked", left, f"{100 - share}%"),
    ]


def _parts(tally: Tally) -> list[Part]:
    numbers = (
        ("accepted", "sent", tally.accepted, State.ACCEPTED),
        ("deferred", "will be tried again", tally.deferred, State.DEFERRED),
        ("uncertain", "uncertain", tally.uncertain, State.UNKNOWN),
        ("rejected", "refused", tally.rejected, State.REJECTED),
        ("expired", "given up", tally.expired, State.EXPIRED),
        ("canceled", "canceled", tally.canceled, State.CANCELED),
        ("waiting", "waiting", tally.waiting, State.PLANNED),
    )
    return [Part(key, words, number, f"{number:,}", state) for key, words, number, state in numbers]


def _laid_out(parts: list[Part]) -> Iterator[Part]:
    """The parts that are there, each with its place; the widest gives way to those too narrow to be seen."""
    total = sum(part.number for part in parts)
    found = [part for part in parts if part.number]
    widths = [max(NARROWEST, round(WIDTH * part.number / total)) for part in found]
    if widths:
        widest = widths.index(max(widths))
        widths[widest] += WIDTH - sum(widths)
    x = 0
    for part, width in zip(found, widths, strict=True):
        yield replace(part, x=x, width=width)
        x += width
