"""A world made of a seed: series of every kind of step, readers in many zones, emails to many, and a life before.

Everything goes through what the program itself offers for it, where it offers it; a series is written as rows, because
its files are tested elsewhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from newsletter import addresses, clock, worker
from newsletter.accounts.models import Studio
from newsletter.accounts.queries import default_studio
from newsletter.audience import actions as audience
from newsletter.audience.rules import Status
from newsletter.broadcasts import actions as broadcasts
from newsletter.database.engine import db, transaction
from newsletter.sequences import actions, models
from newsletter.sequences.rules import mask

# Clocks that change, that change by half an hour, that never change, the two ends of the world, none, and nonsense.
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "",
    "Mars/Base",
)
WINDOWS = (("07:00", "09:00"), ("22:00", "02:00"), ("02:15", "02:45"), ("18:30", "20:00"))
WEEKDAYS = (mask(range(5)), mask([5, 6]), mask([2]), mask([0, 3]))
DELAYS = ((0, "days"), (1, "days"), (2, "days"), (4, "days"), (7, "days"), (5, "hours"), (24, "hours"), (36, "hours"))
TAGS = ("yoga", "running", "client")
NAMES = ("Alice", "Bob", "Charlie", "Dora", "Emil", "Fay")
KINDS = ("email",) * 6 + ("wait", "condition", "condition", "tag", "tag", "move", "end")
# Few texts, so that each is compiled once for all worlds: a row is known by its step, not by its words.
TEXTS = tuple(
    f"---\nsubject: Letter {n}{who}\npreheader: News\n---\nHello.\n"
    for n, who in enumerate(("", " for {{ subscriber.first_name or 'you' }}", " to {{ subscriber.fields.city or '-' }}"))
)


@dataclass
class World:
    """What was made: the moment to forecast from, and a diary of how it came to be, for when the proof fails."""

    seed: int
    now: datetime
    series: list[int] = field(default_factory=list)
    readers: list[int] = field(default_factory=list)
    diary: list[str] = field(default_factory=list)

    def note(self, *words: object) -> None:
        """A line of the diary."""
        self.diary.append(" ".join(str(word) for word in words))


def invent(seed: int) -> World:
    """Make the world of that seed in the empty database of the running application, and live it up to its present."""
    chance = random.Random(seed)
    start = _a_moment(chance)
    world = World(seed, start)
    with clock.standing_at(start):
        _studio(world, chance)
        for number in range(chance.randint(1, 3)):
            world.series.append(_series(world, chance, number))
        _triggers(world, chance)
        for name in NAMES[: chance.randint(2, 4)]:
            world.readers.append(_reader(world, chance, name))
    _life_before(world, chance)
    return world


def _a_moment(chance: random.Random) -> datetime:
    """Mostly a few weeks in which clocks change somewhere; on any second, as operators press buttons on any second."""
    around = chance.choice([datetime(2026, 3, 1), datetime(2026, 10, 8), datetime(2026, 3, 1), datetime(2026, 6, 1)])
    return around.replace(tzinfo=UTC) + timedelta(minutes=chance.randint(0, 25 * 1440), seconds=chance.randint(0, 59))


def _studio(world: World, chance: random.Random) -> None:
    with transaction() as session:
        studio = session.get(Studio, 1) or default_studio()
        session.add(studio)
        studio.timezone = chance.choice(["UTC", "Europe/Berlin", "America/New_York"])
        studio.one_a_day = chance.random() < 0.75
        studio.first = chance.choice(["series", "series", "broadcast"])
        studio.overdue_hours = chance.choice([48, 48, 20, 200])
        world.note("studio", studio.timezone, studio.one_a_day, studio.first, studio.overdue_hours)


def _series(world: World, chance: random.Random, number: int) -> int:
    with transaction() as session:
        series = models.Sequence(slug=f"series-{number}", name=f"Series {number}", created_at=clock.now())
        series.min_gap_hours = chance.choice([20, 20, 0, 30])
        series.evergreen = chance.random() < 0.2
        series.reentry = chance.choice(["never", "completed", "always"])
        series.cooldown_days = chance.choice([0, 0, 3])
        series.goal = _condition(chance, ()) if chance.random() < 0.25 else {}
        series.exits = [{chance.choice(["tagged", "untagged"]): "client"}] if chance.random() < 0.15 else []
        session.add(series)
        session.flush()
        keys = [f"s{step}" for step in range(chance.randint(2, 6))]
        kinds = [chance.choice(KINDS) if at else "email" for at in range(len(keys))]
        for at, (key, kind) in enumerate(zip(keys, kinds, strict=True)):
            row = _step(chance, kind, keys[:at], keys[at + 2 :], number)
            row.sequence_id, row.key, row.position = series.id, key, at + 1
            session.add(row)
            world.note(series.slug, key, kind, row.config, _timing_words(row))
        world.note(series.slug, series.min_gap_hours, series.evergreen, series.reentry, series.goal, series.exits)
        session.flush()
        return series.id


def _timing_words(row: models.Step) -> str:
    return (
        f"{row.delay_amount} {row.delay_unit} from {row.delay_from} {row.window_start}-{row.window_end} {row.weekdays}"
    )


def _step(chance: random.Random, kind: str, earlier: Sequence[str], later: Sequence[str], number: int) -> models.Step:
    row = models.Step(kind=kind, source=chance.choice(TEXTS) if kind == "email" else "", config={})
    row.delay_amount, row.delay_unit = chance.choice(DELAYS) if kind in {"email", "wait"} else (0, "days")
    row.delay_from = chance.choice(["previous", "previous", "previous", "enrollment"])
    row.window_start = row.window_end = ""
    row.weekdays = 127
    if kind == "email" and chance.random() < 0.5:
        row.window_start, row.window_end = chance.choice(WINDOWS)
    if chance.random() < (0.3 if kind == "email" else 0.1):
        row.weekdays = chance.choice(WEEKDAYS)
    if kind == "condition":
        ways = ["", "", "end", *later]
        row.config = {"if": _condition(chance, earlier), "then": chance.choice(ways), "else": chance.choice(ways)}
    if kind == "tag":
        what = chance.sample(TAGS, 1)
        row.config = {"add": what, "remove": []} if chance.random() < 0.7 else {"add": [], "remove": what}
    if kind == "move":
        row.config = {"to": f"series-{(number + 1) % 3}"}
    return row


def _condition(chance: random.Random, earlier: Sequence[str]) -> dict[str, Any]:
    asked: dict[str, Any] = chance.choice(
        [
            {"tag": chance.choice(TAGS)},
            {"field": "city", "is": chance.choice(["equals", "not", "contains", "set"]), "value": "Springfield"},
            {"clicked": chance.choice([*earlier, "any"])},
            {"downloaded": "any"},
        ]
    )
    return asked | ({"not": True} if chance.random() < 0.3 else {})


def _triggers(world: World, chance: random.Random) -> None:
    """Some tags, and birthdays, let people join by themselves."""
    for number in world.series:
        kind = chance.choice(["", "", "tag", "date"])
        if not kind:
            continue
        with transaction() as session:
            what = chance.choice(TAGS) if kind == "tag" else "birthday"
            at = chance.choice(["09:00", "00:10", "02:30"])
            config = {"yearly": True, "days": chance.choice([0, -3, 2]), "at": at} if kind == "date" else {}
            row = models.Trigger(sequence_id=number, kind=kind, what=what, config=config, created_at=clock.now())
            session.add(row)
            world.note("trigger", number, kind, what, config)


def _reader(world: World, chance: random.Random, name: str) -> int:
    now = clock.now()
    with transaction() as session:
        row = audience.remember(session, addresses.parse(f"{name.lower()}@example.org"), source="test", now=now)
        row.status, row.marketing, row.confirmed_at = Status.CONFIRMED, True, now
        row.timezone, row.first_name = chance.choice(ZONES), name if chance.random() < 0.7 else ""
        birthday = world.now.date() + timedelta(days=chance.randint(-3, 40))
        row.fields = {"birthday": f"1990-{birthday:%m-%d}"} if chance.random() < 0.7 else {}
        if chance.random() < 0.5:
            row.fields = {**row.fields, "city": chance.choice(["Springfield", "Ashford", ""])}
        if chance.random() < 0.06:
            row.status, row.marketing = chance.choice([(Status.PENDING, False), (Status.CONFIRMED, False)])
        for tag in chance.sample(TAGS, chance.choice([0, 0, 1, 2])):
            audience.add_tag(session, row.id, tag, now)
        world.note("reader", row.id, name, row.timezone, row.status, row.marketing, row.fields)
        return row.id


def _life_before(world: World, chance: random.Random) -> None:
    """Up to twelve days in which people join, things are changed, and the worker looks in now and then."""
    days = chance.choice([0, 1, 4, 12])
    for at in sorted(chance.uniform(0, days) for _ in range(chance.randint(4, 10))):
        world.now = max(world.now, _later(world, at))
        happening = chance.choice(HAPPENINGS)
        with clock.standing_at(world.now):
            world.note(f"{world.now:%Y-%m-%d %H:%M:%S}", happening.__name__)
            happening(world, chance)
            if chance.random() < 0.6:
                worker.take_turn()
                db.session.remove()
    world.now += timedelta(minutes=chance.randint(0, 90), seconds=chance.randint(0, 59))


def _later(world: World, days: float) -> datetime:
    begun = datetime.fromisoformat(world.diary[0]) if world.diary[0][:2] == "20" else None
    if begun is None:
        world.diary.insert(0, world.now.isoformat())
        begun = world.now
    return begun + timedelta(seconds=round(days * 86400))


def someone_joins(world: World, chance: random.Random) -> None:
    """By a form or by hand."""
    number, reader = chance.choice(world.series), chance.choice(world.readers)
    with transaction() as session:
        actions.enroll(session, number, reader, "form:1", clock.now())


def everybody_joins(world: World, chance: random.Random) -> None:
    """One series."""
    number = chance.choice(world.series)
    for reader in world.readers:
        with transaction() as session:
            actions.enroll(session, number, reader, "import", clock.now())


def an_email_to_many_is_queued(world: World, chance: random.Random) -> None:
    """For some moment of the next weeks, often one at which a series wants to send as well."""
    now = clock.now()
    moment = now + timedelta(minutes=chance.randint(1, 30 * 1440))
    if chance.random() < 0.5:
        moment = moment.replace(hour=chance.choice([5, 6, 7, 11]), minute=0)
    whom = chance.choice(["all", "all", f"tag:{chance.choice(TAGS)}", f"person:{chance.choice(world.readers)}"])
    with transaction() as session:
        queued = broadcasts.queue_from_file(session, chance.choice(TEXTS), whom, moment, now)
        world.note("  broadcast", queued.id, whom, moment)


def a_step_is_changed(world: World, chance: random.Random) -> None:
    """Its delay, window and weekdays (semantics 3.9)."""
    with transaction() as session:
        rows = [row for row in session.query(models.Step) if row.deleted_at is None and row.kind == "email"]
        if not rows:
            return
        row = chance.choice(rows)
        other = _step(chance, "email", (), (), 0)
        for name in ("delay_amount", "delay_unit", "delay_from", "window_start", "window_end", "weekdays"):
            setattr(row, name, getattr(other, name))
        session.flush()
        actions.replan(session, clock.now(), steps=[row.id])
        world.note("  step", row.id, _timing_words(row))


def a_step_is_deleted(world: World, chance: random.Random) -> None:
    """While people may wait at it (semantics 3.10)."""
    with transaction() as session:
        rows = [row for row in session.query(models.Step) if row.deleted_at is None]
        row = chance.choice(rows)
        row.deleted_at = clock.now()
        world.note("  step", row.id)


def somebody_moves_house(world: World, chance: random.Random) -> None:
    """Their zone is another one (semantics 3.8)."""
    from newsletter.audience.models import Subscriber

    with transaction() as session:
        person = session.get_one(Subscriber, chance.choice(world.readers))
        person.timezone = chance.choice(ZONES)
        session.flush()
        actions.replan(session, clock.now(), subscriber_id=person.id)
        world.note("  reader", person.id, person.timezone)


def somebody_leaves(world: World, chance: random.Random) -> None:
    """All of it."""
    with transaction() as session:
        audience.unsubscribe(session, chance.choice(world.readers), "pressed the link", clock.now())


def somebody_gets_a_tag(world: World, chance: random.Random) -> None:
    """By hand."""
    with transaction() as session:
        audience.add_tag(session, chance.choice(world.readers), chance.choice(TAGS), clock.now())


def nothing_happens(world: World, chance: random.Random) -> None:
    """But the worker may look in."""


HAPPENINGS: tuple[Callable[[World, random.Random], None], ...] = (
    someone_joins,
    someone_joins,
    someone_joins,
    everybody_joins,
    everybody_joins,
    an_email_to_many_is_queued,
    an_email_to_many_is_queued,
    a_step_is_changed,
    a_step_is_deleted,
    somebody_moves_house,
    somebody_leaves,
    somebody_gets_a_tag,
    somebody_gets_a_tag,
    nothing_happens,
)
