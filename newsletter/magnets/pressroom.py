"""The room where the press stands: a process of its own, so that a worker that sends neither waits nor grows with it.

A press takes seconds of a whole core and 100 MB. The order goes in and the pages come out as JSON, over files in
memory: on a full disk the press must still be able to say so.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from newsletter.errors import MagnetError
from newsletter.magnets.manuscript import ROOT
from newsletter.magnets.rules import Paper
from newsletter.magnets.sheet import Imprint, Sheet, parse

COMMAND = (sys.executable, "-m", "newsletter.magnets.press")
# The shipped sheet takes 5 seconds on a desktop; a small computer with other work takes ten times that.
LONGEST = 180.0  # seconds
LOOK = 0.1  # seconds between two looks at the press


@dataclass(frozen=True)
class Printed:
    """A finished page: the PDF and a PNG of it."""

    pdf: bytes
    preview: bytes


Pages = dict[Paper, Printed]


def printed(sheet: Sheet, imprint: Imprint, stopping: Callable[[], bool], longest: float = LONGEST) -> Pages:
    """The sheet on every paper, none when `stopping` said so before it was done.

    Raises MagnetError when it cannot be printed or took longer than `longest` seconds, OSError on a full disk.
    """
    with _memory() as order, _memory() as answer:
        order.write(json.dumps({"sheet": sheet.as_dict(), "imprint": asdict(imprint)}).encode())
        order.seek(0)
        command = [*COMMAND, str(os.getpid())]
        with subprocess.Popen(command, stdin=order, stdout=answer, env=_environ()) as process:  # noqa: S603
            try:
                ended = _ended(process, stopping, longest)
            finally:
                process.kill()  # does nothing to one that has ended
        if not ended:
            return {}
        if process.returncode:
            raise _broke(f"The press ended by itself (exit code {process.returncode}).")
        answer.seek(0)
        return _read(json.loads(answer.read()))


def _environ() -> dict[str, str]:
    # `flask --app` finds this program from any folder; so does its press.
    places = (str(ROOT), os.environ.get("PYTHONPATH", ""))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Whether this is the only press of this computer's workers during the block; `folder` is the one they share.

    All of them find the same gift unpressed when they start, and one press takes what a whole worker takes.
    """
    lock = os.open(folder, os.O_RDONLY)  # a lock on the folder itself leaves no file behind
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)


def _memory() -> IO[bytes]:
    return os.fdopen(os.memfd_create("press"), "w+b", buffering=0)


def _ended(process: subprocess.Popen[bytes], stopping: Callable[[], bool], longest: float) -> bool:
    until = time.monotonic() + longest
    while process.poll() is None:
        if stopping():
            return False
        if time.monotonic() > until:
            raise _broke(f"The press was not done after {longest:.0f} seconds.")
        time.sleep(LOOK)
    return True


def _broke(what: str) -> MagnetError:
    means = "The computer may be too busy, or too short of memory."
    return MagnetError(what, means=means, remedy="It is tried again every 15 minutes; the log may say more.")


def _read(answer: Mapping[str, Mapping[str, str] | list[str]]) -> Pages:
    """The pages of an answer; raises what the press raised."""
    if refused := answer.get("refused"):
        happened, means, remedy = refused
        raise MagnetError(happened, means=means, remedy=remedy)
    if disk := answer.get("disk"):
        raise OSError(0, "".join(disk))
    pages = {Paper(paper): page for paper, page in answer.items() if isinstance(page, Mapping)}
    return {paper: Printed(b64decode(page["pdf"]), b64decode(page["preview"])) for paper, page in pages.items()}


def told(raw: bytes) -> tuple[Sheet, Imprint]:
    """The press's side: what it was ordered to print; raises MagnetError for a sheet that cannot be read."""
    order = json.loads(raw)
    return parse(order["sheet"]), Imprint(**order["imprint"])


def answered(pages: Pages) -> bytes:
    """The press's side: the pages as they are handed back."""
    encoded = {
        paper: {"pdf": b64encode(page.pdf).decode(), "preview": b64encode(page.preview).decode()}
        for paper, page in pages.items()
    }
    return json.dumps(encoded).encode()


def apologised(problem: MagnetError | OSError) -> bytes:
    """The press's side: why there are no pages."""
    if isinstance(problem, MagnetError):
        return json.dumps({"refused": [problem.happened, problem.means, problem.remedy]}).encode()
    return json.dumps({"disk": problem.strerror or str(problem)}).encode()
