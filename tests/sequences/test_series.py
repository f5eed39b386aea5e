"""Bringing a folder of files into the database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from sqlalchemy import select

from newsletter.database.engine import db, transaction
from newsletter.errors import SourceError
from newsletter.messages.source import parse
from newsletter.messages.studio import Studio
from newsletter.sequences import files, making, queries, series, wording
from newsletter.sequences.files import Folder
from newsletter.sequences.models import Sequence
from newsletter.sequences.series import load_series
from newsletter.sequences.timing import of_step, say
from tests.sequences.conftest import STEPS, load, sequence, step, write_series
from tests.sequences.test_files import folders

SHIPPED = Path(__file__).resolve().parent.parent.parent / "emails" / "core-series"
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
NUMBERS = count()


def keys(sequence_id: int) -> list[str]:
    db.session.rollback()
    return [row.key for row in queries.steps(db.session(), sequence_id)]


def test_3_1_twice_changes_nothing_and_ids_stay(app: Flask, tmp_path: Path) -> None:
    first = load(tmp_path / "core-series")
    ids = {key: step(first, key).id for key in keys(first)}
    assert load(tmp_path / "core-series") == first
    turned = {"01-last.md": STEPS["03-last.md"], "02-hello.md": STEPS["01-hello.md"], "03-more.md": STEPS["02-more.md"]}
    load(tmp_path / "core-series", turned)
    assert keys(first) == ["last", "hello", "more"]
    assert {key: step(first, key).id for key in keys(first)} == ids


def test_3_1_a_deleted_step_keeps_its_id_and_its_place(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "core-series"
    number = load(folder)
    ids = {key: step(number, key).id for key in keys(number)}
    load(folder, {name: STEPS[name] for name in ("01-hello.md", "03-last.md")})
    assert keys(number) == ["hello", "last"]
    assert [row.key for row in queries.all_steps(db.session(), number)] == ["hello", "more", "last"]
    load(folder)
    assert {key: step(number, key).id for key in keys(number)} == ids, "a file that comes back is the same step"


def test_wording_is_taken_from_the_file_and_timing_into_columns(app: Flask, tmp_path: Path) -> None:
    number = load(tmp_path / "core-series")
    row = step(number, "more")
    assert parse(row.source).subject == "More for {{ subscriber.first_name or 'you' }}"
    assert parse(row.source).meta == {}, "the timing has one home"
    assert say(of_step(row)) == "2 days later, 7:00–9:00, in the reader's zone"


def test_what_cannot_be_loaded_changes_nothing(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "core-series"
    for steps, said in (
        ({}, "no emails"),
        ({"01-a.md": "subject: A"}, "01-a.md: the field key"),
        ({"01-a.md": "key: a\nsubject: A", "02-b.md": "key: a\nsubject: B"}, "same key"),
        ({"01-a.md": "key: a\nsubject: A\ndelay: soon"}, "01-a.md: The delay"),
        ({"01-a.md": "key: a\nsubject: A\ndelai: 2 days"}, "delai"),
        ({"01-a.md": "key: a"}, "subject"),
    ):
        write_series(folder, steps)
        with pytest.raises(SourceError, match=said), transaction() as session:
            load_series(session, folder, NOW)
        assert db.session.scalars(select(Sequence)).all() == []
    (folder / "series.yaml").write_text("- not a name")
    with pytest.raises(SourceError, match="no name"), transaction() as session:
        load_series(session, folder, NOW)
    (folder / "series.yaml").unlink()
    with pytest.raises(SourceError, match="cannot be read"), transaction() as session:
        load_series(session, folder, NOW)


def test_the_shipped_series_loads_and_every_email_can_be_made(sqlite_app: Flask) -> None:
    with transaction() as session:
        number = load_series(session, SHIPPED, NOW).id
    assert sequence(number).slug == "core-series"
    rows = queries.steps(db.session(), number)
    assert len(rows) >= 6
    assert 19 <= sum(row.delay_amount for row in rows) <= 23, "three weeks"
    for row in rows:
        made = wording.compiled(row.source, Studio("Your Studio", postal_address="A street"))
        rendered = made.render({"subscriber": {"first_name": None}, "links": {"unsubscribe": "https://x/u"}})
        assert rendered.subject
        assert rendered.preheader
        assert "https://x/u" in rendered.text


def files_of(slug: str) -> dict[str, str]:
    db.session.rollback()
    return files.write(series.held(db.session(), slug), slug)


@given(folders, folders)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_3_1_whatever_is_brought_in_comes_out_the_same_and_ids_stay(
    sqlite_app: Flask, first: Folder, second: Folder
) -> None:
    """Push and pull without loss, also over what was there before; a push after a pull changes nothing."""
    slug = f"series-{next(NUMBERS)}"
    with transaction() as session:  # those that steps lead to
        if queries.by_slug(session, "another-series") is None:
            making.begin(session, "Another series", "", NOW)
    ids: dict[str, int] = {}
    kinds: dict[str, str] = {}
    for given_folder in (first, second, first):
        steps = [step for step in given_folder.draft.steps if kinds.setdefault(step.key, step.kind) == step.kind]
        if not steps:
            continue
        config = {"then": "", "else": ""}  # a step that is left out here must not be led to
        steps = [replace(one, config={**one.config, **config}) if one.kind == "condition" else one for one in steps]
        wanted = Folder(replace(given_folder.draft, slug=slug, steps=tuple(steps)), given_folder.triggers)
        with transaction() as session:
            number = series.bring_in(session, wanted, NOW).id
        pulled = files_of(slug)
        assert pulled == files.write(wanted, slug)
        version = sequence(number).version
        with transaction() as session:
            series.bring_in(session, files.read(slug, pulled), NOW)
        assert (files_of(slug), sequence(number).version) == (pulled, version)
        found = {row.key: row.id for row in queries.all_steps(db.session(), number)}
        assert ids.items() <= found.items()
        ids = found
