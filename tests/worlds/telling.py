"""The words in which `scenes` are told: a small series, a trigger, somebody joins, time passes."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from newsletter import clock
from newsletter.database.engine import transaction
from newsletter.sequences import actions, entering, models
from tests.worlds.world import TEXTS, World

Row = dict[str, Any]


def email(amount: int = 0, unit: str = "days", **more: Any) -> Row:
    """A step that sends."""
    return {"kind": "email", "source": TEXTS[0], "delay_amount": amount, "delay_unit": unit} | more


def other(kind: str, amount: int = 0, **config: Any) -> Row:
    """A step that sends nothing, so many days after the one before it."""
    return {"kind": kind, "source": "", "delay_amount": amount, "config": config}


def a_series(world: World, *steps: Row, **settings: Any) -> int:
    """A small one, whose steps are s0, s1 and so on."""
    with clock.standing_at(world.now), transaction() as session:
        slug = f"scene-{len(world.series)}"
        series = models.Sequence(slug=slug, name=slug, created_at=clock.now(), **({"min_gap_hours": 0} | settings))
        session.add(series)
        session.flush()
        for at, step in enumerate(steps):
            row = models.Step(**({"config": {}} | step), sequence_id=series.id, key=f"s{at}", position=at + 1)
            session.add(row)
        world.note(slug, settings, *steps)
        session.flush()
        world.series.append(series.id)
        return series.id


def slug_of(world: World, number: int) -> str:
    """What `a_series` called it."""
    return f"scene-{world.series.index(number)}"


def join(world: World, number: int, reader: int) -> None:
    """Now, by a form."""
    with clock.standing_at(world.now), transaction() as session:
        world.note(f"{world.now:%Y-%m-%d %H:%M:%S}", "reader", reader, "joins", number)
        actions.enroll(session, number, reader, "form:1", clock.now())


def later(world: World, **more: float) -> None:
    """Let time pass."""
    world.now += timedelta(**more)


def who(world: World, chance: random.Random) -> int:
    """Any reader."""
    return chance.choice(world.readers)


def opens(world: World, number: int, kind: str, what: str, *, works: bool = True, **config: Any) -> None:
    """A trigger for a series."""
    with clock.standing_at(world.now), transaction() as session:
        entering.add(session, number, kind, what, config, clock.now()).enabled = works
        world.note("trigger", number, kind, what, works, config)
