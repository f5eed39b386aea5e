"""Postfix, Exim and Postfix's sink, each in a folder and on ports of its own; they keep books of what they took.

Postfix's programs change to other users, so it wants root. Exim is another package's rival on Debian and so is not
installed but unpacked by `scripts/system.sh mail`; its user exists for it alone.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from newsletter.settings import Smtp
from tests.delivery.peer import free_port

EXIM = Path(sys.prefix) / "exim"
BIGGEST = 100_000
PATIENCE = 60  # seconds until a server answers, on a machine with far too much to do
# What each port of a server offers.
WAYS = ("pipelining chunking", "pipelining", "chunking", "")


@dataclass
class Server:
    """A running server: its port for each way of talking, and how to read its books."""

    ports: dict[str, int]
    folder: Path
    book: Path
    line: re.Pattern[str]

    def smtp(self, way: str, **more: Any) -> Smtp:
        """How to reach the port that talks this way."""
        values = {"host": "127.0.0.1", "port": self.ports[way], "username": "", "password": "", "implicit_tls": False}
        return Smtp(**(values | {"starttls": "never"} | more))

    def taken(self) -> Counter[str]:
        """How often it took an email for each recipient."""
        return Counter(self.line.findall(self.book.read_text() if self.book.exists() else ""))

    def takes(self, wanted: Counter[str]) -> bool:
        """Whether its books come to say this, and then say nothing else."""
        until = time.monotonic() + PATIENCE
        while self.taken() != wanted and time.monotonic() < until:
            time.sleep(0.1)
        return self.taken() == wanted


def _must_be_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("Postfix and Exim change to other users, which only root can let them do")


def _wait(ports: list[int], alive: Callable[[], bool], said: Path) -> None:
    until = time.monotonic() + PATIENCE
    for port in ports:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
                    if line.recv(3) == b"220":
                        break
            except OSError:
                pass
            if time.monotonic() > until or not alive():
                pytest.fail(f"the server does not come up: {said.read_text() if said.exists() else ''}")
            time.sleep(0.1)


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    # Not below pytest's own folder, which is closed to the users these servers change to.
    folder = Path(tempfile.mkdtemp(prefix=f"supple-{name}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


POSTFIX = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.example.org
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
mynetworks = 127.0.0.0/8
default_transport = discard:
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{
    {{nobody@example.org = 550 5.1.1 no such person}}, {{later@example.org = 450 4.2.0 come back}} }}
smtpd_sender_restrictions = check_sender_access inline:{{ {{stranger@example.org = 550 5.7.1 you may not send}} }}
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
message_size_limit = {biggest}
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}/log
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
"""
DAEMONS = """
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


@contextmanager
def postfix(certificate: Path, key: Path) -> Iterator[Server]:
    """Debian's Postfix with a configuration of its own; it throws every email away and writes down for whom it was."""
    _must_be_root()
    ports = {way: free_port() for way in WAYS}
    with _folder("postfix") as folder:
        for name in ("etc", "spool", "data", "log"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        services = [
            f"127.0.0.1:{port} inet n - n - - smtpd -o smtpd_discard_ehlo_keywords="
            + ",".join({"chunking", "pipelining", "silent-discard"} - set(way.split()))
            for way, port in ports.items()
        ]
        config = POSTFIX.format(folder=folder, biggest=BIGGEST, certificate=certificate, key=key)
        (folder / "etc/main.cf").write_text(config)
        (folder / "etc/master.cf").write_text("\n".join(services) + DAEMONS)
        command, book = ["postfix", "-c", str(folder / "etc")], folder / "log/mail.log"
        with (folder / "said").open("wb") as said:
            subprocess.run([*command, "start"], check=True, stdout=said, stderr=said)
            try:
                _wait(list(ports.values()), lambda: True, book)
                yield Server(ports, folder, book, re.compile(r"to=<(.*?)>.* status=sent \(.*\)"))
            finally:
                subprocess.run([*command, "stop"], check=False, stdout=said, stderr=said)


EXIM_CONFIG = r"""
primary_hostname = exim.example.org
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/spool/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {ports}
queue_only = true
message_size_limit = {biggest}
smtp_accept_max_per_connection = {most}
log_selector = +received_recipients
host_lookup =
pipelining_advertise_hosts = ${{if inlist{{$received_port}}{{{pipelining}}}{{*}}{{}}}}
chunking_advertise_hosts = ${{if inlist{{$received_port}}{{{chunking}}}{{*}}{{}}}}
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
begin acl
mail:
  deny senders = stranger@example.org
       message = 5.7.1 you may not send
  accept
rcpt:
  deny recipients = nobody@example.org
       message = 5.1.1 no such person
  defer recipients = later@example.org
       message = 4.2.0 come back
  accept
begin routers
nowhere:
  driver = redirect
  data = :blackhole:
begin authenticators
PLAIN:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{bob}}}}{{eq{{$auth3}}{{right}}}}}}}}
  server_set_id = $auth2
LOGIN:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{bob}}}}{{eq{{$auth2}}{{right}}}}}}}}
  server_set_id = $auth1
"""
USER = 65533


@contextmanager
def exim(certificate: Path, key: Path, most: int = 1000) -> Iterator[Server]:
    """Exim, unpacked; it takes `most` emails a connection, keeps them in its spool and writes down for whom."""
    _must_be_root()
    ports = {way: free_port() for way in WAYS}
    with _folder("exim") as folder:
        names = {
            word: ":".join(str(port) for way, port in ports.items() if word in way.split()) for word in WAYS[0].split()
        }
        joined = " : ".join(str(port) for port in ports.values())
        config = EXIM_CONFIG.format(
            folder=folder,
            biggest=BIGGEST,
            most=most,
            ports=joined,
            certificate=folder / certificate.name,
            key=folder / key.name,
            **names,
        )
        (folder / "exim.conf").write_text(config)
        for paper in (certificate, key):
            shutil.copy(paper, folder)  # pytest's own folder is closed to Exim's user
        for name in ("spool", "log"):
            (folder / name).mkdir()
            os.chown(folder / name, USER, USER)
        (folder / "passwd").write_text(f"{Path('/etc/passwd').read_text()}Debian-exim:x:{USER}:{USER}::/:/bin/false\n")
        (folder / "group").write_text(f"{Path('/etc/group').read_text()}Debian-exim:x:{USER}:\n")
        wrapped = {"LD_PRELOAD": "libnss_wrapper.so"}
        wrapped |= {f"NSS_WRAPPER_{name.upper()}": str(folder / name) for name in ("passwd", "group")}
        command = [str(EXIM / "usr/sbin/exim4"), "-C", str(folder / "exim.conf"), "-bdf"]
        with (folder / "said").open("wb") as said:
            daemon = subprocess.Popen(command, env=os.environ | wrapped, stdout=said, stderr=said)
            try:
                _wait(list(ports.values()), lambda: daemon.poll() is None, folder / "said")
                book = folder / "log/mainlog"
                yield Server(ports, folder, book, re.compile(r" <= .* for (\S+)$", re.MULTILINE))
            finally:
                daemon.terminate()
                daemon.wait(timeout=PATIENCE)


@contextmanager
def sink(*options: str) -> Iterator[Smtp]:
    """Postfix's own sink, for anybody to start."""
    port = free_port()
    as_user = ["-u", "nobody"] if os.geteuid() == 0 else []
    program = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"
    if not Path(program).exists() and os.geteuid() != 0:
        pytest.skip("smtp-sink comes with Postfix, which only root can install")
    daemon = subprocess.Popen([program, *as_user, *options, f"127.0.0.1:{port}", "50"])
    try:
        _wait([port], lambda: daemon.poll() is None, Path("/nonexistent"))
        yield Smtp("127.0.0.1", port, "", "", False, "never")
    finally:
        daemon.terminate()
        daemon.wait(timeout=PATIENCE)
