"""A strict reader of Prometheus's text format 0.0.4, written from its description and not from what we write."""

from __future__ import annotations

import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|NaN|[+-]?Inf")
KINDS = {"counter", "gauge", "histogram", "summary", "untyped"}

Sample = tuple[str, tuple[tuple[str, str], ...]]


def read(text: str) -> tuple[dict[Sample, float], dict[str, str]]:
    """The samples by name and labels, and each metric's kind; raises ValueError where the format is broken."""
    if text and not text.endswith("\n"):
        raise ValueError("the last line has no line feed")
    samples: dict[Sample, float] = {}
    kinds: dict[str, str] = {}
    helped: set[str] = set()
    closed: set[str] = set()  # lines of one metric stand together
    current = ""
    for line in text.split("\n")[:-1]:
        if line.startswith("#"):
            word, name, rest = _comment(line)
            if word == "HELP":
                _once(name, helped)
            elif word == "TYPE":
                if rest not in KINDS or name in kinds or any(key[0] == name for key in samples):
                    raise ValueError(f"bad TYPE: {line!r}")
                kinds[name] = rest
        else:
            name, labels, value = _sample(line)
            if (name, labels) in samples:
                raise ValueError(f"twice: {line!r}")
            samples[name, labels] = value
        if name != current:
            if name in closed:
                raise ValueError(f"the lines of {name} are apart")
            closed.add(current)
            current = name
    return samples, kinds


def _once(name: str, seen: set[str]) -> None:
    if name in seen:
        raise ValueError(f"a second HELP for {name}")
    seen.add(name)


def _comment(line: str) -> tuple[str, str, str]:
    parts = line.split(" ", 3)
    if len(parts) < 4 or parts[0] != "#" or parts[1] not in {"HELP", "TYPE"} or not NAME.fullmatch(parts[2]):
        raise ValueError(f"bad comment: {line!r}")
    if re.search(r"\\(?![\\n])", parts[3].replace("\\\\", "")):
        raise ValueError(f"bad escape: {line!r}")
    return parts[1], parts[2], parts[3]


def _sample(line: str) -> tuple[str, tuple[tuple[str, str], ...], float]:
    found = NAME.match(line)
    if not found:
        raise ValueError(f"no name: {line!r}")
    rest, labels = line[found.end() :], []
    if rest.startswith("{"):
        rest = rest[1:]
        while not rest.startswith("}"):
            label = LABEL.match(rest)
            if not label or rest[label.end() : label.end() + 2] != '="':
                raise ValueError(f"bad label: {line!r}")
            value, rest = _quoted(rest[label.end() + 2 :], line)
            labels.append((label[0], value))
            if rest.startswith(","):
                rest = rest[1:]
            elif not rest.startswith("}"):
                raise ValueError(f"bad labels: {line!r}")
        rest = rest[1:]
    if len({label for label, _ in labels}) < len(labels) or not re.fullmatch(r" \S+( -?\d+)?", rest):
        raise ValueError(f"bad sample: {line!r}")
    number = rest.split(" ")[1]
    if not NUMBER.fullmatch(number):
        raise ValueError(f"no number: {line!r}")
    return found[0], tuple(sorted(labels)), float(number)


def _quoted(text: str, line: str) -> tuple[str, str]:
    value, at = "", 0
    while at < len(text):
        if text[at] == '"':
            return value, text[at + 1 :]
        if text[at] == "\\":
            at += 1
            if text[at : at + 1] not in {"\\", '"', "n"}:
                raise ValueError(f"bad escape: {line!r}")
            value += "\n" if text[at] == "n" else text[at]
        else:
            value += text[at]
        at += 1
    raise ValueError(f"a quote without an end: {line!r}")
