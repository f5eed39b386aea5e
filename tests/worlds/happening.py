"""The life of a world before its forecast: people join and leave, series are edited and paused, the worker is late."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import time, timedelta

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
from newsletter.errors import InputError
from newsletter.sequences import actions, editing, models, pausing
from newsletter.sequences.edits import Add, Change, Delete, Edit, Move
from newsletter.sequences.moving import AtOnce, Choices
from newsletter.sequences.pauses import Scope
from newsletter.sequences.resuming import Choice
from newsletter.sequences.rules import Kind, Timing
from newsletter.tracking import actions as tracking
from newsletter.tracking.rules import Seen
from tests.worlds.scenes import some_scenes
from tests.worlds.working import look_in, stop_after_planning, stop_after_sending
from tests.worlds.world import DELAYS, TAGS, TEXTS, WEEKDAYS, WINDOWS, ZONES, World

MANY = 1_000_000  # so many due at once would be agreed to


def life_before(world: World, chance: random.Random) -> None:
    """Up to twelve days in which things happen, and the worker looks in now and then; late, as a rule."""
    begun, days = world.now, chance.choice([0, 1, 4, 12])
    happenings = [everybody_joins, *chance.choices(HAPPENINGS, k=chance.randint(2, 6))]
    for at, happening in zip(sorted(chance.uniform(0, days) for _ in happenings), happenings, strict=True):
        world.now = begun + timedelta(seconds=round(at * 86400))
        with clock.standing_at(world.now):
            world.note(f"{world.now:%Y-%m-%d %H:%M:%S}", happening.__name__)
            happening(world, chance)
            if chance.random() < 0.4:
                look_in(world)
    look_in(world)  # what has just happened with people is worked off at once, as long as a worker runs
    some_scenes(world, chance)
    if chance.random() < 0.3:  # hours later the worker begins a turn and is stopped
        world.now += timedelta(hours=chance.choice([0, 5, 20, 47]))
        chance.choice([stop_after_planning, stop_after_sending])(world)
    world.now += timedelta(minutes=chance.choice([0, 0, 7, 90, 3000]), seconds=chance.randint(0, 59))


def someone_joins(world: World, chance: random.Random) -> None:
    """By a form or by hand."""
    number, reader = chance.choice(world.series), chance.choice(world.readers)
    with transaction() as session:
        actions.enroll(session, number, reader, "form:1", clock.now())


def everybody_joins(world: World, chance: random.Random) -> None:
    """One series."""
    number = chance.choice(world.series)
    with transaction() as session:
        for reader in world.readers:
            actions.enroll(session, number, reader, "import", clock.now())


def an_email_to_many_is_queued(world: World, chance: random.Random) -> None:
    """For some moment of the next weeks, often one at which a series wants to send as well."""
    now = clock.now()
    moment = now + timedelta(minutes=chance.randint(1, 30 * 1440))
    if chance.random() < 0.5:
        moment = max(now, moment.replace(hour=chance.choice([5, 6, 7, 11]), minute=0))
    whom = chance.choice(["all", "all", f"tag:{chance.choice(TAGS)}", f"person:{chance.choice(world.readers)}"])
    with transaction() as session:
        queued = broadcasts.queue_from_file(session, chance.choice(TEXTS), whom, moment, now)
        world.note("  broadcast", queued.id, whom, moment)


def a_series_is_edited(world: World, chance: random.Random) -> None:
    """A step changed, added, deleted or moved, while people wait (semantics 3.9 to 3.11)."""
    number = chance.choice(world.series)
    with transaction() as session:
        asked = models.Step.sequence_id == number, models.Step.deleted_at.is_(None)
        steps = session.scalars(select(models.Step).where(*asked).order_by(models.Step.position)).all()
        if not steps:
            return
        step = chance.choice(steps)
        edit = _an_edit(chance, step, len(steps))
        at_once = chance.choice([AtOnce.NOW, AtOnce.SPREAD, AtOnce.KEEP])
        choices = Choices(at_once, chance.choice([3, 24]), finished=chance.random() < 0.3, confirmed=MANY)
        world.note("  edit", number, step.key, edit, choices)
        try:
            editing.apply(session, number, edit, now=clock.now(), choices=choices)
        except InputError as refusal:  # a question must not lead back, say; then nothing is changed
            world.note("  refused:", refusal)


def _an_edit(chance: random.Random, step: models.Step, places: int) -> Edit:
    kind = chance.choice(["change", "change", "add", "delete", "move"])
    if kind == "add":
        return Add(step.id, Kind.EMAIL, a_timing(chance), source=chance.choice(TEXTS))
    if kind == "delete":
        return Delete(step.id)
    if kind == "move":
        return Move(step.id, chance.randint(1, places))
    return Change(step.id, a_timing(chance), dict(step.config))


def a_timing(chance: random.Random) -> Timing:
    """Any."""
    amount, unit = chance.choice(DELAYS)
    window = chance.choice(WINDOWS) if chance.random() < 0.5 else None
    return Timing(
        amount,
        unit,
        chance.choice(["previous", "previous", "previous", "enrollment"]),
        (time.fromisoformat(window[0]), time.fromisoformat(window[1])) if window else None,
        chance.choice(WEEKDAYS) if chance.random() < 0.3 else 127,
    )


def something_is_paused(world: World, chance: random.Random) -> None:
    """A person, a series or everything; some pauses end before the forecast, some do not (semantics 3.15)."""
    scope = _a_scope(world, chance)
    with transaction() as session:
        pausing.pause(session, scope, clock.now())
        world.note("  paused", scope)


def something_goes_on(world: World, chance: random.Random) -> None:
    """After a pause, by one of the three choices."""
    choice = chance.choice(list(Choice))
    with transaction() as session:
        for scope in (Scope(), *(Scope(sequence_id=one) for one in world.series), *_readers(world)):
            if pausing.resume(session, scope, choice, clock.now()):
                world.note("  resumed", scope, choice)
                return


def _a_scope(world: World, chance: random.Random) -> Scope:
    return chance.choice([Scope(), Scope(sequence_id=chance.choice(world.series)), chance.choice(_readers(world))])


def _readers(world: World) -> list[Scope]:
    return [Scope(subscriber_id=one) for one in world.readers]


def somebody_moves_house(world: World, chance: random.Random) -> None:
    """Their zone is another one (semantics 3.8)."""
    with transaction() as session:
        person = session.get_one(Subscriber, chance.choice(world.readers))
        person.timezone = chance.choice(ZONES)
        occasions.happened(session, person.id, Happened.ZONE, "", clock.now())
        world.note("  reader", person.id, person.timezone)
    look_in(world)


def somebody_tells_their_birthday(world: World, chance: random.Random) -> None:
    """Or another one than before."""
    day = clock.now().date() + timedelta(days=chance.randint(-1, 35))
    with transaction() as session:
        by_hand.set_field(session, chance.choice(world.readers), "birthday", f"{day:%d.%m.}", clock.now())
    look_in(world)


def somebody_leaves(world: World, chance: random.Random) -> None:
    """All of it."""
    with transaction() as session:
        audience.unsubscribe(session, chance.choice(world.readers), "pressed the link", clock.now())


def somebody_gets_a_tag(world: World, chance: random.Random) -> None:
    """By hand."""
    with transaction() as session:
        audience.add_tag(session, chance.choice(world.readers), chance.choice(TAGS), clock.now())


def somebody_loses_a_tag(world: World, chance: random.Random) -> None:
    """By hand."""
    with transaction() as session:
        audience.remove_tag(session, chance.choice(world.readers), chance.choice(TAGS), clock.now())


def somebody_presses_a_link(world: World, chance: random.Random) -> None:
    """In one of the emails they have got."""
    with transaction() as session:
        sent = select(Delivery).where(Delivery.accepted_at.is_not(None), Delivery.lane == int(Lane.SEQUENCE))
        found = session.scalars(sent.order_by(Delivery.id)).all()
        if found:
            email = chance.choice(found)
            link = tracking.link_ids(session, ["https://example.org/"])["https://example.org/"]
            tracking.record_clicks(session, [Seen(email.id, email.subscriber_id, link, clock.now(), robot=False)])
            world.note("  pressed in", email.reason)


def somebody_downloads_a_gift(world: World, chance: random.Random) -> None:
    """If there is one; the download itself is tested elsewhere."""
    with transaction() as session:
        occasions.happened(session, chance.choice(world.readers), Happened.MAGNET, "a-gift", clock.now())


def an_email_is_called_off_or_hurried(world: World, chance: random.Random) -> None:
    """By an operator, while it waits."""
    with transaction() as session:
        waiting = select(Delivery.id).where(Delivery.state.in_(WAITING), Delivery.lane != int(Lane.TRANSACTIONAL))
        found = session.scalars(waiting.order_by(Delivery.id)).all()
        if found and chance.random() < 0.5:
            ledger.cancel(session, found[0], "Called off by hand.", clock.now())
        elif found:
            ledger.send_now(session, found[0], clock.now())
            ledger.note(session, found[:1], EventKind.HURRIED, clock.now(), "")
        world.note("  of", list(found))


HAPPENINGS: tuple[Callable[[World, random.Random], None], ...] = (
    someone_joins,
    someone_joins,
    everybody_joins,
    everybody_joins,
    an_email_to_many_is_queued,
    an_email_to_many_is_queued,
    an_email_to_many_is_queued,
    a_series_is_edited,
    a_series_is_edited,
    something_is_paused,
    something_goes_on,
    something_goes_on,
    somebody_moves_house,
    somebody_tells_their_birthday,
    somebody_leaves,
    somebody_gets_a_tag,
    somebody_gets_a_tag,
    somebody_loses_a_tag,
    somebody_presses_a_link,
    somebody_downloads_a_gift,
    an_email_is_called_off_or_hurried,
)
