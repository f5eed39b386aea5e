"""What a reader of the documents is told is there: settings, commands, files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask

from newsletter.settings import SETTINGS
from tests.house import ROOT

README = ROOT / "README.md"


def documents() -> list[Path]:
    return [README, *sorted((ROOT / "docs").glob("**/*.md"))]


def words() -> str:
    return "\n".join(path.read_text() for path in documents())


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in README.read_text() or re.search(rf"`{name}[`=]", words())


def test_no_document_names_a_setting_that_is_not_read() -> None:
    named = set(re.findall(r"`([A-Z]+_(?:URL|DIR|KEY|FROM|ADDRESS|PROXIES|TOKEN))[`=]", words()))
    assert named <= set(SETTINGS)


def test_every_link_and_picture_leads_somewhere() -> None:
    lost = []
    for path in documents():
        for target in re.findall(r"\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"", path.read_text()):
            link = (target[0] or target[1]).partition("#")[0]
            if link and not re.match(r"[a-z]+:", link) and not (path.parent / link).exists():
                lost.append(f"{path.relative_to(ROOT)}: {link}")
    assert lost == []


def test_every_make_target_that_is_named_exists() -> None:
    named = set(re.findall(r"`make ([a-z-]+)`", words()))
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named >= {"run", "test"}
    assert named <= made


def test_every_command_that_the_readme_names_exists(sqlite_app: Flask) -> None:
    named = set(re.findall(r"`(?:\.venv/bin/)?flask ([a-z-]+)", README.read_text()))
    assert named
    assert named <= set(sqlite_app.cli.commands) | {"db"}
