"""A world made of a seed: series of every kind of step, readers in many zones, emails to many, and a life before.

Everything goes through what the program itself offers for it, where it offers it; a series is written as rows, because
its files are tested elsewhere.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from newsletter import addresses, clock
from newsletter.accounts.models import Studio
from newsletter.accounts.queries import default_studio
from newsletter.audience import actions as audience
from newsletter.audience.rules import Status
from newsletter.database.engine import transaction
from newsletter.sequences import entering, models
from tests.worlds import happening
from tests.worlds.world import DELAYS, KINDS, NAMES, TAGS, TEXTS, WEEKDAYS, WINDOWS, ZONES, World


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
    happening.life_before(world, chance)
    return world


def _a_moment(chance: random.Random) -> datetime:
    """Mostly a few weeks in which clocks change somewhere; on any second, as operators press buttons on any second."""
    month, day = chance.choice([(3, 1), (3, 1), (10, 8), (6, 1)])
    around = datetime(2026, month, day, tzinfo=UTC)
    return around + timedelta(minutes=chance.randint(0, 25 * 1440), seconds=chance.randint(0, 59))


def _studio(world: World, chance: random.Random) -> None:
    with transaction() as session:
        studio = session.get(Studio, 1) or default_studio()
        session.add(studio)
        studio.timezone = chance.choice(["UTC", "Europe/Berlin", "America/New_York"])
        studio.one_a_day = chance.random() < 0.75
        studio.first = chance.choice(["series", "broadcast"])
        studio.overdue_hours = chance.choice([48, 48, 20, 200])
        world.note("studio", studio.timezone, studio.one_a_day, studio.first, studio.overdue_hours)


def _series(world: World, chance: random.Random, number: int) -> int:
    with transaction() as session:
        series = models.Sequence(slug=f"series-{number}", name=f"Series {number}", created_at=clock.now())
        series.min_gap_hours = chance.choice([20, 20, 0, 30])
        series.evergreen = chance.random() < 0.2
        series.reentry = chance.choice(["never", "completed", "always"])
        series.cooldown_days = chance.choice([0, 0, 3])
        series.entry = _entry(chance) if chance.random() < 0.25 else {}
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
        rules = series.min_gap_hours, series.evergreen, series.reentry, series.entry, series.goal, series.exits
        world.note(series.slug, *rules)
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


def _entry(chance: random.Random) -> dict[str, Any]:
    """A question that can be asked of somebody outside."""
    asked = _condition(chance, ())
    return {"tag": chance.choice(TAGS)} if "clicked" in asked else asked


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
            entering.add(session, number, kind, what, config, clock.now())
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
