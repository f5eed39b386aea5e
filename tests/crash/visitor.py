"""People at the web server's doors while it is killed: what it answered with success is a promise."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from contextlib import suppress
from urllib.parse import urlencode

OPERATOR, PASSWORD = "coach@example.org", "long enough to be hard to guess"
PAUSE = 0.15  # between two presses in seconds; many more would be taken for an attack


class Visitors(threading.Thread):
    """One who signs up again and again under new addresses, and an operator who queues emails when asked to.

    `signed_up` are the addresses, `queued` the ids of broadcasts, for which the answer was a success.
    """

    def __init__(self, port: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.port, self.dice = port, random.Random(seed)
        self.signed_up: list[str] = []
        self.queued: list[int] = []
        self.refused = 0
        self.cookie = ""
        self.stamp = ""
        self.wanted = threading.Event()
        self.over = threading.Event()

    def run(self) -> None:
        """Go on until it is over; a server that is gone is tried again."""
        number = 0
        while not self.over.wait(PAUSE * self.dice.random() * 2):
            number += 1
            with suppress(OSError, http.client.HTTPException):
                self._sign_up(f"visitor{number}@town{number % 50}.example.org")
                if self.wanted.is_set():
                    self._queue()
                    self.wanted.clear()

    def _ask(self, method: str, path: str, body: str = "", kind: str = "") -> tuple[int, str, str]:
        """One request; status, Location and body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Content-Type": kind or "application/x-www-form-urlencoded", "Cookie": self.cookie}
        headers["X-Forwarded-For"] = ".".join(str(self.dice.randrange(1, 250)) for _ in range(4))
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            if set_cookie := answer.getheader("Set-Cookie"):
                self.cookie = set_cookie.partition(";")[0]
            return answer.status, answer.getheader("Location") or "", text
        finally:
            connection.close()

    def _post(self, path: str, **fields: str) -> tuple[int, str]:
        status, location, _ = self._ask("POST", path, urlencode(fields))
        return status, location

    def _sign_up(self, address: str) -> None:
        if not self.stamp:
            self.stamp = json.loads(self._ask("GET", "/api/signup/storm")[2])["stamp"]
            time.sleep(1)  # the time trap
        body = json.dumps({"email": address, "stamp": self.stamp})
        status, _, _ = self._ask("POST", "/api/signup/storm", body, "application/json")
        if status == 202:
            self.signed_up.append(address)
        else:
            self.refused += 1

    def _queue(self) -> None:
        if not self.cookie:
            self._post("/admin/sign-in", email=OPERATOR, password=PASSWORD)
        _, location = self._post("/admin/broadcasts", start="empty")
        number = int(location.split("/")[-2])
        self._post(f"/admin/broadcasts/{number}", subject="Ten calm minutes", preheader="", body=BODY)
        status, _ = self._post(f"/admin/broadcasts/{number}/queue")
        if status == 302:
            self.queued.append(number)
        else:
            self.refused += 1


BODY = "Hello {{ subscriber.first_name or 'you' }}.\n\n" + "Breathe slowly, and let the shoulders fall. " * 60
