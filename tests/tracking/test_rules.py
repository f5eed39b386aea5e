"""Who is a program, which links are counted, and how ids look in an address: tables of cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.tracking import rules

SENT = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
LATER = SENT + timedelta(minutes=3)
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5"
    " Mobile/15E148 Safari/604.1"
)
READERS = [
    PHONE,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/124.0.0.0 Safari/537.36 Edg/124.0.2478.80",
    "Mozilla/5.0 (X11; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0",
    "Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A; wv) AppleWebKit/537.36 Version/4.0 Chrome/125.0 GSA/15.18",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/119.0 Safari/537.36 Avast/119.0",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/118.0 YaBrowser/23.11 Safari/537.36",
    "Opera/9.80 (J2ME/MIDP; Opera Mini/7.1.32052/29.3709; U; en) Presto/2.8.119 Version/11.10",
]
PROGRAMS = [
    "",
    "   ",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 AppleWebKit/534 (KHTML, like Gecko) BingPreview/1.0b",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "WhatsApp/2.23.20.0",
    "TelegramBot (like TwitterBot)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "BarracudaCentral",
    "Mozilla/5.0 (compatible; Mimecast)",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/125.0.0.0 Safari/537.36",
    "Microsoft Office Protocol Discovery",
    "curl/8.5.0",
    "Wget/1.21.4",
    "python-requests/2.31.0",
    "Python/3.11 aiohttp/3.9.1",
    "Go-http-client/2.0",
    "Java/17.0.8",
    "okhttp/4.12.0",
    "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
    "W3C_Validator/1.3",
]


@pytest.mark.parametrize("program", READERS)
def test_browsers_are_readers(program: str) -> None:
    assert not rules.is_robot("GET", {"user-agent": program}, SENT, LATER)


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_that_name_themselves_are_robots(program: str) -> None:
    assert rules.is_robot("GET", {"user-agent": program}, SENT, LATER)
    assert rules.is_robot("GET", {"user-agent": program.upper()}, SENT, LATER)


def test_no_user_agent_at_all_is_a_robot() -> None:
    assert rules.is_robot("GET", {}, SENT, LATER)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PROPFIND"])
def test_whoever_does_not_want_the_page_is_a_robot(method: str) -> None:
    assert rules.is_robot(method, {"user-agent": PHONE}, SENT, LATER)


@pytest.mark.parametrize(
    ("name", "value", "robot"),
    [
        ("sec-purpose", "prefetch", True),
        ("sec-purpose", "prefetch;prerender", True),
        ("purpose", "prefetch", True),
        ("purpose", "Preview", True),
        ("x-purpose", "preview", True),
        ("x-moz", "prefetch", True),
        ("purpose", "", False),
        ("sec-purpose", "navigate", False),
        ("x-other", "prefetch", False),
    ],
)
def test_pages_fetched_ahead_are_not_clicks(name: str, value: str, *, robot: bool) -> None:
    assert rules.is_robot("GET", {"user-agent": PHONE, name: value}, SENT, LATER) is robot


@pytest.mark.parametrize(
    ("seconds", "robot"), [(-2, True), (0, True), (4.9, True), (5, False), (60, False), (864000000, False)]
)
def test_nobody_reads_an_email_before_it_has_arrived(seconds: float, *, robot: bool) -> None:
    assert rules.is_robot("GET", {"user-agent": PHONE}, SENT, SENT + timedelta(seconds=seconds)) is robot


@pytest.mark.parametrize(
    ("headers", "may"),
    [
        ({}, True),
        ({"sec-gpc": "1"}, False),
        ({"sec-gpc": " 1 "}, False),
        ({"sec-gpc": "0"}, True),
        ({"dnt": "1"}, True),
    ],
)
def test_a_browser_that_asks_not_to_be_tracked_is_not_recorded(headers: dict[str, str], *, may: bool) -> None:
    assert rules.may_be_recorded(headers) is may


def at(seconds: float) -> datetime:
    return LATER + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("clicks", "found"),
    [
        ([], set()),
        ([(1, 7, at(0))], set()),
        ([(1, 7, at(0)), (2, 8, at(0.4))], {1, 2}),
        ([(1, 7, at(0)), (2, 8, at(1))], {1, 2}),
        ([(1, 7, at(0)), (2, 8, at(1.01))], set()),
        ([(1, 7, at(0)), (2, 7, at(0.2))], set()),  # a double click on one link
        ([(1, 7, at(0)), (2, 7, at(0.5)), (3, 8, at(0.9))], {1, 2, 3}),
        ([(3, 9, at(1.8)), (1, 7, at(0)), (2, 8, at(0.9))], {1, 2, 3}),  # in any order, and in a chain
        ([(1, 7, at(0)), (2, 8, at(30)), (3, 9, at(30.5))], {2, 3}),
    ],
)
def test_several_links_of_one_email_within_a_second_are_a_programs(
    clicks: list[tuple[int, int, datetime]], found: set[int]
) -> None:
    assert rules.bursts(clicks) == found


@pytest.mark.parametrize(
    ("url", "worth"),
    [
        ("https://example.org/moves?day=3#hips", True),
        ("http://localhost:8000/video", True),
        ("https://bücher.example/ü", True),
        ("mailto:alice@example.org", False),
        ("tel:+4912345", False),
        ("#top", False),
        ("/p/stretches", False),
        ("//example.org/", False),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https:///path", False),
        ("https://name:word@example.org/", False),
        ("https://example.org@other.example/", False),
        ("https://exam ple.org/", False),
        ("https://example.org/\nLocation:", False),
        ("https://example.org\\@other.example/", False),
        ("https://[::1", False),
        ("https://example.org/" + "x" * 1980, True),
        ("https://example.org/" + "x" * 1981, False),
        ("", False),
    ],
)
def test_which_links_are_counted(url: str, *, worth: bool) -> None:
    assert rules.worth_tracking(url) is worth


@given(st.integers(1, rules.LARGEST_ID))
def test_an_id_is_read_as_it_was_written(number: int) -> None:
    assert rules.link_id(rules.base36(number)) == number
    assert int(rules.base36(number), 36) == number


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (1, "1"), (35, "z"), (36, "10"), (2**31 - 1, "zik0zj")])
def test_ids_in_base_36(number: int, text: str) -> None:
    assert rules.base36(number) == text


@pytest.mark.parametrize(
    "text", ["", "0", "01", "-1", "+1", "1_0", " 1", "1\n", "A", "zik0zk", "1000000", "é", "٣", "%31", "1/2"]
)
def test_what_no_link_can_have_is_no_id(text: str) -> None:
    assert rules.link_id(text) is None


@given(st.text(max_size=8))
def test_one_id_is_one_text(text: str) -> None:
    number = rules.link_id(text)
    assert number is None or rules.base36(number) == text


def test_an_address_holds_the_token_and_the_links_number_and_nothing_else() -> None:
    assert rules.address("https://studio.example", "TOKEN", 36) == "https://studio.example/c/TOKEN/10"
    assert rules.address("https://studio.example", "TOKEN", 36) == rules.door("https://studio.example", "TOKEN") + "10"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://example.org/", "example.org"),
        ("https://Example.org/moves/day?three=3#four", "example.org/moves/day"),
        ("https://example.org/" + "x" * 68, "example.org/" + "x" * 68),
        ("https://example.org/" + "x" * 69, "example.org/" + "x" * 67 + "…"),
    ],
)
def test_an_address_as_people_say_it(url: str, said: str) -> None:
    assert rules.short(url) == said


def test_a_digest_tells_addresses_apart() -> None:
    assert len({rules.digest(url) for url in ("https://a.example/", "https://a.example", "https://a.example/ü")}) == 3
    assert len(rules.digest("https://a.example/")) == 32
