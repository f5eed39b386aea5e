"""Every email that ships: compiles, renders for a full and for a bare reader, and is fit to send."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from newsletter.figures.exercises import EXERCISES
from newsletter.messages.compiling import compile_message, images_used
from newsletter.messages.layouts import EMAILS
from newsletter.messages.mime import Envelope, build
from newsletter.messages.source import load

from .conftest import LINKS, STUDIO, picture
from .test_compiling import Tree

Context = dict[str, object]

SERIES = sorted((EMAILS / "core-series").glob("*.md"))
SYSTEM = sorted((EMAILS / "system").glob("*.md"))
DELAY = re.compile(r"\d+ (days?|hours?)")


def _links(path: Path) -> dict[str, str]:
    wanted = {"confirm": {"confirm"}, "reminder": {"confirm"}}.get(
        path.stem, {"download", "unsubscribe", "preferences"}
    )
    return {name: LINKS[name] for name in wanted}


@pytest.mark.parametrize("path", [*SYSTEM, *SERIES], ids=lambda path: path.stem)
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_it_is_fit_to_send(path: Path, who: str, request: pytest.FixtureRequest) -> None:
    reader = {**request.getfixturevalue(who), "links": _links(path)}
    rendered = compile_message(load(path), STUDIO, image=picture, marketing=path in SERIES).render(reader)
    assert 10 <= len(rendered.subject) <= 78
    assert 20 <= len(rendered.preheader) <= 110
    assert "None" not in rendered.subject + rendered.html + rendered.text
    greeting = ("Hello Alice,", "Hello there,", "Hello,")
    assert any(f"\n{words}\n" in rendered.text for words in greeting)
    tree = Tree(rendered.html)
    for image in tree.all("img"):
        assert image["alt"]
        assert image["width"].isdigit()
        assert image["height"].isdigit()
    assert all(attributes["href"].startswith(("https://studio.example", "mailto:")) for attributes in tree.all("a"))
    envelope = Envelope(
        "<1@studio.example>", datetime(2026, 3, 1, tzinfo=UTC), ("", "a@b.example"), ("", "c@d.example")
    )
    content = build(rendered, envelope)
    assert len(content) < 100_000
    assert not any(part.defects for part in message_from_bytes(content, policy=policy.default).walk())


@pytest.mark.parametrize("path", [*SYSTEM, *SERIES], ids=lambda path: path.stem)
def test_it_is_typeset_and_not_twice_encoded(path: Path) -> None:
    text = re.sub(r"\{[{%].*?[%}]\}", "", path.read_text(encoding="utf-8"))
    assert not re.search(r"[âÃ\x80-\x9f]|\w'\w", text)


@pytest.mark.parametrize("path", [*SYSTEM, *SERIES], ids=lambda path: path.stem)
def test_its_pictures_exist(path: Path) -> None:
    assert {source.removeprefix("figure:") for source in images_used(load(path))} <= EXERCISES.keys()


def test_the_series_is_six_emails_or_more_over_three_weeks() -> None:
    steps = [load(path).meta for path in SERIES]
    assert len(steps) >= 6
    assert len({step["key"] for step in steps}) == len(steps)
    assert all(DELAY.fullmatch(str(step["delay"])) for step in steps)
    assert sum(int(str(step["delay"]).split()[0]) for step in steps) == 21


@pytest.mark.parametrize("path", [path for path in SERIES if len(images_used(load(path))) > 0], ids=lambda p: p.stem)
def test_exercises_come_with_a_dose_and_a_caution(path: Path) -> None:
    body = load(path).body
    assert "Stop if it hurts" in body or "still hurts" in body
    if path.stem not in {"01-check-in", "07-what-next"}:
        assert body.count("**How much:**") == len(images_used(load(path)))


@pytest.mark.parametrize("name", ["confirm", "reminder"])
def test_1_3_the_confirmation_carries_no_file_and_no_marketing(name: str, alice: Context) -> None:
    path = EMAILS / "system" / f"{name}.md"
    rendered = compile_message(load(path), STUDIO, image=picture, marketing=False).render(alice)
    tree = Tree(rendered.html)
    assert {attributes["href"] for attributes in tree.all("a")} == {LINKS["confirm"]}
    assert not tree.all("img")
    assert "leave this email alone" in rendered.text.lower()


@pytest.mark.parametrize("name", ["confirm", "reminder"])
def test_a_form_without_a_gift_has_its_own_words(name: str, bob: Context) -> None:
    path = EMAILS / "system" / f"{name}.md"
    rendered = compile_message(load(path), STUDIO, image=picture, marketing=False).render({**bob, "magnet": None})
    assert "PDF" not in rendered.subject + rendered.text
