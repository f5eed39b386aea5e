"""Front matter and body, and what is said when they cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.errors import SourceError
from newsletter.messages.source import load, parse

GOOD = "---\nkey: check-in\nsubject: How was it?\npreheader: One question\nwindow: 07:00\ndays: [mon, tue]\n---\n\nHi\n"


def test_fields_stay_the_text_they_were_written_as() -> None:
    source = parse(GOOD)
    assert (source.subject, source.preheader, source.body) == ("How was it?", "One question", "\nHi\n")
    assert source.meta == {"key": "check-in", "window": "07:00", "days": ["mon", "tue"]}
    assert (source.subject_line, source.body_line) == (3, 8)


def test_windows_line_ends_and_a_byte_order_mark_are_no_trouble() -> None:
    assert parse("\ufeff" + GOOD.replace("\n", "\r\n")) == parse(GOOD)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("no front matter", "line 1"),
        ("---\npreheader: x\n---\nbody", "subject"),
        ("---\nsubject: ''\n---\nbody", "line 2: the field subject"),
        ("---\nsubject: a\nsubject: b\n---\nbody", "line 3: the field subject is given twice"),
        ("---\nsubject: a: b\n---\nbody", "line 2"),
        ("---\nsubject: [a, b]\n---\nbody", "line 2: the field subject"),
        ("---\nsubject: a\nmeta:\n  deep: {x: y}\n---\nbody", "line 3: the field meta"),
        ("---\n- a\n---\nbody", "no fields"),
        (f"---\nsubject: {'x' * 151}\n---\nbody", "151 characters"),
        ("---\nsubject: &a hello\npreheader: *a\n---\nbody", "line 3: the front matter is not YAML (aliases"),
        (f"---\nsubject: {'[' * 3000}\n---\nbody", "line 2: the front matter is not YAML (it is nested too deeply"),
        ("---\nsubject: {a: {b: {c: {d: {e: {f: {g: {h: {i: {j: k}}}}}}}}}}\n---\nbody", "nested too deeply"),
        ("---\nsubject: a\n? [key]\n: x\n---\nbody", "line 3: a field has no name"),
        ('---\nsubject: "\\U00110000"\n---\nbody', "not YAML"),
        ('---\nsubject: "\\UFFFFFFFF"\n---\nbody', "not YAML"),
        ("---\nsubject: a\n---\nbody\nwith \x00 inside", "line 5"),
        ("---\nsubject: a\n---\n" + "x" * 200_000, "characters long"),
    ],
)
def test_an_error_names_the_line_and_the_field(text: str, named: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse(text)
    assert named in str(caught.value)
    assert caught.value.remedy


def test_a_file_that_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "old.md"
    path.write_bytes("---\nsubject: Grüße\n---\n".encode("latin-1"))
    with pytest.raises(SourceError, match=r"old\.md cannot be read"):
        load(path)
    with pytest.raises(SourceError, match=r"none\.md cannot be read"):
        load(tmp_path / "none.md")
