"""A series as a folder of text files, and back."""

from __future__ import annotations

import re
from datetime import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import SourceError, SuppleError
from newsletter.sequences import filediff, files, wording
from newsletter.sequences.drafts import Draft, DraftStep
from newsletter.sequences.files import Folder
from newsletter.sequences.rules import CountsFrom, Timing, Unit

SHIPPED = Path(__file__).resolve().parent.parent.parent / "emails"
ABOUT = "name: A series\n"
EMAIL = "---\nkey: hello\nsubject: Hello\n---\nHello.\n"

ASKED = [
    {"tag": "vip"},
    {"tag": "client: gold, 2", "not": True},
    {"clicked": "any"},
    {"clicked": "hello", "not": True},
    {"downloaded": "stretch-series"},
    {"field": "city", "is": "equals", "value": "Berlin #1"},
    {"field": "city", "is": "set", "value": ""},
    {"field": "age", "is": "not", "value": "012"},
    {"field": "likes", "is": "contains", "value": "true"},
]
words = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" :#'\"{}[]%-—ü🧘"), max_size=60)
one_line = words.map(lambda text: " ".join(text.split()))
names = one_line.filter(bool)
keys = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True).filter(lambda key: key not in {"end", "next", "any"})
moments = st.times().map(lambda moment: time(moment.hour, moment.minute))
windows = st.none() | st.tuples(moments, moments).filter(lambda pair: pair[0] != pair[1])
timings = st.builds(
    Timing,
    amount=st.integers(0, 3650),
    unit=st.sampled_from(Unit),
    counts_from=st.sampled_from(CountsFrom),
    window=windows,
    weekdays=st.integers(1, 127),
)
tags = st.lists(names, min_size=1, max_size=3)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("C",), include_characters="\n"), max_size=300)
sources = st.builds(wording.write, names.filter(lambda text: "{" not in text), one_line, texts.filter(str.strip))
triggers = st.one_of(
    st.builds(
        lambda kind, what, on: {"kind": kind, "what": what, "config": {}, "enabled": on},
        st.sampled_from(["form", "magnet", "tag"]),
        keys,
        st.booleans(),
    ),
    st.builds(
        lambda what, yearly, days, at: {
            "kind": "date",
            "what": what,
            "config": {"yearly": yearly, "days": days, "at": f"{at:%H:%M}"},
            "enabled": True,
        },
        st.sampled_from(["birthday", "start_date"]),
        st.booleans(),
        st.integers(-366, 366),
        moments,
    ),
)


@st.composite
def steps(draw: st.DrawFn) -> tuple[DraftStep, ...]:
    """Steps of every kind, each question leading only forward."""
    chosen = draw(st.lists(keys, min_size=1, max_size=7, unique=True))
    made = []
    for at, key in enumerate(chosen):
        kind = draw(st.sampled_from(["email", "email", "wait", "condition", "tag", "move", "end"]))
        config: dict[str, Any] = {}
        if kind == "condition":
            jumps = st.sampled_from(["", "end", *chosen[at + 1 :]])
            config = {"if": draw(st.sampled_from(ASKED)), "then": draw(jumps), "else": draw(jumps)}
        elif kind == "tag":
            config = {"add": draw(tags), "remove": draw(st.just([]) | tags)}
        elif kind == "move":
            config = {"to": "another-series"}
        source = draw(sources) if kind == "email" else ""
        made.append(DraftStep(-1 - at, key, kind, draw(timings), config, source))
    return tuple(made)


folders = st.builds(
    Folder,
    st.builds(
        Draft,
        slug=st.just("a-series"),
        name=names.filter(lambda name: len(name) <= 120),
        description=texts.map(str.strip),
        steps=steps(),
        min_gap_hours=st.integers(0, 720),
        evergreen=st.booleans(),
        reentry=st.sampled_from(["never", "completed", "always"]),
        cooldown_days=st.integers(0, 3650),
        entry=st.just({}) | st.sampled_from([one for one in ASKED if "clicked" not in one]),
        goal=st.just({}) | st.sampled_from(ASKED),
        exits=st.lists(
            st.builds(lambda how, tag: {how: tag}, st.sampled_from(["tagged", "untagged"]), names), max_size=2
        ).map(tuple),
    ),
    st.lists(triggers, max_size=3).map(files.in_order),
)


@given(folders)
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_read_again_without_loss_and_written_the_same(folder: Folder) -> None:
    written = files.write(folder, "a-series")
    again = files.read("a-series", written)
    assert again == folder
    assert filediff.changes(folder, again) == []
    assert files.write(again, "a-series") == written


def test_the_shipped_series_is_written_as_pull_writes_it() -> None:
    for folder in (place.parent for place in SHIPPED.glob("*/series.yaml")):
        there = {path.name: path.read_text() for path in folder.iterdir()}
        assert files.write(files.read(folder.name, there), folder.name) == there


