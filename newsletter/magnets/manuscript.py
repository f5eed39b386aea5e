"""What the press is given: a sheet as a document, and what its pages are made of."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from newsletter.magnets.sheet import Imprint, Sheet

ROOT = Path(__file__).resolve().parent.parent.parent
STYLE = ROOT / "static" / "css" / "press.css"
PRESS = Path(__file__).with_name("press.py")


def short(address: str) -> str:
    """An address as it is printed: without the scheme that nobody types."""
    parts = urlsplit(address)
    return f"{parts.netloc}{parts.path}".rstrip("/")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    loader = FileSystemLoader(ROOT / "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["short"] = short
    return environment


def html(sheet: Sheet, imprint: Imprint) -> str:
    """The sheet as a document with pictures by name."""
    return _environment().get_template("magnets/sheet.html").render(sheet=sheet, studio=imprint)


def source_hash(sheet: Sheet, imprint: Imprint) -> str:
    """What a page is made of, as 64 hexadecimal digits: its words, the style, and all the code that draws it."""
    parts = [html(sheet, imprint), imprint.video, _machinery()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@lru_cache(maxsize=1)
def _machinery() -> str:
    # The drawings' code stands for the drawings: making them all takes seconds, and this is asked every minute.
    files = [STYLE, PRESS, Path(__file__), *sorted((ROOT / "newsletter" / "figures").rglob("*.py"))]
    parts = [version("weasyprint"), *(file.read_text(encoding="utf-8") for file in files)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
