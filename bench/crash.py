"""The crash storm of the test suite, longer: kill -9 at random moments, judged by what the mail server received."""

from __future__ import annotations

import subprocess
import sys
import time

from bench.place import ROOT
from bench.sizes import Sizes
from bench.table import Line

LONGEST = 3600.0  # seconds for one database


def measure(sizes: Sizes) -> list[Line]:
    """On each database, three workers each."""
    return [_storm(sizes.kills, database) for database in sizes.storms]


def _storm(kills: int, database: str) -> Line:
    command = [sys.executable, "-m", "tests.crash", "--kills", str(kills), "--database", database]
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST)
    said = "\n".join(line for line in (done.stdout or done.stderr).splitlines() if line.strip())
    work = f"{kills:,} kills at random moments, {database}, {time.monotonic() - start:,.0f} s"
    return Line(work, said[-1500:], goal="none missing, none doubled unlisted", met=done.returncode == 0)
