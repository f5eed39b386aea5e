"""What a password, a way back and a studio's settings may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.accounts import rules, settings_form
from newsletter.accounts.queries import default_studio

ALICE = "alice@example.org"


@pytest.mark.parametrize("password", ["short", "123456789", "1234567890", "Password123", "aaaaaaaaaaaa", "x" * 201])
def test_weak_passwords_are_refused(password: str) -> None:
    assert rules.password_problem(password, ALICE)


def test_the_own_address_is_no_password() -> None:
    assert rules.password_problem("Alice@Example.org", ALICE)
    assert rules.password_problem("alexandrina", "alexandrina@example.org")


@pytest.mark.parametrize("password", ["warm mat at seven", "Ü" + "bung macht mich froh", "kqzv8w1m0d"])
def test_good_passwords_are_taken(password: str) -> None:
    assert rules.password_problem(password, ALICE) == ""


@pytest.mark.parametrize("asked", ["/admin/", "/admin", "/admin/subscribers?q=a%25b&page=2"])
def test_a_way_back_into_the_back_office_is_kept(asked: str) -> None:
    assert rules.own_path(asked, "/else") == asked


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "https://evil.example/admin/",
        "//evil.example/admin/",
        "/\\evil.example/admin/",
        "\\\\evil.example",
        "/\t/evil.example",
        "\n//evil.example",
        " /admin/",
        "javascript:alert(1)",
        "/administrator",
        "/",
        "admin/",
        "http:/admin/",
    ],
)
def test_any_other_way_back_is_not(asked: str) -> None:
    assert rules.own_path(asked, "/else") == "/else"


@given(st.text(max_size=60))
def test_a_way_back_never_leaves_the_site(asked: str) -> None:
    found = rules.own_path(asked, "/else")
    assert found == "/else" or (found.startswith("/admin") and "\\" not in found)


@pytest.mark.parametrize("link", ["", "https://video.example.org/watch?v=1", "http://example.org"])
def test_web_links_are_taken(link: str) -> None:
    assert rules.web_link_problem(link) == ""


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://example.org",
        "https://",
        "example.org",
        "https://a b.org",
        "https://[",
        "https://example.org/" + "a" * 500,
    ],
)
def test_other_links_are_not(link: str) -> None:
    assert rules.web_link_problem(link)


def form(**changed: str) -> dict[str, str]:
    studio = default_studio()
    kept = {name: str(getattr(studio, name)) for name in settings_form.WORDS}
    return kept | {"reminder": "yes"} | changed


def test_the_defaults_are_settings_that_can_be_saved() -> None:
    reading = settings_form.read(form())
    assert reading.problems == {}
    assert reading.values["download_days"] == 365
    assert reading.values["reminder"] is True


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", "   "),
        ("name", "x" * 121),
        ("sender_name", "Alice\r\nBcc: bob@example.org"),
        ("sender_name", "Alice\x00"),
        ("accent", "red"),
        ("accent", "#FFEEDD"),
        ("accent", "#12345"),
        ("video_url", "javascript:alert(1)"),
        ("timezone", "Europe/Atlantis"),
        ("timezone", ""),
        ("timezone", "../etc/passwd"),
        ("download_days", "0"),
        ("download_days", "-5"),
        ("download_days", "3651"),
        ("download_days", "٣٦"),
        ("purge_days", "soon"),
        ("purge_days", "366"),
        ("postal_address", "x" * 501),
        ("signature", "x\x07"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(field: str, typed: str) -> None:
    reading = settings_form.read(form(**{field: typed}))
    assert list(reading.problems) == [field]
    assert field not in reading.values or field == "name"


def test_lines_of_an_address_are_kept_as_lines() -> None:
    reading = settings_form.read(form(postal_address="Mill Lane 3\r\n12345 Town\r\n"))
    assert reading.values["postal_address"] == "Mill Lane 3\n12345 Town"


def test_a_box_that_is_not_ticked_is_not_sent_and_means_no() -> None:
    typed = form()
    del typed["reminder"]
    assert settings_form.read(typed).values["reminder"] is False