def test_every_kind_of_step_reads_like_this() -> None:
    read = files.read(
        "tour",
        {
            "series.yaml": (
                "name: Tour\ngap: 24 hours\nevergreen: true\nreentry: completed\ncooldown: 90 days\n"
                "entry: {downloaded: any}\ngoal: {tag: client}\nexits:\n  - {tagged: paused}\n  - {untagged: trial}\n"
                "triggers:\n  - {form: stretches}\n  - {date: birthday, days: -3, at: '09:30'}\n"
            ),
            "01-hello.md": EMAIL.replace("subject: Hello", "subject: Hello\ndelay: 1 day\ndays: mon-fri"),
            "02-rest.yaml": "key: rest\nkind: wait\ndelay: 24 hours\n",
            "03-keen.yaml": "key: keen\nkind: condition\nif: {clicked: hello, not: yes}\nthen: stop\nelse: next\n",
            "04-mark.yaml": "key: mark\nkind: tag\nadd: warm\nremove: [cold, new]\n",
            "05-on.yaml": "key: on\nkind: move\nto: another\n",
            "06-stop.yaml": "key: stop\nkind: end\n",
            "README.md": "not a step",
        },
    )
    draft = read.draft
    assert (draft.min_gap_hours, draft.evergreen, draft.reentry, draft.cooldown_days) == (24, True, "completed", 90)
    assert draft.entry == {"downloaded": "any"}
    assert (draft.goal, draft.exits) == ({"tag": "client"}, ({"tagged": "paused"}, {"untagged": "trial"}))
    assert [(step.key, step.kind, step.config) for step in draft.living] == [
        ("hello", "email", {}),
        ("rest", "wait", {}),
        ("keen", "condition", {"if": {"clicked": "hello", "not": True}, "then": "stop", "else": ""}),
        ("mark", "tag", {"add": ["warm"], "remove": ["cold", "new"]}),
        ("on", "move", {"to": "another"}),
        ("stop", "end", {}),
    ]
    assert draft.living[0].timing == Timing(1, Unit.DAYS, weekdays=0b11111)
    assert draft.living[1].timing == Timing(24, Unit.HOURS)
    assert [(one["kind"], one["what"], one["config"]) for one in read.triggers] == [
        ("date", "birthday", {"yearly": True, "days": -3, "at": "09:30"}),
        ("form", "stretches", {}),
    ]


