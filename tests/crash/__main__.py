"""`python -m tests.crash --kills N`: the storm as long as wanted, for `make bench`; 1 when a promise broke."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask_migrate import upgrade
from rich.console import Console
from rich.table import Table

from newsletter.application import create_app
from tests.conftest import environment
from tests.crash.postgres import OwnPostgres
from tests.crash.storm import Tally, let_go, storm

DATABASES = ("sqlite", "postgresql")


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'supple.db'}"
    else:
        with OwnPostgres() as server:
            yield server.url


def run(kind: str, kills: int, seed: int) -> Tally:
    """One storm on a database of that kind, in a folder of its own."""
    with tempfile.TemporaryDirectory() as name, _database(kind, Path(name)) as url:
        app = create_app(environment(Path(name), DATABASE_URL=url))
        with app.app_context():
            upgrade()
            tally = storm(app, Path(name), kills=kills, seed=seed)
            let_go(app)
    return tally


def table(tallies: dict[str, Tally]) -> Table:
    """What happened, a column for each database."""
    made = Table("", *tallies, title="Killed at random moments")
    for words, value in (
        ("seed", lambda tally: tally.seed),
        ("seconds", lambda tally: f"{tally.seconds:.0f}"),
        ("kills (worker, web, mail server)", lambda tally: [tally.killed[who] for who in ("worker", "web", "peer")]),
        ("of these at a chosen moment around an email", lambda tally: tally.at_a_stage),
        ("while planning, and while claiming", lambda tally: [tally.planning, tally.claiming]),
        ("emails", lambda tally: tally.emails),
        ("lost, or doubled without being listed", lambda tally: len(tally.violations)),
        ("listed as uncertain on the way", lambda tally: tally.uncertain),
        ("of these received twice", lambda tally: tally.came_twice),
        (
            "uncertain after one crash, at most (bound)",
            lambda tally: f"{max(tally.uncertain_at_once, default=0)} ({tally.bound})",
        ),
    ):
        made.add_row(words, *(str(value(tally)) for tally in tallies.values()))
    return made


def main() -> int:
    """Run the storms and print; 1 when a promise broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash")
    parser.add_argument("--kills", type=int, default=400, help="how many, over all databases")
    parser.add_argument("--database", choices=DATABASES, action="append", help="only this one")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    kinds = asked.database or DATABASES
    tallies = {kind: run(kind, asked.kills // len(kinds), asked.seed) for kind in kinds}
    Console().print(table(tallies))
    broken = [f"{kind}, seed {tally.seed}: {words}" for kind, tally in tallies.items() for words in tally.violations]
    for words in broken:
        print(words, file=sys.stderr)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
