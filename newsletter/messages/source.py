"""The file an operator writes: front matter (subject, preheader, timing) and a body in Markdown and Jinja2."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError

from newsletter.errors import SourceError

LONGEST_SOURCE = 200_000  # characters; ten times a long newsletter, and still compiled in a second
LONGEST_SUBJECT = 150  # characters; phones show about 40, mail programs cut at 80 to 130
DEEPEST = 10  # levels of YAML; a series uses four, and three thousand brackets exhaust Python's stack
# What PyYAML raises for what it cannot read; the last two for an escape or a directive with too large a number.
UNREADABLE = (yaml.YAMLError, ValueError, OverflowError)

_FRONT = re.compile(r"\A---[ \t]*\n(?P<front>.*?\n)?---[ \t]*(?:\n|\Z)(?P<body>.*)\Z", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Source:
    """One email as written. `meta` holds the other front matter, always as text; lines count from 1 in the file."""

    subject: str
    preheader: str
    body: str
    meta: Mapping[str, object]
    name: str = "this email"
    subject_line: int = 1
    preheader_line: int = 1
    body_line: int = 1


@dataclass
class _Front:
    values: dict[str, object] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


class PlainLoader(yaml.BaseLoader):
    """Reads texts, lists and mappings, no aliases: three hundred letters of those grow into more than memory holds.

    Raises one of UNREADABLE. Every value stays the text it was written as (no "07:00" turned into the number 420).
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """One value with all that is in it."""
        alias = self.check_event(yaml.AliasEvent)
        if alias or self._depth >= DEEPEST:
            why = "aliases are not taken, write it out" if alias else "it is nested too deeply"
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise ComposerError(None, None, why, mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def load(path: Path | str) -> Source:
    """Read a source file (UTF-8). Raises SourceError when it cannot be read or understood."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise SourceError(f"{path.name} cannot be read: {problem}.", remedy="Save it as UTF-8 text.") from problem
    return parse(text, name=path.name)


def parse(text: str, *, name: str = "this email") -> Source:
    """Take a source apart. Raises SourceError naming the line and the field."""
    if len(text) > LONGEST_SOURCE:
        raise SourceError(f"{name} is {len(text):,} characters long.", remedy=f"At most {LONGEST_SOURCE:,} are taken.")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if match := _CONTROLS.search(text):
        line = text.count("\n", 0, match.start()) + 1
        raise SourceError(f"{name}, line {line}: there is an invisible control character.", remedy="Delete it.")
    parts = _FRONT.match(text)
    if not parts:
        raise SourceError(
            f"{name}, line 1: the front matter is missing.",
            remedy="Begin with a line ---, then subject: and preheader:, then another line ---, then the text.",
        )
    front = _read_front(parts["front"] or "", name)
    subject = _words(front, "subject", name)
    if not subject:
        line = front.lines.get("subject", 1)
        raise SourceError(f"{name}, line {line}: the field subject is missing or empty.", remedy="Give it a subject.")
    return Source(
        subject=subject,
        preheader=_words(front, "preheader", name),
        body=parts["body"],
        meta={key: value for key, value in front.values.items() if key not in {"subject", "preheader"}},
        name=name,
        subject_line=front.lines["subject"],
        preheader_line=front.lines.get("preheader", 1),
        body_line=text.count("\n", 0, parts.start("body")) + 1,
    )


def _words(front: _Front, key: str, name: str) -> str:
    value = front.values.get(key, "")
    line = front.lines.get(key, 1)
    if not isinstance(value, str):
        raise SourceError(f"{name}, line {line}: the field {key} is not a line of text.", remedy="Put it in quotes.")
    words = " ".join(value.split())
    if key == "subject" and len(words) > LONGEST_SUBJECT and "{" not in words:
        raise SourceError(
            f"{name}, line {line}: the field subject has {len(words)} characters.",
            means="Mail programs cut long subjects off.",
            remedy=f"Keep it under {LONGEST_SUBJECT}, best under 60.",
        )
    return words


def _read_front(text: str, name: str) -> _Front:
    front = _Front()
    try:
        root = yaml.compose(text, Loader=PlainLoader)
    except UNREADABLE as problem:
        mark = getattr(problem, "problem_mark", None)
        line = mark.line + 2 if mark else 2
        raise SourceError(
            f"{name}, line {line}: the front matter is not YAML ({getattr(problem, 'problem', problem)}).",
            remedy='Write one "field: value" a line; put a value that holds a colon or begins with a sign in quotes.',
        ) from problem
    if root is None:
        return front
    for key, line, node in _fields(root, name):
        if key in front.values:
            raise SourceError(f"{name}, line {line}: the field {key} is given twice.", remedy="Delete one of them.")
        front.values[key] = _plain(node, name, line, key)
        front.lines[key] = line
    return front


def _fields(root: yaml.Node, name: str) -> Iterator[tuple[str, int, yaml.Node]]:
    if not isinstance(root, yaml.MappingNode):
        raise SourceError(f"{name}, line 2: the front matter has no fields.", remedy='Write one "field: value" a line.')
    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode):
            line = key.start_mark.line + 2
            raise SourceError(f"{name}, line {line}: a field has no name.", remedy='Write one "field: value" a line.')
        yield str(key.value), key.start_mark.line + 2, value


def _plain(node: yaml.Node, name: str, line: int, key: str) -> object:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in node.value):
        return [str(item.value) for item in node.value]
    raise SourceError(
        f"{name}, line {line}: the field {key} is nested too deeply.", remedy="Use one value, or a simple list."
    )
