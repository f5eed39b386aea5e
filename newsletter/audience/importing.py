"""Bringing in a file of people: read as a stream, checked row by row, written in chunks."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO
from itertools import chain, islice
from pathlib import Path

from sqlalchemy.orm import Session

from newsletter import addresses, tokens
from newsletter.audience import queries, rules
from newsletter.audience.writing import Errand, Row, write_people
from newsletter.errors import InputError

# So many rows are one transaction: on SQLite a sign-up waits for a tenth of a second at most, not for the whole file.
CHUNK = 500
MOST_FIELDS = 50
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # what some spreadsheets call "Unicode text"


@dataclass
class ImportResult:
    """What became of the file's rows; `refused` holds line and reason, `reachable` the ids of who may get marketing."""

    added: int = 0
    updated: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    reachable: list[int] = field(default_factory=list)


def import_csv(
    session: Session,
    source: str | Iterable[str],
    *,
    tag: str = "",
    attest: str = "",
    secret: str,
    now: datetime,
) -> ImportResult:
    """Import a whole file in one transaction; `flask import` takes its chunks one by one instead, with `take`.

    Nobody gets a confirmation or a gift by it (semantics 3.19). Raises InputError when the file has no people in it.
    """
    result, errand = ImportResult(), Errand(secret, now, tag, attest)
    for chunk in chunks(source):
        take(session, chunk, errand, result)
    return result


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a file in UTF-8 (with or without its mark) or UTF-16; raises InputError when it is neither."""
    with path.open("rb") as raw:
        encoding = _MARKS.get(raw.read(2), "utf-8-sig")
    with path.open(encoding=encoding, newline="") as file:
        try:
            yield from file
        except UnicodeError as problem:
            raise InputError(
                "The file is not written in UTF-8.",
                means="Its names would come out garbled.",
                remedy="Save it from your spreadsheet as “CSV UTF-8”.",
            ) from problem


def chunks(source: str | Iterable[str]) -> Iterator[list[Row | tuple[int, str]]]:
    """The file's rows, `CHUNK` at a time: people, or line and reason of those that cannot be taken as written."""
    rows = _rows(StringIO(source, newline="") if isinstance(source, str) else source)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def take(session: Session, chunk: list[Row | tuple[int, str]], errand: Errand, result: ImportResult) -> None:
    """Write one chunk and count it into `result`; nobody who left, bounced, complained or was erased comes back."""
    people = [row for row in chunk if isinstance(row, Row)]
    result.refused += [row for row in chunk if not isinstance(row, Row)]
    known = queries.by_keys(session, [row.address.key for row in people])
    prints = {row.address.key: tokens.fingerprint(errand.secret, row.address.key) for row in people}
    closed = queries.suppressed(session, prints.values())
    welcome: list[Row] = []
    for row in people:
        person = known.get(row.address.key)
        why = rules.why_not_imported(person.status if person else None, closed.get(prints[row.address.key]))
        if why:
            result.refused.append((row.line, why))
        else:
            welcome.append(row)
    new = [row for row in welcome if row.address.key not in known]
    result.added += len(new)
    result.updated += len(welcome) - len(new)
    ids = write_people(session, welcome, known, errand)
    result.reachable += queries.reachable_among(session, ids)


def _rows(lines: Iterable[str]) -> Iterator[Row | tuple[int, str]]:
    waiting = iter(lines)
    heading = next(waiting, "").removeprefix("\ufeff")
    reader = csv.reader(chain([heading], waiting), delimiter=rules.delimiter(heading))
    seen: dict[int, int] = {}  # by hash: a million addresses themselves would be a hundred megabytes
    try:
        names = _columns(next(reader, []))
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _once(_row(reader.line_num, names, cells), seen)
    except csv.Error as problem:
        raise InputError(
            f"Line {reader.line_num} of the file cannot be read: {problem}.",
            means="The rows above it were taken, if they are counted here.",
            remedy="Look for a quotation mark that is never closed.",
        ) from problem


def _columns(headings: list[str]) -> list[str]:
    names = [rules.column_name(heading) for heading in headings]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if "email" not in names:
        raise InputError(
            "The file has no column called email.", remedy="Its first line names the columns: email,first_name,tags"
        )
    if twice:
        raise InputError(f"Two columns of the file are called {twice[0]}.", remedy="Rename or delete one of them.")
    if len(names) > MOST_FIELDS:
        raise InputError(f"The file has {len(names)} columns.", remedy=f"At most {MOST_FIELDS} are taken.")
    return names


def _row(line: int, names: list[str], cells: list[str]) -> Row | tuple[int, str]:
    if len(cells) > len(names):
        return line, f"This row has {len(cells)} columns, the first line names {len(names)}."
    values = dict(zip(names, cells, strict=False))
    said = rules.why_not_by_its_own_words(values.pop("status", ""), values.pop("marketing", ""))
    if said:
        return line, said
    try:
        address = addresses.parse(values.pop("email", ""))
    except InputError as problem:
        return line, problem.happened
    zone = values.pop("timezone", "").strip()
    if zone and not rules.is_zone(zone):
        return line, f"There is no time zone {zone[:60]!r}; they are called like Europe/Berlin."
    first, last = (rules.tidy_name(values.pop(name, "")) for name in ("first_name", "last_name"))
    tags = tuple(rules.split_tags(values.pop("tags", "")))
    fields = {
        name: kept
        for name, value in values.items()
        if name and name not in rules.NOT_FIELDS and (kept := rules.tidy_field(value))
    }
    return Row(line, address, first, last, zone, tags, fields)


def _once(row: Row | tuple[int, str], seen: dict[int, int]) -> Row | tuple[int, str]:
    if not isinstance(row, Row):
        return row
    earlier = seen.setdefault(hash(row.address.key), row.line)
    return row if earlier == row.line else (row.line, f"The same address as in line {earlier}.")
