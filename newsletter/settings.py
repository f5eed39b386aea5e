"""Settings: read once from the environment, checked at the door, each with its own help."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

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
        "smtp://user:password@host:port or smtps://…, with ?starttls=never|auto|require&auth=plain|login|xoauth2",
        "the built-in mailbox at /mailbox",
    ),
    "MAIL_FROM": ("the sender, for example Your Studio <hello@example.org>", "the studio's name <studio@example.org>"),
    "POSTAL_ADDRESS": ("the postal address under every email, as the law asks", "set it in the back office"),
    "WORKERS": (
        "how many worker processes `python app.py` starts, 0 to 64 (0: they run elsewhere)",
        "one per processor and 400 MB of memory, at most 4",
    ),
    "METRICS_TOKEN": (
        "at least 16 letters, digits and any of -._~+/=, which a monitor sends as its bearer token",
        "/metrics is switched off",
    ),
    "TRUSTED_PROXIES": ("how many proxies in front set X-Forwarded-For, 0 to 5", "0"),
}
# These may hold a password, and a refusal ends up in logs and on screens.
SECRET = frozenset({"SECRET_KEY", "METRICS_TOKEN", "SMTP_URL", "DATABASE_URL", "QUEUE_URL"})
SHORTEST_KEY, SHORTEST_TOKEN = 32, 16
# A worker takes up to 150 MB while it sends, a little more while it presses; web and database want room as well.
WORKER_MEMORY = 400 * 1024 * 1024
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")


@dataclass(frozen=True)
class Smtp:
    """Where mail is handed over, as SMTP_URL says."""

    host: str
    port: int
    username: str
    password: str
    implicit_tls: bool
    starttls: str
    auth: str = ""  # how to sign in; empty: as the server offers


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
    mail_from_name: str  # empty: the studio's own name
    mail_from: str
    postal_address: str
    trusted_proxies: int
    metrics_token: str  # empty: no /metrics
    workers: int

    @property
    def is_local(self) -> bool:
        """Whether readers reach this site only from the machine it runs on."""
        return urlsplit(self.base_url).hostname in {"localhost", "127.0.0.1", "::1"}


def current() -> Settings:
    """The settings of the running application."""
    return cast(Settings, current_app.extensions["settings"])


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check every setting; raises SettingError naming the setting, the value and what it takes."""
    host = _host(environ.get("HOST") or "127.0.0.1")
    port = _number(environ, "PORT", 8000, 65535)
    data_dir = _folder(environ.get("DATA_DIR") or "./var")
    database_url = _database_url(environ.get("DATABASE_URL") or f"sqlite:///{data_dir / 'supple.db'}")
    name, sender = _sender(environ.get("MAIL_FROM") or "studio@example.org")
    return Settings(
        host=host,
        port=port,
        base_url=_base_url(environ.get("BASE_URL") or f"http://{f'[{host}]' if ':' in host else host}:{port}"),
        data_dir=data_dir,
        database_url=database_url,
        queue_url=_queue_url(environ.get("QUEUE_URL") or _queue_beside(database_url, data_dir)),
        secret_key=_secret(environ.get("SECRET_KEY"), data_dir),
        smtp=_smtp(environ["SMTP_URL"]) if environ.get("SMTP_URL") else None,
        mail_from_name=name,
        mail_from=sender,
        postal_address=environ.get("POSTAL_ADDRESS", "").strip(),
        trusted_proxies=_number(environ, "TRUSTED_PROXIES", 0, 5),
        metrics_token=_token(environ.get("METRICS_TOKEN", "")),
        workers=_number(environ, "WORKERS", _usual_workers(), 64),
    )


def _refuse(name: str, value: str) -> SettingError:
    shown = "a value (not shown, it is secret)" if name in SECRET else repr(value)
    return SettingError(f"{name} is {shown}.", means="That is not usable.", remedy=f"It takes {SETTINGS[name][0]}.")


def _number(environ: Mapping[str, str], name: str, default: int, most: int) -> int:
    value = environ.get(name) or str(default)
    if not value.isascii() or not value.isdigit() or len(value) > 6 or int(value) > most:
        raise _refuse(name, value)
    return int(value)


def _usual_workers() -> int:
    """One worker per processor that this process may use, at most 4, and no more than the memory has room for."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(4, len(os.sched_getaffinity(0)), memory // WORKER_MEMORY))


def is_host(value: str) -> bool:
    """Whether that is a host name or an IP address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return bool(_HOST.fullmatch(value)) and len(value) <= 253
    return True


def _host(value: str) -> str:
    if not is_host(value):
        raise _refuse("HOST", value)
    return value


def _url(name: str, value: str) -> SplitResult:
    """The parts of a URL; raises SettingError when it has no host or a port that is no number."""
    try:
        parts = urlsplit(value)
        if parts.hostname and is_host(parts.hostname) and parts.port != 0 and value.isprintable():
            return parts
    except ValueError:
        pass
    raise _refuse(name, value)


