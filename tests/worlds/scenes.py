"""What seldom comes together by chance: small stories with series of their own, some of which every world has.

In sixty worlds without them nobody ever joined by a tag that a step gave, or left at once, or passed over a step they
had; a forecast that forgot such a thing was believed. `forgetting` counts who notices.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from newsletter import clock
from newsletter.audience import actions as audience
from newsletter.audience import by_hand, occasions
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Happened
from newsletter.broadcasts import actions as broadcasts
from newsletter.database.engine import transaction
from newsletter.delivery import actions as ledger
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import WAITING, EventKind, Lane
from newsletter.magnets import actions as magnets
from newsletter.magnets.models import Magnet
from newsletter.magnets.rules import Paper
from newsletter.sequences import actions, crowds, editing, models, pausing
from newsletter.sequences.edits import Delete, Edit, Move
from newsletter.sequences.moving import Choices
from newsletter.sequences.pauses import Scope
from newsletter.sequences.resuming import Choice
from newsletter.tracking import actions as tracking
from newsletter.tracking.rules import Seen
from tests.worlds.telling import a_series, email, join, later, opens, other, slug_of, who
from tests.worlds.working import look_in, stop_after_planning, stop_after_sending
from tests.worlds.world import TEXTS, World


def a_tag_begins_a_series(world: World, chance: random.Random) -> None:
    """A second time, as a rule: after the end, after leaving, too soon, or while still in it (semantics 3.12)."""
    reader, tag = who(world, chance), f"tag-{len(world.series)}"
    settings: dict[str, Any] = {
        "reentry": chance.choice(["never", "completed", "completed", "always"]),
        "cooldown_days": chance.choice([0, 0, 3, 9]),
        "evergreen": chance.random() < 0.25,
    }
    before = chance.choice(["never", "had it", "had it", "left", "left", "left"])
    after, works = chance.choice([0, 0, 2, 5]), chance.random() < 0.8
    case = chance.choice(
        ["any", "rests", "left", "lately", "lately", "soon", "soon"]
    )  # the rest that chance alone makes too seldom
    if case == "rests":
        before, works = "never", False
    elif case == "left":
        before, after, settings = "left", 2, {"reentry": "completed"}
    elif case == "lately":
        before, after, works, settings = "had it", 0, True, {"reentry": "always"}
    elif case == "soon":
        before, after, works, settings = "had it", 2, True, {"reentry": "always", "cooldown_days": 4}
    more = case == "left" or (case == "any" and chance.random() < 0.5)  # nobody leaves what is over
    begun = a_series(world, email(), *[email(9)][:more], **settings)
    opens(world, begun, "tag", tag, works=works)
    if before != "never":
        join(world, begun, reader)
        look_in(world)
    if before == "left":
        later(world, minutes=chance.randint(1, 300))
        with clock.standing_at(world.now), transaction() as session:
            actions.exit_one(session, begun, reader, "by hand", clock.now())
    gives = a_series(world, other("tag", after, add=[tag], remove=[]), email(1), goal={})
    join(world, gives, reader)
    if chance.random() < 0.15:
        with clock.standing_at(world.now), transaction() as session:
            pausing.pause(session, Scope(sequence_id=begun), clock.now())
            world.note("  paused", begun)


def a_step_moves_on(world: World, chance: random.Random) -> None:
    """To a series that the reader may have had."""
    reader = who(world, chance)
    target = a_series(world, email(), email(2), reentry=chance.choice(["never", "always"]))
    source = a_series(
        world, other("wait", chance.choice([1, 3])), other("move", to=slug_of(world, target)), email(), min_gap_hours=20
    )
    if chance.random() < 0.3:
        join(world, target, reader)
        look_in(world)
    join(world, source, reader)


def not_everybody_may_join(world: World, chance: random.Random) -> None:
    """By a tag, a date, or moved from another series: whether they may is decided when it comes to that."""
    reader, way = who(world, chance), chance.choice(["tag", "date", "move"])
    opened, tag = f"tag-{len(world.series)}", f"may-{len(world.series)}"
    entry: dict[str, Any] = chance.choice([{"tag": tag}, {"field": "city", "is": "set"}, {"downloaded": "any"}])
    entry |= {"not": True} if chance.random() < 0.4 else {}
    begun = a_series(world, email(), email(2), entry=entry, reentry="always")
    steps = [other("wait", chance.choice([1, 3]))]
    if chance.random() < 0.5:
        steps.append(other("tag", 0, add=[tag], remove=[]))
    if way == "move":
        steps.append(other("move", to=slug_of(world, begun)))
    elif way == "tag":
        opens(world, begun, "tag", opened)
        steps.append(other("tag", 0, add=[opened], remove=[]))
    else:
        opens(world, begun, "date", "birthday", yearly=True, days=0, at="09:00")
        with clock.standing_at(world.now), transaction() as session:
            day = clock.now().date() + timedelta(days=chance.randint(0, 9))
            by_hand.set_field(session, reader, "birthday", f"{day:%d.%m.}", clock.now())
        look_in(world)
    join(world, a_series(world, *steps), reader)


def a_tag_ends_a_series(world: World, chance: random.Random) -> None:
    """At once: when it is next asked the tag is gone (or there) again (semantics 3.13)."""
    reader, tag = who(world, chance), f"tag-{len(world.series)}"
    ends: Mapping[str, Any] = chance.choice(
        [{"exits": [{"tagged": tag}]}, {"exits": [{"untagged": tag}]}, {"goal": {"tag": tag}}]
    )
    gives, takes = other("tag", 1, add=[tag], remove=[]), other("tag", 1, add=[], remove=[tag])
    if "untagged" in str(ends):
        gives, takes = takes, gives
        with clock.standing_at(world.now), transaction() as session:
            audience.add_tag(session, reader, tag, clock.now())
    left = a_series(world, email(chance.choice([4, 6])), **ends)
    steps = [gives, takes] if chance.random() < 0.7 else [gives]
    join(world, left, reader)
    join(world, a_series(world, *steps), reader)


def a_step_asks(world: World, chance: random.Random) -> None:
    """Something that is true, or not: a link pressed, a gift downloaded, a field, a tag."""
    reader, tag = who(world, chance), f"tag-{len(world.series)}"
    asked: Mapping[str, Any] = chance.choice(
        [
            {"clicked": chance.choice(["s0", "any"])},
            {"downloaded": chance.choice(["gift", "any"])},
            {"field": "city", "is": chance.choice(["equals", "not", "contains", "set"]), "value": "Springfield"},
            {"tag": tag},
        ]
    )
    question = other("condition", chance.choice([1, 3]), **{"if": asked, "then": "end", "else": ""})
    if chance.random() < 0.5:
        question["config"] |= {"then": "", "else": "end"}
    number = a_series(world, email(), question, email(1))
    join(world, number, reader)
    look_in(world)
    later(world, minutes=chance.randint(1, 60))
    if chance.random() < 0.8:
        with clock.standing_at(world.now):
            _make_true(world, asked, reader, number, tag)
            look_in(world)


def _make_true(world: World, asked: Mapping[str, Any], reader: int, number: int, tag: str) -> None:
    now = clock.now()
    with transaction() as session:
        if "field" in asked:
            by_hand.set_field(session, reader, "city", "Springfield", now)
        elif "tag" in asked:
            audience.add_tag(session, reader, tag, now)
        elif "downloaded" in asked:
            gift = session.scalar(select(Magnet).where(Magnet.slug == "gift")) or magnets._new(
                session, "gift", "A gift", "gift", now
            )
            magnets.note_download(session, magnets.grant(session, gift.id, reader, now).id, Paper.A4, now)
        else:
            theirs = Delivery.subscriber_id == reader, Delivery.lane == int(Lane.SEQUENCE)
            found = session.scalars(
                select(Delivery).where(*theirs, Delivery.accepted_at.is_not(None)).order_by(Delivery.id.desc())
            ).first()
            if found:
                link = tracking.link_ids(session, ["https://example.org/"])["https://example.org/"]
                tracking.record_clicks(session, [Seen(found.id, reader, link, now, robot=False)])
    world.note("  true:", asked)


def an_edit_meets_readers(world: World, chance: random.Random) -> None:
    """A step they had is moved ahead of them, or the one they wait for is taken out (semantics 3.1, 3.10)."""
    reader = who(world, chance)
    number = a_series(world, email(), email(chance.choice([2, 5])), email(1), email(1))
    join(world, number, reader)
    look_in(world)
    later(world, hours=chance.randint(1, 20))
    with clock.standing_at(world.now), transaction() as session:
        found = select(models.Step.id).where(models.Step.sequence_id == number).order_by(models.Step.position)
        steps = session.scalars(found).all()
        edit: Edit = Move(steps[0], chance.randint(3, 4)) if chance.random() < 0.6 else Delete(steps[1])
        editing.apply(session, number, edit, now=clock.now(), choices=Choices(confirmed=1000))
        world.note("  edit", edit)


def a_pause_shifts(world: World, chance: random.Random) -> None:
    """A series that counts from joining, after some days of rest (semantics 3.15)."""
    reader = who(world, chance)
    steps = email(), email(4, delay_from="enrollment"), email(9, delay_from="enrollment")
    number = a_series(world, *steps)
    join(world, number, reader)
    look_in(world)
    scope = Scope(sequence_id=number)
    with clock.standing_at(world.now), transaction() as session:
        pausing.pause(session, scope, clock.now())
    later(world, days=chance.choice([1, 2, 3]), minutes=chance.randint(0, 600))
    if chance.random() < 0.8:
        with clock.standing_at(world.now), transaction() as session:
            pausing.resume(session, scope, chance.choice([Choice.SHIFTED, *Choice]), clock.now())
            world.note("  resumed", number)


def a_crowd_joins(world: World, chance: random.Random) -> None:
    """Behind another crowd that takes hours or days (semantics 3.19)."""
    number = a_series(world, email(), email(2, window_start="07:00", window_end="09:00"))
    with clock.standing_at(world.now), transaction() as session:
        series = session.get_one(models.Sequence, number)
        series.crowd_until = clock.now() + timedelta(minutes=chance.choice([1, 200, 4000]))
        crowds.join(session, number, world.readers, "import", clock.now())
        world.note("a crowd joins", number, series.crowd_until)


def clocks_change(world: World, chance: random.Random) -> None:
    """A step is due in the very hour that is missing or comes twice (semantics 3.5)."""
    reader = who(world, chance)
    number = _a_night(world, chance, reader)
    if number:
        join(world, number, reader)


def _a_night(world: World, chance: random.Random, reader: int) -> int:
    with clock.standing_at(world.now), transaction() as session:
        person = session.get_one(Subscriber, reader)
        zone = ZoneInfo(chance.choice(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]))
        person.timezone = zone.key
        occasions.happened(session, reader, Happened.ZONE, "", clock.now())
    look_in(world)
    night = next_change(world.now, zone, 27)
    if night is None:
        return 0
    before, after = (night - timedelta(seconds=1)).astimezone(zone), night.astimezone(zone)
    opens_at = min(before.replace(tzinfo=None) + timedelta(seconds=1), after.replace(tzinfo=None))
    first, last = opens_at + timedelta(minutes=chance.randint(1, 15)), opens_at + timedelta(minutes=25)
    away = (first.date() - world.now.astimezone(zone).date()).days
    window = {"window_start": f"{first:%H:%M}", "window_end": f"{last:%H:%M}"}
    world.note("clocks change", zone.key, opens_at)
    return a_series(world, email(away, **window), email(1, **window)) if away > 0 else 0


def next_change(now: datetime, zone: ZoneInfo, days: int) -> datetime | None:
    """The instant at which the clocks of a zone change next, within so many days."""
    start = now.replace(minute=0, second=0, microsecond=0)
    for half_hours in range(1, days * 48):
        at = start + timedelta(minutes=30 * half_hours)
        if at.astimezone(zone).utcoffset() != (at - timedelta(minutes=30)).astimezone(zone).utcoffset():
            return at
    return None


def a_full_day(world: World, chance: random.Random) -> None:
    """Several emails want one day of one reader: from series and to many, before the forecast and after it (3.17)."""
    reader = who(world, chance)
    soon = {"window_start": "07:00", "window_end": "20:00"} if chance.random() < 0.4 else {}
    third = a_series(world, email(24, "hours", **soon), email(24, "hours"))
    number = a_series(world, email())
    second = a_series(world, email(), email(5, "hours"), min_gap_hours=30)
    join(world, third, reader)
    later(world, minutes=chance.randint(1, 90))
    join(world, number, reader)
    look_in(world)
    if chance.random() < 0.7:
        join(world, second, reader)
        look_in(world)
    later(world, minutes=chance.randint(1, 30))
    for _ in range(chance.randint(1, 2)):
        with clock.standing_at(world.now), transaction() as session:
            moment = clock.now() + timedelta(minutes=chance.choice([5, 60, 600, 1300, 1440]))
            broadcasts.queue_from_file(session, chance.choice(TEXTS), f"person:{reader}", moment, clock.now())
            world.note("  broadcast at", moment, "to", reader)
    chance.choice([_hurried, _hurried, _called_off, _paused, _paused, _left_alone])(world, reader)


def _left_alone(world: World, reader: int) -> None:
    """Nothing more."""


def _waiting(world: World, reader: int) -> list[int]:
    with clock.standing_at(world.now), transaction() as session:
        marketing = Delivery.lane != int(Lane.TRANSACTIONAL), Delivery.subscriber_id == reader
        found = select(Delivery.id).where(Delivery.state.in_(WAITING), *marketing).order_by(Delivery.id)
        return list(session.scalars(found))


def _hurried(world: World, reader: int) -> None:
    for one in _waiting(world, reader)[-1:]:
        with clock.standing_at(world.now), transaction() as session:
            ledger.send_now(session, one, clock.now())
            ledger.note(session, [one], EventKind.HURRIED, clock.now(), "")
            world.note("  hurried", one)


def _called_off(world: World, reader: int) -> None:
    for one in _waiting(world, reader)[-1:]:
        with clock.standing_at(world.now), transaction() as session:
            ledger.cancel(session, one, "Called off by hand.", clock.now())
            world.note("  called off", one)


def _paused(world: World, reader: int) -> None:
    with clock.standing_at(world.now), transaction() as session:
        pausing.pause(session, Scope(subscriber_id=reader), clock.now())
        world.note("  paused", reader)


def a_date_comes(world: World, chance: random.Random) -> None:
    """And lets a reader join, who may be paused."""
    reader = who(world, chance)
    number = a_series(world, email(chance.choice([0, 1])), reentry="always")
    opens(world, number, "date", "start", yearly=False, days=chance.choice([0, 2]), at="09:00")
    with clock.standing_at(world.now), transaction() as session:
        day = clock.now().date() + timedelta(days=chance.randint(0, 20))
        by_hand.set_field(session, reader, "start", day.isoformat(), clock.now())
        world.note("  start of", reader, day)
    look_in(world)
    if chance.random() < 0.4:
        _paused(world, reader)


def the_worker_stops(world: World, chance: random.Random) -> None:
    """In the middle of a turn: emails are planned, or sent and nothing more."""
    reader = who(world, chance)
    with clock.standing_at(world.now), transaction() as session:
        broadcasts.queue_from_file(session, TEXTS[0], f"person:{reader}", clock.now(), clock.now())
    for number in (a_series(world, email(), email(1)), a_series(world, email(), email(2)))[: chance.randint(1, 2)]:
        join(world, number, reader)
    chance.choice([stop_after_planning, stop_after_sending, stop_after_sending])(world)


def just_now(world: World, chance: random.Random) -> None:
    """A reader gets a tag, and the worker has not looked at it yet."""
    reader, tag = who(world, chance), f"tag-{len(world.series)}"
    opens(world, a_series(world, email(), email(2)), "tag", tag)
    join(world, a_series(world, email(3), exits=[{"tagged": tag}]), reader)
    with clock.standing_at(world.now), transaction() as session:
        audience.add_tag(session, reader, tag, clock.now())
        world.note("  just now:", reader, tag)


def the_worker_was_away(world: World, chance: random.Random) -> None:
    """For days, and what is to go in a window came due meanwhile, too late or not (semantics 3.16)."""
    number = a_series(world, email(), email(1, window_start="07:00", window_end="09:00"), email(1))
    join(world, number, who(world, chance))
    look_in(world)
    later(world, hours=chance.choice([40, 60, 90]), minutes=chance.randint(0, 600))


def a_lane_is_held(world: World, chance: random.Random) -> None:
    """The clock jumped, say, and nobody has said "Go on" (semantics 3.20)."""
    lane = chance.choice([Lane.SEQUENCE, Lane.BULK])
    with clock.standing_at(world.now), transaction() as session:
        ledger.hold(session, f"lane:{int(lane)}", "The clock jumped.", clock.now())
        world.note("  held", lane)


# The last ones leave things undone, so they come last.
SCENES: tuple[Callable[[World, random.Random], None], ...] = (
    a_tag_begins_a_series,
    a_tag_begins_a_series,
    a_tag_begins_a_series,
    a_step_moves_on,
    not_everybody_may_join,
    not_everybody_may_join,
    a_tag_ends_a_series,
    a_step_asks,
    a_step_asks,
    an_edit_meets_readers,
    a_pause_shifts,
    a_crowd_joins,
    clocks_change,
    clocks_change,
    a_date_comes,
    a_full_day,
    a_full_day,
    a_full_day,
    the_worker_was_away,
    the_worker_stops,
    just_now,
    a_lane_is_held,
)


def some_scenes(world: World, chance: random.Random) -> None:
    """One to three, in the order of `SCENES`."""
    for at in sorted(chance.sample(range(len(SCENES)), chance.choice([1, 2, 2, 3]))):
        world.note(f"{world.now:%Y-%m-%d %H:%M:%S}", "scene:", SCENES[at].__name__)
        SCENES[at](world, chance)