def laughs(field: str) -> str:
    """A value whose aliases stand for nine million words."""
    rows = [f"  - &{name} [{', '.join([f'*{was}'] * 9)}]" for was, name in pairwise("abcdefgh")]
    return "\n".join([f"{field}:", "  - &a [ha]", *rows])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("series.yaml", f"name: A\n{laughs('exits')}", "series.yaml cannot be read: aliases"),
        ("02-x.yaml", f"key: x\nkind: wait\n{laughs('days')}", "02-x.yaml cannot be read: aliases"),
        ("02-x.yaml", f"kind: wait\n{laughs('key')}", "02-x.yaml cannot be read: aliases"),
        ("02-x.md", EMAIL.replace("key: hello", laughs("days")), "02-x.md, line 4: the front matter is not YAML (ali"),
        ("series.yaml", f"name: A\nexits: {'[' * 3000}", "series.yaml cannot be read: it is nested too deeply"),
        (
            "02-x.yaml",
            f"key: x\nkind: wait\ndays: {'{a: ' * 3000}",
            "02-x.yaml cannot be read: it is nested too deeply",
        ),
        ("02-x.md", EMAIL.replace("key: hello", f"key: {'[' * 3000}"), "02-x.md, line 2: the front matter is not YAML"),
        ("02-x.yaml", f"key: x\nkind: wait\n#{'x' * 200_000}", "02-x.yaml is 200,019 characters long"),
        ("02-x.yaml", "key: [x]\nkind: wait", "02-x.yaml: the field key is not a line of text"),
        ("02-x.yaml", "key: x\nkind: {wait: wait}", "02-x.yaml: the field kind is not a line of text"),
        ("02-x.yaml", "key: x\nkind: wait\ndelay: [1 day]", "02-x.yaml: the field delay is not a line of text"),
        ("02-x.yaml", "key: x\nkind: wait\ndays: [[mon], tue]", "02-x.yaml: the field days is not a line of text"),
        ("02-x.yaml", 'key: x\nkind: wait\ndelay: "\\UFFFFFFFF"', "02-x.yaml cannot be read"),
    ],
)
def test_a_file_that_grows_or_nests_without_end_is_refused_in_a_few_words(name: str, text: str, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        files.read("a-series", {"series.yaml": ABOUT, "01-hello.md": EMAIL, name: text})
    assert said in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("series.yaml", "gap: 20 hours", "no name"),
        ("series.yaml", "name: A\ngap: long", "the gap “long”"),
        ("series.yaml", "name: A\ncolour: red", "the field colour"),
        ("series.yaml", "name: A\nevergreen: perhaps", "evergreen"),
        ("series.yaml", "name: A\nreentry: often", "“often”"),
        ("series.yaml", "name: A\ngoal: {tag: a, clicked: b}", "the goal"),
        ("series.yaml", "name: A\nentry: {clicked: any}", "series.yaml: the entry: .*cannot hang on a click"),
        ("series.yaml", "name: A\nentry: vip", "the entry is not understood"),
        ("series.yaml", "name: A\nexits: {tagged: a}", "not a list"),
        ("series.yaml", "name: A\nexits: [{tagged: ''}]", "the exit"),
        ("series.yaml", "name: A\ntriggers: [{dog: barks}]", "the trigger"),
        ("series.yaml", "name: A\ntriggers: [{date: birthday, at: noon}]", "at noon"),
        ("series.yaml", "name: [", "cannot be read"),
        ("01-hello.md", EMAIL.replace("key: hello", "key: Hello!"), "01-hello.md: the field key"),
        ("01-hello.md", EMAIL.replace("key: hello", "key: end"), "01-hello.md: the field key"),
        ("01-hello.md", EMAIL.replace("key: hello", "key: hello\nif: x"), "the field if"),
        ("01-hello.md", EMAIL.replace("key: hello", "key: hello\nwindow: 9-9"), "01-hello.md: The window"),
        ("02-x.md", EMAIL, "same key"),
        ("02-x.yaml", "key: x", "no kind of step"),
        ("02-x.yaml", "key: x\nkind: email", "no kind of step"),
        ("02-x.yaml", "- x", "holds no fields"),
        ("02-x.yaml", "key: x\nkind: wait\nadd: a", "the field add"),
        ("02-x.yaml", "key: x\nkind: condition", "the field if"),
        ("02-x.yaml", "key: x\nkind: condition\nif: {tag: a}\nthen: hello", "lead back"),
        ("02-x.yaml", "key: x\nkind: condition\nif: {tag: a}\nthen: nowhere", "nowhere"),
        ("02-x.yaml", "key: x\nkind: tag", "no tag"),
        ("02-x.yaml", "key: x\nkind: tag\nadd: [[a]]", "not a list of tags"),
        ("02-x.yaml", "key: x\nkind: move", "where to"),
        ("02-x.yaml", "key: x\nkind: move\nto: a-series", "itself"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(name: str, text: str, said: str) -> None:
    with pytest.raises(SuppleError, match=said):
        files.read("a-series", {"series.yaml": ABOUT, "01-hello.md": EMAIL, name: text})


def test_a_folder_of_another_name_says_which_series_it_holds() -> None:
    folder = files.read("a-series", {"series.yaml": ABOUT, "01-hello.md": EMAIL})
    written = files.write(folder, "elsewhere")
    assert written["series.yaml"].startswith("series: a-series\n")
    assert files.read("elsewhere", written) == folder


def test_the_difference_is_said_in_words() -> None:
    before = files.read("a-series", {"series.yaml": ABOUT, "01-hello.md": EMAIL})
    after = files.read(
        "a-series",
        {
            "series.yaml": ABOUT + "triggers: [{tag: client}, {date: birthday, yearly: no, days: 2, enabled: no}]\n",
            "01-hello.md": EMAIL.replace("Hello.", "Good morning."),
            "02-rest.yaml": "key: rest\nkind: wait\ndelay: 2 days",
        },
    )
    said = "\n".join(filediff.changes(before, after))
    assert "the wait after email 1" in said
    assert "New words for email 1 “Hello”" in said
    assert "Begins when somebody gets the tag “client”" in said
    assert "Begins 2 days after “birthday”, once, at 9:00 on their clock" in said
    assert list(filediff.reworded(before.draft, after.draft)) == [("hello", ["-Hello.", "+Good morning."])]
    assert "Begins no more when somebody gets the tag “client”" in filediff.changes(after, before)


def test_what_the_document_shows_can_be_read() -> None:
    text = (SHIPPED.parent / "docs" / "series.md").read_text()
    about, hello, pressed = re.findall(r"```(?:yaml|markdown)\n(.*?)```", text, re.DOTALL)
    more = EMAIL.replace("key: hello", "key: more")
    read = files.read(
        "back-course", {"series.yaml": about, "01-hello.md": hello, "02-pressed.yaml": pressed, "03-more.md": more}
    )
    assert [step.key for step in read.draft.living] == ["hello", "pressed", "more"]
    assert (read.draft.entry, read.draft.goal) == ({"tag": "trial"}, {"tag": "client"})
    assert (len(read.draft.exits), len(read.triggers)) == (2, 4)
    assert read.triggers[0]["config"] == {"yearly": False, "days": -3, "at": "07:30"}
    start, end = pressed.index("if:"), pressed.index("then:")
    conditions = re.findall(r"`(\{(?:tag|clicked|downloaded|field): [^`]*\})`", text)
    assert len(conditions) >= 6
    for condition in conditions:
        asked = f"{pressed[:start]}if: {condition}\n{pressed[end:]}"
        assert files.read_step("02-pressed.yaml", asked).config["if"]