def _folder(value: str) -> Path:
    folder = Path(value).absolute()
    try:
        # Nobody else on the machine reads the subscribers: the files in it are as open as the system's umask says.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise SettingError(
            f"DATA_DIR is {value!r}.", means=f"The folder cannot be made ({problem.strerror}).", remedy="Name another."
        ) from problem
    return folder


def _base_url(value: str) -> str:
    parts = _url("BASE_URL", value)
    if parts.scheme not in {"http", "https"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise _refuse("BASE_URL", value)
    return value.rstrip("/")


def _database_url(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if scheme in {"postgres", "postgresql", "postgresql+psycopg"}:
        _server("DATABASE_URL", value)
        return f"postgresql+psycopg://{rest}"
    if scheme == "sqlite":
        return f"sqlite:///{_file('DATABASE_URL', value)}"
    raise _refuse("DATABASE_URL", value)


def _server(name: str, value: str) -> None:
    # Without a host a socket's folder may stand in the query: postgresql://bob@/name?host=/run/postgresql
    if not re.match(r"[a-z+]+://([^/?@]*@)?/[^?]*\?(.*&)?host=.", value):
        _url(name, value)


def _file(name: str, value: str) -> Path:
    """The file of a sqlite:/// URL, found from the folder the program was started in."""
    rest = value.partition("://")[2]
    path = Path(rest[1:])
    if not rest.startswith("/") or not path.name or path.is_dir() or not path.absolute().parent.is_dir():
        raise _refuse(name, value)
    return path.absolute()


def _queue_beside(database_url: str, data_dir: Path) -> str:
    if database_url.startswith("sqlite"):
        return f"sqlite:///{data_dir / 'queue.db'}"
    return database_url


def _queue_url(value: str) -> str:
    scheme = value.partition("://")[0]
    if scheme == "sqlite":
        return f"sqlite:///{_file('QUEUE_URL', value)}"
    if scheme in {"redis", "rediss"}:
        _url("QUEUE_URL", value)
    elif scheme in {"postgres", "postgresql", "postgresql+psycopg"}:
        _server("QUEUE_URL", value)
    else:
        raise _refuse("QUEUE_URL", value)
    return value


def _secret(value: str | None, data_dir: Path) -> str:
    if value:
        if len(value) < SHORTEST_KEY:
            raise _refuse("SECRET_KEY", value)
        return value
    kept = data_dir / "secret.key"
    if not kept.exists():
        _make_key(kept)
    key = kept.read_text().strip()
    if len(key) < SHORTEST_KEY:
        raise SettingError(
            f"The key in {kept} is not whole.",
            means="Every link in every email that was sent hangs on it.",
            remedy="Bring it back from a backup; or delete it, and a new one is made.",
        )
    return key


def _make_key(kept: Path) -> None:
    """Written beside and linked into place: half a key, after a crash or a power cut, would void every link."""
    fresh = kept.with_suffix(f".{secrets.token_hex(4)}")
    try:
        with open(fresh, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was faster; its key is the key
            os.link(fresh, kept)
    except OSError as problem:
        raise SettingError(
            f"DATA_DIR is {str(kept.parent)!r}.",
            means=f"Nothing can be kept in it ({problem.strerror}).",
            remedy="Name a folder that this program may write to.",
        ) from problem
    finally:
        fresh.unlink(missing_ok=True)


def _token(value: str) -> str:
    # What RFC 6750 section 2.1 lets a bearer token be made of, less its padding rule.
    if value and (len(value) < SHORTEST_TOKEN or not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", value)):
        raise _refuse("METRICS_TOKEN", value)
    return value


def _sender(value: str) -> tuple[str, str]:
    name, sender = parseaddr(value)
    try:
        if not value.isprintable():
            raise _refuse("MAIL_FROM", value)
        return name, addresses.parse(sender).text
    except InputError as problem:
        raise _refuse("MAIL_FROM", value) from problem


def _smtp(value: str) -> Smtp:
    parts = _url("SMTP_URL", value)
    secure = parts.scheme == "smtps"
    # A misspelt parameter is refused: "?startls=require" would send every password in the clear.
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    starttls = asked.pop("starttls", "never" if secure else "auto")
    allowed = {"never", "auto"} if secure else {"never", "auto", "require"}
    auth = asked.pop("auth", "")
    if auth not in {"", "plain", "login", "xoauth2"}:
        raise _refuse("SMTP_URL", value)
    if parts.scheme not in {"smtp", "smtps"} or asked or parts.path.strip("/") or starttls not in allowed:
        raise _refuse("SMTP_URL", value)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    port = parts.port or (465 if secure else 587 if user else 25)
    return Smtp(cast(str, parts.hostname), port, user, password, secure, "never" if secure else starttls, auth)
