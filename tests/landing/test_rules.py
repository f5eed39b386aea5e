"""What a comment, a page and a video may be."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.landing import rules
from newsletter.landing.rules import Clip, CommentCheck, VideoKind

SITE = "https://letters.example.org"


def elsewhere(url: str, host: str) -> Clip:
    return Clip(VideoKind.ELSEWHERE, url, host)


def said(name: str = "Alice", email: str = "alice@example.org", text: str = "Lovely.") -> CommentCheck:
    return rules.check_comment(name, email, text)


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        (said(), set()),
        (said(name="  Alice \t Berg "), set()),
        (said(name="Ägnès O’Brien"), set()),
        (said(name="x" * 80), set()),
        (said(name="x" * 81), {"name"}),
        (said(name=" \u200b "), {"name"}),
        (said(name="\u200d"), {"name"}),
        (said(text="Good for 👩‍🦰"), set()),
        (said(name="Charlie https://pills.example"), {"name"}),
        (said(email=""), {"email"}),
        (said(email="alice"), {"email"}),
        (said(email="alice@exam ple.org"), {"email"}),
        (said(text=""), {"text"}),
        (said(text=" \n\u200b\n "), {"text"}),
        (said(text="x" * 4000), set()),
        (said(text="x" * 4001), {"text"}),
        (said(text="See https://a.example and http://b.example"), set()),
        (said(text="https://a.example https://b.example https://c.example"), {"text"}),
        (said(text="[url=x]a[/url] WWW.b.example <a href=c>"), {"text"}),
        (said(name="", email="", text=""), {"name", "email", "text"}),
    ],
)
def test_a_comment_says_what_is_wrong_with_each_field(typed: CommentCheck, wrong: set[str]) -> None:
    assert set(typed.problems) == wrong


def test_a_comment_is_tidied() -> None:
    assert said(text="می‌خواهم 👩‍🦰").text == "می‌خواهم 👩‍🦰"
    typed = said("  Alice \n Berg ", " Alice@Example.ORG ", "One\r\n\r\n\r\n\r\nTwo\u202e\x00 ")
    assert (typed.name, typed.text) == ("Alice Berg", "One\n\nTwo")
    assert typed.email_key == "alice@example.org"


@given(st.text(max_size=200), st.text(max_size=500))
def test_no_control_character_is_ever_kept(name: str, text: str) -> None:
    typed = said(name, text=text)
    controls = {c for c in typed.name + typed.text if unicodedata.category(c) == "Cc"}
    assert controls <= {"\n", "\t"}
    assert "\n" not in typed.name
    assert "\u202e" not in typed.name + typed.text


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("", Clip(VideoKind.NONE)),
        ("/static/moves.mp4", Clip(VideoKind.FILE, "/static/moves.mp4")),
        (f"{SITE}/media/moves.WEBM", Clip(VideoKind.FILE, f"{SITE}/media/moves.WEBM")),
        (
            "https://elsewhere.example/a.mp4",
            elsewhere("https://elsewhere.example/a.mp4", "elsewhere.example"),
        ),
        ("https://elsewhere.example/watch?v=1", elsewhere("https://elsewhere.example/watch?v=1", "elsewhere.example")),
        (f"{SITE}.evil.example/a.mp4", elsewhere(f"{SITE}.evil.example/a.mp4", "letters.example.org.evil.example")),
        ("javascript:alert(1)", Clip(VideoKind.NONE)),
        ("data:text/html,x", Clip(VideoKind.NONE)),
        ("//evil.example/a.mp4", Clip(VideoKind.NONE)),
        ("/\\evil.example/a.mp4", Clip(VideoKind.NONE)),
        ("https://[broken", Clip(VideoKind.NONE)),
        ("https:///nowhere", Clip(VideoKind.NONE)),
        ("https://a.example/\x00", Clip(VideoKind.NONE)),
        ("https://a.example/" + "x" * 500, Clip(VideoKind.NONE)),
    ],
)  # fmt: skip
def test_a_video_is_played_here_linked_or_refused(url: str, found: Clip) -> None:
    assert rules.clip(url, SITE) == found


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, set()),
        ({"slug": "Tight Back"}, {"slug"}),
        ({"slug": "-x"}, {"slug"}),
        ({"slug": "a--b"}, {"slug"}),
        ({"slug": "../admin"}, {"slug"}),
        ({"slug": "x" * 81}, {"slug"}),
        ({"title": ""}, {"title"}),
        ({"title": "x" * 201}, {"title"}),
        ({"summary": ""}, {"summary"}),
        ({"summary": "x" * 301}, {"summary"}),
        ({"video_url": "javascript:alert(1)"}, {"video_url"}),
        ({"body": ""}, {"body"}),
    ],
)
def test_a_page_says_what_is_wrong_with_each_field(change: dict[str, str], wrong: set[str]) -> None:
    good = {"slug": "tight-back", "title": "T", "summary": "S", "video_url": "", "body": "B"}
    assert set(rules.check_page(**(good | change))) == wrong


@pytest.mark.parametrize(("words", "minutes"), [(0, 1), (238, 1), (700, 3), (2380, 10)])
def test_reading_time(words: int, minutes: int) -> None:
    assert rules.reading_minutes(words) == minutes
