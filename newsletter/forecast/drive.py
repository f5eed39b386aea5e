"""A test drive: a series run for a reader who does not exist, over any days, by the engine of the forecast.

Nothing is written anywhere: the ledger never hears of it (semantics 2.14).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.audience.queries import Reader
from newsletter.delivery.composing import render
from newsletter.delivery.letters import studio_in_mail
from newsletter.errors import SourceError, SuppleError
from newsletter.figures.exercises import EXERCISES
from newsletter.forecast import reading
from newsletter.forecast.lives import Happening, House, Life, Walk
from newsletter.forecast.simulating import ahead
from newsletter.forecast.subjects import subject
from newsletter.messages.compiling import CompiledMessage, Rendered, compile_message
from newsletter.messages.images import FIGURE, Image
from newsletter.messages.source import parse
from newsletter.messages.studio import Studio
from newsletter.sequences import queries as sequences
from newsletter.sequences.letters import letter_of
from newsletter.sequences.rules import (
    CaughtUp,
    Course,
    Effect,
    EnrollmentState,
    Facts,
    Finished,
    Left,
    Moved,
    Round,
    Tagged,
    enter,
    left,
    minute,
    why_not_enter,
    zone_of,
)
from newsletter.sequences.wording import compiled

ADDRESS = "alice@example.org"  # nobody's: example.org is kept free for examples (RFC 2606, section 3)
LONGEST = 3660  # days
MOST = 500  # emails; two series that move their readers to each other never end


@dataclass(frozen=True)
class Invented:
    """The reader of a test drive, and what they do: `presses` are keys of emails whose links they press on arrival.

    `zone` empty is the studio's; "any" among `presses` or `downloaded` is all of them.
    """

    start: datetime
    days: int = 30
    first_name: str = "Alice"
    zone: str = ""
    tags: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    presses: frozenset[str] = frozenset()
    downloaded: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Stop:
    """One thing that happens on the way: an email (with `step_id`), or anything else in `words`."""

    at: datetime
    words: str
    step_id: int = 0
    subject: str = ""
    key: str = ""
    series_id: int = 0
    tags: tuple[str, ...] = ()  # as the reader has them then
    moved: str = ""


@dataclass(frozen=True)
class Drive:
    """A whole test drive in the order in which it happens; `never` are the emails of the series it does not reach."""

    series: str
    zone: ZoneInfo
    start: datetime
    until: datetime
    stops: tuple[Stop, ...]
    never: tuple[str, ...]
    under_way: bool = False  # the days end before the reader's way does
    courses: Mapping[int, Course] = field(default_factory=dict)

    @property
    def emails(self) -> list[Stop]:
        """The emails alone."""
        return [stop for stop in self.stops if stop.step_id]


def drive(session: Session, sequence_id: int, invented: Invented) -> Drive:
    """Run a series for somebody invented. Raises NotFound when there is no such series."""
    series, zone = sequences.sequence(session, sequence_id), zone_for(session, invented)
    start = minute(invented.start)
    until = start + timedelta(days=min(invented.days, LONGEST))
    # Broadcasts and pauses belong to real readers, and a drive may begin on any day.
    house = replace(reading.known(session, start, start).house, sendouts=(), stopped=frozenset())
    road = _Road(session, house, invented)
    stops = road.run(sequence_id, zone, start, until)
    reached = {stop.step_id for stop in stops}
    never = tuple(words for number, words in road.titles(sequence_id).items() if number not in reached)
    return Drive(series.name, zone, start, until, tuple(stops), never, road.open > 0, house.courses)


def zone_for(session: Session, invented: Invented) -> ZoneInfo:
    """Where they live: where they say, else where the studio is."""
    return zone_of(invented.zone, accounts.studio(session).timezone)


class _Road:
    """What is written down on the way."""

    def __init__(self, session: Session, house: House, invented: Invented) -> None:
        self.session, self.house, self.invented = session, house, invented
        self.tags = list(invented.tags)
        self.stops: list[Stop] = []
        self.zone = zone_for(session, invented)
        self.open = 0  # series that the reader is in
        self._titles: dict[int, dict[int, str]] = {}

    def run(self, sequence_id: int, zone: ZoneInfo, start: datetime, until: datetime) -> list[Stop]:
        """Everything from joining on."""
        course = self.house.courses[sequence_id]
        facts = Facts(frozenset(self.tags), self.invented.downloaded, frozenset(), self.invented.fields)
        why_not, why = why_not_enter(course, None, facts, start), left(course, facts)
        if why_not:
            self._note(start, f"Does not join “{self._name(sequence_id)}”: {why_not}")
            return self.stops
        place = enter(course, zone=zone, now=start)
        self._note(start, f"Joins “{self._name(sequence_id)}”")
        if why or place.step_id is None:
            self._note(start, f"Leaves at once: {why}" if why else "There is nothing in it yet")
            return self.stops
        self.open = 1
        life = Life(
            0,
            zone,
            (Walk(sequence_id, place),),
            tags=facts.tags,
            downloaded=facts.downloaded,
            fields=facts.fields,
            rounds={sequence_id: Round(EnrollmentState.ACTIVE, None)},
            presses=self.invented.presses,
        )
        for number, _ in enumerate(ahead(life, self.house, now=start, until=until, heard=self._heard), 1):
            if number == MOST:
                self._note(self.stops[-1].at, f"And so on: after {MOST} emails this drive ends")
                break
        return self.stops

    def _email(self, one: Happening, zone: ZoneInfo) -> None:
        step = self.house.courses[one.course_id].step(one.step_id)
        words = self.titles(one.course_id).get(one.step_id, "An email")
        moved = f"moved from {day_words(one.moved_from, zone)} because of {one.because}" if one.moved_from else ""
        key, tags = step.key if step else "", tuple(self.tags)
        row = sequences.step(self.session, one.course_id, one.step_id)
        title = subject(self.session, row.source, person(self.invented), tags)
        self.stops.append(Stop(one.at, words, one.step_id, title, key, one.course_id, tags, moved))

    def _heard(self, effect: Happening | Effect | str | None, course_id: int, at: datetime) -> None:
        name = self._name(course_id)
        self.open += 1 if effect is None else -isinstance(effect, Moved | Finished | CaughtUp | Left)
        match effect:
            case Happening():
                self._email(effect, self.zone)
            case None:
                self._note(at, f"Joins “{name}”")
            case str():
                self._note(at, f"Does not join “{name}”: {effect}")
            case Tagged():
                self._retag(effect, at)
            case Moved():
                self._note(at, f"Leaves “{name}” for “{self._slug_name(effect.to_slug)}”")
            case Finished():
                self._note(at, f"Is through with “{name}”")
            case CaughtUp():
                self._note(at, f"Has had all there is of “{name}”, and waits for new emails")
            case Left():
                self._note(at, f"Leaves “{name}”: {effect.why}")

    def _retag(self, effect: Tagged, at: datetime) -> None:
        new = [tag for tag in effect.add if tag not in self.tags]
        gone = [tag for tag in effect.remove if tag in self.tags]
        self.tags = [tag for tag in [*self.tags, *new] if tag not in effect.remove]
        for words, tags in (("Gets", new), ("Loses", gone)):
            if tags:
                named = " and ".join(f"“{tag}”" for tag in tags)
                self._note(at, f"{words} the tag{'' if len(tags) == 1 else 's'} {named}")

    def _note(self, at: datetime, words: str) -> None:
        self.stops.append(Stop(at, words, tags=tuple(self.tags)))

    def _name(self, course_id: int) -> str:
        return sequences.sequence(self.session, course_id).name

    def _slug_name(self, slug: str) -> str:
        found = sequences.by_slug(self.session, slug)
        return found.name if found else f"{slug} (there is no such series)"

    def titles(self, course_id: int) -> dict[int, str]:
        """What the emails of a series are called, by the id of their step."""
        if course_id not in self._titles:
            emails = [row for row in sequences.steps(self.session, course_id) if row.source]
            name = self._name(course_id)
            self._titles[course_id] = {row.id: f"Email {at} of “{name}”" for at, row in enumerate(emails, 1)}
        return self._titles[course_id]


def read(session: Session, invented: Invented, stop: Stop, *, drawn: bool = True) -> Rendered | SuppleError:
    """The email of a stop as its reader would get it then, made by the code that sends; or why it cannot be made.

    Whoever reads its text alone need not wait until its pictures are `drawn`: half a second for each, the first time.
    """
    row, studio = sequences.step(session, stop.series_id, stop.step_id), studio_in_mail(session)
    try:
        message = compiled(row.source, studio) if drawn else _undrawn(row.source, studio)
        letter = letter_of(message, sequences.sequence(session, stop.series_id))
        return render(letter, person(invented), list(stop.tags), stop.at)[0]
    except SuppleError as problem:
        return problem


@lru_cache(maxsize=64)
def _undrawn(source: str, studio: Studio) -> CompiledMessage:
    return compile_message(parse(source), studio, image=_described, marketing=True)


def _described(source: str) -> Image:
    """A picture of which only the description is asked."""
    known = EXERCISES.get(source.removeprefix(FIGURE).partition(".")[0])
    if known is None:
        raise SourceError(f"There is no picture {source!r}.", remedy="Look at the text of the email.")
    return Image(source, "", 1, 1, known.alt, b"", "image/png", source)


def person(invented: Invented) -> Reader:
    """The reader as an email asks for them; their number is 0, so that their links do nothing."""
    fields = dict(invented.fields)
    return Reader(0, ADDRESS, ADDRESS, invented.first_name, "", invented.zone, fields, "confirmed", True)


def day_words(moment: datetime, zone: ZoneInfo) -> str:
    """A day as people say it: “Wednesday 4 March 2026”."""
    local = moment.astimezone(zone)
    return f"{local:%A} {local.day} {local:%B %Y}"


def moment_words(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as people say it: “Wednesday 4 March 2026, 07:00”."""
    return f"{day_words(moment, zone)}, {moment.astimezone(zone):%H:%M}"


def gap_words(before: datetime, moment: datetime, zone: ZoneInfo) -> str:
    """How long after another moment: “2 days later” by the calendar, “3 hours later” on one day."""
    days = (moment.astimezone(zone).date() - before.astimezone(zone).date()).days
    if days:
        return "the next day" if days == 1 else f"{days} days later"
    hours, minutes = divmod(int((moment - before).total_seconds()) // 60, 60)
    if hours:
        return f"{hours} hour{'' if hours == 1 else 's'} later"
    return f"{minutes} minute{'' if minutes == 1 else 's'} later" if minutes else "at once"
