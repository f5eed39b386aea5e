"""Nonsense in a setting refuses to start, naming the setting, the value and what it takes; secrets are never shown."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from newsletter.errors import SettingError
from newsletter.settings import SETTINGS, Settings, Smtp, load
from tests.conftest import SECRET

NONSENSE = {
    "HOST": ["not a host", "-", "a..b", "http://localhost", "exa_mple!", "host\n", "x" * 254, "localhost:80"],
    "PORT": ["eighty", "-1", "65536", "80.5", "0x50", "٨٠٠٠", "9" * 5000, " 80"],
    "BASE_URL": [
        "example.org", "ftp://example.org", "https://", "https://example.org?x=1", "https://example.org/#top", "http://[",
        "https://example.org:port", "https://example.org:0", "https://user:word@example.org", "https://exa mple.org",
        "https://example.org/\r\nX: y", "javascript:alert(1)",
    ],
    "DATABASE_URL": [
        "mysql://u:hush@h/x", "sqlite://", "sqlite:///", "sqlite:////no/such/folder/at/all/supple.db", "sqlite:////tmp",
        "postgresql://", "postgresql://h:port/x", "postgresql:///x", "supple.db", "postgresql://[/x",
    ],
    "QUEUE_URL": ["amqp://u:hush@h", "redis://", "sqlite://", "redis://h:hush", "postgresql://", "queue.db"],
    "SECRET_KEY": ["short", "x" * 31],
    "SMTP_URL": [
        "smtp.example.org:25", "http://example.org", "smtp://", "smtp://h:port", "smtp://h?starttls=maybe", "smtp://[",
        "smtp://u:hush@h?startls=require", "smtp://u:hush@h?auth=ntlm",
        "smtps://h?starttls=require", "smtp://h/folder", "smtp://h:0", "smtp://h:70000",
    ],
    "MAIL_FROM": [
        "nonsense", "Alice <alice>", "a@b@c.example.org", "<>", "Alice <alice@example.org>\nBcc: charlie@example.org",
        "alice@localhost", "Müller <müller@example.org>",
    ],
    "METRICS_TOKEN": ["short", "x" * 15, "sixteen letters or more", "a-token-with-ümläuts", "a-token-on-two\nlines"],
    "WORKERS": ["65", "two", "-1"],
    "TRUSTED_PROXIES": ["6", "yes", "-1", "1.5"],
}  # fmt: skip
HIDDEN = {"SECRET_KEY", "METRICS_TOKEN", "SMTP_URL", "DATABASE_URL", "QUEUE_URL"}


def settings(tmp_path: Path, **given: str) -> Settings:
    return load({"DATA_DIR": str(tmp_path), "SECRET_KEY": SECRET} | given)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in NONSENSE.items() for value in values])
def test_nonsense_is_refused_by_name_value_and_what_it_takes(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError) as refused:
        settings(tmp_path, **{name: value})
    said = str(refused.value)
    assert said.startswith(f"{name} is ")
    assert SETTINGS[name][0] in said
    if name in HIDDEN:
        assert len(value) < 15 or value not in said
        assert "hush" not in said
    else:
        assert repr(value) in said


def test_a_data_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="DATA_DIR is"):
        settings(tmp_path, DATA_DIR=str(tmp_path / "file"))
    with pytest.raises(SettingError, match="DATA_DIR is"):
        settings(tmp_path, DATA_DIR=str(tmp_path / "file" / "below"))


def test_every_setting_is_tried_with_nonsense() -> None:
    assert set(SETTINGS) == set(NONSENSE) | {"DATA_DIR", "POSTAL_ADDRESS"}


def test_without_any_setting_there_is_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = load({})
    assert made.data_dir == tmp_path / "var"
    assert made.database_url == f"sqlite:///{tmp_path}/var/supple.db"
    assert made.queue_url == f"sqlite:///{tmp_path}/var/queue.db"
    assert (made.host, made.port, made.base_url) == ("127.0.0.1", 8000, "http://127.0.0.1:8000")
    assert made.smtp is None
    assert (made.mail_from_name, made.mail_from) == ("", "studio@example.org")
    assert made.is_local


def test_an_empty_setting_is_an_unset_one(tmp_path: Path) -> None:
    emptied = load(dict.fromkeys(SETTINGS, "") | {"DATA_DIR": str(tmp_path), "SECRET_KEY": SECRET})
    assert emptied == settings(tmp_path)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("smtp://mail.example.org", Smtp("mail.example.org", 25, "", "", False, "auto")),
        ("smtp://bob:p%40ss@mail.example.org", Smtp("mail.example.org", 587, "bob", "p@ss", False, "auto")),
        ("smtps://bob:pass@mail.example.org", Smtp("mail.example.org", 465, "bob", "pass", True, "never")),
        ("smtps://mail.example.org?starttls=auto", Smtp("mail.example.org", 465, "", "", True, "never")),
        ("smtp://bob:token@h?auth=xoauth2", Smtp("h", 587, "bob", "token", False, "auto", "xoauth2")),
        ("smtp://127.0.0.1:2525?starttls=never", Smtp("127.0.0.1", 2525, "", "", False, "never")),
        ("smtp://[::1]:2525?starttls=require", Smtp("::1", 2525, "", "", False, "require")),
    ],
)
def test_smtp_urls(given: str, wanted: Smtp, tmp_path: Path) -> None:
    assert settings(tmp_path, SMTP_URL=given).smtp == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("postgres://bob:x@db.example.org/s", "postgresql+psycopg://bob:x@db.example.org/s"),
        ("postgresql://db.example.org:5433/s", "postgresql+psycopg://db.example.org:5433/s"),
        ("postgresql:///s?host=/run/postgresql", "postgresql+psycopg:///s?host=/run/postgresql"),
        ("postgresql://bob:@/s?host=/run/postgresql", "postgresql+psycopg://bob:@/s?host=/run/postgresql"),
    ],
)
def test_postgres_urls_get_their_driver_and_the_queue_stands_beside(given: str, wanted: str, tmp_path: Path) -> None:
    made = settings(tmp_path, DATABASE_URL=given)
    assert made.database_url == wanted
    assert made.queue_url == wanted


def test_a_relative_database_is_found_from_where_the_program_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings(tmp_path, DATABASE_URL="sqlite:///mine.db").database_url == f"sqlite:///{tmp_path}/mine.db"


def test_an_ipv6_host_makes_a_base_url_that_works(tmp_path: Path) -> None:
    assert settings(tmp_path, HOST="::1").base_url == "http://[::1]:8000"
    assert settings(tmp_path, HOST="::1").is_local


def test_a_base_url_loses_its_last_slash_and_is_not_local(tmp_path: Path) -> None:
    made = settings(tmp_path, BASE_URL="https://letters.example.org/studio/")
    assert made.base_url == "https://letters.example.org/studio"
    assert not made.is_local


def test_the_secret_key_is_made_once_and_kept_for_its_owner_only(tmp_path: Path) -> None:
    first = load({"DATA_DIR": str(tmp_path)})
    assert len(first.secret_key) >= 32
    assert load({"DATA_DIR": str(tmp_path)}).secret_key == first.secret_key
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


@pytest.mark.parametrize("left", ["", "half"])
def test_half_a_key_is_refused_instead_of_used(left: str, tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text(left)
    with pytest.raises(SettingError, match="not whole"):
        load({"DATA_DIR": str(tmp_path)})


def test_eight_processes_at_once_make_one_key(tmp_path: Path) -> None:
    code = (
        "import sys; from newsletter import settings; print('ready', flush=True); sys.stdin.readline();"
        f"print(settings.load({{'DATA_DIR': {str(tmp_path)!r}}}).secret_key)"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    assert len({racer.communicate(timeout=20)[0] for racer in racers}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_nobody_else_on_the_machine_looks_into_a_new_data_folder(tmp_path: Path) -> None:
    load({"DATA_DIR": str(tmp_path / "var")})
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700
