"""The press as a process of its own: bounded, gone with its worker, and one at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.errors import MagnetError
from newsletter.magnets import pressroom, sheet
from newsletter.magnets.pressroom import Printed
from newsletter.magnets.rules import Paper
from tests.magnets.conftest import IMPRINT, Pages

ROOT = Path(__file__).resolve().parent.parent.parent
STARTS = "from newsletter.magnets import pressroom, sheet; from tests.magnets.conftest import IMPRINT; "


def never() -> bool:
    return False


def instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let another program stand where the press stands."""
    monkeypatch.setattr(pressroom, "COMMAND", (sys.executable, "-c", program))


def children() -> set[int]:
    return {int(word) for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def soon(what: Callable[[], bool]) -> bool:
    until = time.monotonic() + 120  # on a busy machine a worker takes its time to begin
    while not what() and time.monotonic() < until:
        time.sleep(0.05)
    return what()


def test_the_pages_are_those_of_the_press(pages: Pages) -> None:
    printed = pressroom.printed(sheet.starter(), IMPRINT, never)
    assert printed == {paper: Printed(page.pdf, page.preview) for paper, page in pages.items()}


def test_pages_and_apologies_come_through_unchanged() -> None:
    pages = {Paper.A4: Printed(bytes(range(256)), b""), Paper.LETTER: Printed(b"\r\n", b"\0")}
    assert pressroom._read(json.loads(pressroom.answered(pages))) == pages
    refused = MagnetError("It did not go.", means="It is too long.", remedy="Shorten it.")
    with pytest.raises(MagnetError, match=r"It did not go\. It is too long\. Shorten it\."):
        pressroom._read(json.loads(pressroom.apologised(refused)))
    with pytest.raises(OSError, match="No space left on device"):
        pressroom._read(json.loads(pressroom.apologised(OSError(28, "No space left on device"))))


def test_one_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "import time; time.sleep(60)")
    before = children()
    with pytest.raises(MagnetError, match="not done after 1 seconds"):
        pressroom.printed(sheet.starter(), IMPRINT, never, longest=1)
    assert children() == before


def test_one_that_dies_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(MagnetError, match=r"ended by itself \(exit code -9\)"):
        pressroom.printed(sheet.starter(), IMPRINT, never)


def test_a_worker_that_is_asked_to_stop_stops_its_press(monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "import time; time.sleep(60)")
    before, began = children(), time.monotonic()
    assert pressroom.printed(sheet.starter(), IMPRINT, lambda: time.monotonic() > began + 0.5) == {}
    assert time.monotonic() < began + 5
    assert children() == before


def test_a_worker_that_is_killed_takes_its_press_along() -> None:
    program = STARTS + "pressroom.printed(sheet.starter(), IMPRINT, lambda: False)"
    worker = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    family = Path(f"/proc/{worker.pid}/task/{worker.pid}/children")
    try:
        assert soon(lambda: family.read_text() != "")
        press = int(family.read_text())
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert soon(lambda: not Path(f"/proc/{press}").exists())


def test_one_press_at_a_time_on_one_computer(tmp_path: Path) -> None:
    with pressroom.alone(tmp_path) as first, pressroom.alone(tmp_path) as second:
        assert (first, second) == (True, False)
    with pressroom.alone(tmp_path) as after:
        assert after


def test_a_worker_imports_nothing_that_presses() -> None:
    """What lays out and draws takes 35 MB, which every worker would carry for a page that is made once a month."""
    program = "import sys; import newsletter.worker; print(*{'weasyprint', 'pypdfium2'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == ""
