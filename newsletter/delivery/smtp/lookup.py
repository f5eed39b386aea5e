"""A name's addresses within a deadline; the system's resolver has none of its own that we could set."""

from __future__ import annotations

import socket
import threading
from typing import Any


class _Question(threading.Thread):
    """One question to the resolver: nobody can take it back, so it is left to itself when it takes too long."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(daemon=True, name=f"lookup of {host}")
        self.host, self.port = host, port
        self.found: list[Any] = []
        self.problem: OSError | None = None

    def run(self) -> None:
        """Ask, and keep the answer for who waits."""
        try:
            self.found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as problem:
            self.problem = problem
        except UnicodeError as problem:  # a label of more than 63 letters, or none
            self.problem = OSError(str(problem))


# The last question about each host and port. One that is not answered yet is waited for again and not asked again: with
# a dead resolver a thread would be left behind at each attempt to send.
_LAST: dict[tuple[str, int], _Question] = {}
_LOCK = threading.Lock()


def addresses(host: str, port: int, patience: float) -> list[Any]:
    """What `getaddrinfo` finds; raises its OSError, or TimeoutError after `patience` seconds."""
    with _LOCK:
        asked = _LAST.get((host, port))
        if asked is None or not asked.is_alive():
            asked = _LAST[host, port] = _Question(host, port)
            asked.start()
    asked.join(patience)
    if asked.is_alive():
        raise TimeoutError(f"the name server did not answer within {patience:g} seconds")
    if asked.problem is not None:
        raise asked.problem
    return asked.found
