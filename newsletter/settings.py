"""Settings: read once from the environment, checked at the door, each with its own help."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit

from flask import current_app

from newsletter import addresses
from newsletter.errors import InputError, SettingError

# What each setting is, takes, and is when unset: the README's table and the refusals are made of these words.
SETTINGS: dict[str, tuple[str, str]] = {
    "HOST": ("the address to listen on", "127.0.0.1"),
    "PORT": ("the port to listen on, 0 to 65535", "8000"),
    "BASE_URL": ("how readers reach the site, for example https://letters.example.org", "http://HOST:PORT"),
    "DATA_DIR": ("the folder that holds the database, the queue and the secret key", "./var"),
    "DATABASE_URL": ("sqlite:///path or postgresql://user:password@host/name", "SQLite in DATA_DIR"),
    "QUEUE_URL": ("sqlite:///path, postgresql://… or redis://…", "the database's own kind"),
    "SECRET_KEY": ("at least 32 characters that nobody else knows", "made once and kept in DATA_DIR"),
    "SMTP_URL": (
        "smtp://user:password@host:port or smtps://…, with ?starttls=never|auto|require",
        "the built-in mailbox at /mailbox",
    ),
    "MAIL_FROM": ("the sender, for example Your Studio <hello@example.org>", "Your Studio <studio@example.org>"),
    "POSTAL_ADDRESS": ("the postal address under every email, as the law asks", "set it in the back office"),
    "TRUSTED_PROXIES": ("how many proxies in front set X-Forwarded-For, 0 to 5", "0"),
}


@dataclass(frozen=True)
class Smtp:
    """Where mail is handed over, as SMTP_URL says."""

    host: str
    port: int
    username: str
    password: str
    implicit_tls: bool
    starttls: str


@dataclass(frozen=True)
class Settings:
    """One installation's settings, checked."""

    host: str
    port: int
    base_url: str
    data_dir: Path
    database_url: str
    queue_url: str
    secret_key: str
    smtp: Smtp | None
    mail_from_name: str
    mail_from: str
    postal_address: str
    trusted_proxies: int

    @property
    def is_local(self) -> bool:
        """Whether readers reach this site only from the machine it runs on."""
        return urlsplit(self.base_url).hostname in {"localhost", "127.0.0.1", "::1"}


def current() -> Settings:
    """The settings of the running application."""
    return cast(Settings, current_app.extensions["settings"])


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check every setting; raises SettingError naming the setting, the value and what it takes."""
    host = environ.get("HOST") or "127.0.0.1"
    port = _number(environ, "PORT", 8000, 65535)
    data_dir = _folder(environ.get("DATA_DIR") or "./var")
    database_url = _database_url(environ.get("DATABASE_URL") or f"sqlite:///{data_dir / 'supple.db'}")
    name, sender = _sender(environ.get("MAIL_FROM") or "Your Studio <studio@example.org>")
    return Settings(
        host=host,
        port=port,
        base_url=_base_url(environ.get("BASE_URL") or f"http://{host}:{port}"),
        data_dir=data_dir,
        database_url=database_url,
        queue_url=_queue_url(environ.get("QUEUE_URL") or _queue_beside(database_url, data_dir)),
        secret_key=_secret(environ.get("SECRET_KEY"), data_dir),
        smtp=_smtp(environ["SMTP_URL"]) if environ.get("SMTP_URL") else None,
        mail_from_name=name,
        mail_from=sender,
        postal_address=environ.get("POSTAL_ADDRESS", "").strip(),
        trusted_proxies=_number(environ, "TRUSTED_PROXIES", 0, 5),
    )


def _refuse(name: str, value: str) -> SettingError:
    shown = "a value (not shown, it is secret)" if name in {"SECRET_KEY", "SMTP_URL", "DATABASE_URL"} else repr(value)
    return SettingError(f"{name} is {shown}.", means="That is not usable.", remedy=f"It takes {SETTINGS[name][0]}.")


def _number(environ: Mapping[str, str], name: str, default: int, most: int) -> int:
    value = environ.get(name) or str(default)
    if not value.isascii() or not value.isdigit() or int(value) > most:
        raise _refuse(name, value)
    return int(value)


def _folder(value: str) -> Path:
    folder = Path(value).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise SettingError(
            f"DATA_DIR is {value!r}.", means=f"The folder cannot be made ({problem.strerror}).", remedy="Name another."
        ) from problem
    return folder


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    try:
        parts.port  # noqa: B018 - reading it is what raises ValueError on a port that is no number
    except ValueError:
        raise _refuse("BASE_URL", value) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise _refuse("BASE_URL", value)
    return value.rstrip("/")


def _database_url(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if scheme in {"postgres", "postgresql", "postgresql+psycopg"} and rest:
        return f"postgresql+psycopg://{rest}"
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return value
    raise _refuse("DATABASE_URL", value)


def _queue_beside(database_url: str, data_dir: Path) -> str:
    if database_url.startswith("sqlite"):
        return f"sqlite:///{data_dir / 'queue.db'}"
    return database_url


def _queue_url(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if scheme not in {"sqlite", "postgresql", "postgresql+psycopg", "redis", "rediss"} or not rest:
        raise _refuse("QUEUE_URL", value)
    return value


def _secret(value: str | None, data_dir: Path) -> str:
    if value is not None and value != "":
        if len(value) < 32:
            raise _refuse("SECRET_KEY", value)
        return value
    kept = data_dir / "secret.key"
    if not kept.exists():
        # Written beside and renamed: a crash in between must not leave half a key, which would void every link.
        fresh = kept.with_suffix(f".{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(48))
        try:
            os.link(fresh, kept)
        except FileExistsError:
            pass  # another process was faster; its key is the key
        finally:
            fresh.unlink()
    return kept.read_text().strip()


def _sender(value: str) -> tuple[str, str]:
    name, sender = parseaddr(value)
    try:
        return name or "Your Studio", addresses.parse(sender).text
    except InputError as problem:
        raise _refuse("MAIL_FROM", value) from problem


def _smtp(value: str) -> Smtp:
    parts = urlsplit(value)
    secure = parts.scheme == "smtps"
    starttls = parse_qs(parts.query).get("starttls", ["never" if secure else "auto"])[-1]
    try:
        port = parts.port or (465 if secure else 587 if parts.username else 25)
    except ValueError:
        raise _refuse("SMTP_URL", value) from None
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or starttls not in {"never", "auto", "require"}:
        raise _refuse("SMTP_URL", value)
    return Smtp(parts.hostname, port, unquote(parts.username or ""), unquote(parts.password or ""), secure, starttls)
