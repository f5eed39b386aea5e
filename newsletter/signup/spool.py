"""Sign-ups that came while the database could not be written to: kept as files, taken in as soon as it can."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from newsletter.addresses import Address
from newsletter.signup.actions import Press


@dataclass(frozen=True)
class Kept:
    """One kept press: the file it is in, the form's slug, and when it was pressed."""

    file: Path
    form: str
    press: Press
    at: datetime


def keep(folder: Path, form: str, press: Press, at: datetime) -> None:
    """Write a press down, whole or not at all: the file gets its name only when its content is on the disk."""
    folder.mkdir(mode=0o700, exist_ok=True)
    name = folder / f"{at:%Y%m%dT%H%M%S}-{secrets.token_hex(6)}"
    with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump({"form": form, "at": at.isoformat(), "press": asdict(press)}, file)
        file.flush()
        os.fsync(file.fileno())
    name.rename(name.with_suffix(".json"))


def kept(folder: Path) -> Iterator[Kept]:
    """Every kept press, oldest first."""
    for file in sorted(folder.glob("*.json")):
        read = json.loads(file.read_text(encoding="utf-8"))
        fields = read["press"]
        press = Press(**fields | {"address": Address(**fields["address"])})
        yield Kept(file, read["form"], press, datetime.fromisoformat(read["at"]))
