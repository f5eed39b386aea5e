"""One world: made, forecast, lived, compared."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from sqlalchemy import event

from newsletter import clock, worker
from newsletter.application import create_app
from newsletter.database.engine import db
from newsletter.forecast.queries import forecast
from newsletter.forecast.rules import Row
from tests.conftest import environment
from tests.worlds.inventing import invent
from tests.worlds.living import Lived, Seen, live, only_concerned
from tests.worlds.world import World

DAYS = 30
EVERY_JOB = 10  # every so many worlds are lived with all of the worker's jobs
GLANCES = 3


@dataclass
class Proof:
    """What one world showed; `differences` is empty when forecast and life are the same."""

    world: World
    foreseen: list[Seen]
    lived: Lived

    @property
    def differences(self) -> list[str]:
        """Rows that only one of both has, in the order of their minutes."""
        only_foreseen = [(row, "- only foreseen: ") for row in _less(self.foreseen, self.lived.emails)]
        only_lived = [(row, "+ only happened: ") for row in _less(self.lived.emails, self.foreseen)]
        return [f"{sign}{' | '.join(map(str, row))}" for row, sign in sorted(only_foreseen + only_lived, key=str)]

    def __str__(self) -> str:
        """For when it failed: what differs, and how the world came to be."""
        return "\n".join(chain([f"world {self.world.seed}, from {self.world.now}"], self.differences, self.world.diary))


def _less(rows: Sequence[Seen], others: Sequence[Seen]) -> list[Seen]:
    left = list(others)
    return [row for row in rows if row not in left or left.remove(row)]  # type: ignore[func-returns-value]


@contextmanager
def house(folder: Path, template: Path) -> Iterator[Callable[[], None]]:
    """An application on SQLite, without waiting for the disk; what is given empties its database for the next world."""
    database = folder / "supple.db"
    where = f"sqlite:///{database}"
    app = create_app(environment(folder, DATABASE_URL=where, QUEUE_URL=f"sqlite:///{folder / 'queue.db'}"))

    def empty() -> None:
        app.extensions["clicks"].flush()  # its thread would write them into the next world
        db.session.remove()
        db.engine.dispose()
        for end in ("-wal", "-shm"):
            database.with_name(f"{database.name}{end}").unlink(missing_ok=True)
        shutil.copy(template, database)

    usual = gc.get_threshold()
    with app.app_context():
        gc.freeze()  # as a worker that runs on does; looking through what stays took a tenth of a world's time
        gc.set_threshold(worker.GARBAGE, 20, 20)
        # Nothing here has to outlast a power cut.
        event.listen(db.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
        yield empty
        empty()
        db.engine.dispose()
    gc.unfreeze()
    gc.set_threshold(*usual)


def prove(seed: int, days: int = DAYS, look: Callable[[World], None] = lambda _: None) -> Proof:
    """Make the world of that seed in the running application's empty database, forecast it, and live it.

    `look` may look at the world between its making and its living.
    """
    worker.failed.clear()
    with nullcontext() if seed % EVERY_JOB == 0 else only_concerned():
        world = invent(seed)
        look(world)
        rows = foreseen(world, days)
        lived = live(world.now, days, glances=GLANCES, seed=seed)
    return Proof(world, rows, lived)


def foreseen(world: World, days: int) -> list[Seen]:
    """What the forecast says, sorted."""
    db.session.rollback()
    with clock.standing_at(world.now):
        rows = list(forecast(db.session(), world.now, days))
    db.session.rollback()
    world.note("moved in the forecast:", sum(row.moved_from is not None for row in rows))
    return sorted(map(_seen, rows), key=str)


def _seen(row: Row) -> Seen:
    step = row.step if row.step else f"broadcast:{row.broadcast_id}"
    return Seen(f"{row.at:%Y-%m-%d %H:%M}", row.subscriber, row.subject, row.sequence, step)
