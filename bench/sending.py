"""Broadcasts against smtp-sink: how fast, how much of the processor, how much memory; and with signatures."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench import letter, postfix
from bench.place import Place, postgresql, scratch, sqlite
from bench.postfix import Sink
from bench.processes import CORES, peak_memory, processor_seconds
from bench.sizes import Sizes
from bench.table import Line, at_least

UNSIGNED = ("--unsigned",)
KEYS = {"RSA-2048": ("rsa",), "RSA-2048 and Ed25519": ("rsa", "ed")}
PROMISED = "RSA-2048"
SLOWEST = 200  # emails a second; a broadcast that takes longer than this says is given up
LOOK = 0.05  # seconds between two looks at the sink's counter


@dataclass(frozen=True)
class Sent:
    """A broadcast that is through: `rate` from the first acceptance to the last, `whole` from the queueing on."""

    emails: int
    rate: float  # emails a second
    whole: float  # seconds
    planned: float  # seconds from the queueing until the broadcast's recipients were fixed
    processor: float  # microseconds of all workers for one email, without proof and planning
    everything: float  # the same with them
    sink: float  # microseconds of the sink for one email
    share: float  # cores that the sink kept busy while we sent
    memory: float  # MB, of the hungriest worker
    crew: int

    @property
    def words(self) -> str:
        """The figures beside the rate."""
        cost = f"{self.processor:.0f} µs of processor each ({self.everything:.0f} with proof and plan)"
        return f"{self.rate:,.0f} a second; {cost}; {self.whole:.1f} s from queueing; {self.crew} worker(s)"


def broadcast(place: Place, peer: Sink, emails: int, how: tuple[str, ...] = (), crew: int = 0) -> Sent:
    """Queue a broadcast to all readers by the command, let the workers send it, and check that everyone got one."""
    crew = crew or place.workers
    with place.working(crew, *how) as workers:
        time.sleep(1)  # what a start leaves to do is done
        idle = _spent(workers)
        place.run("broadcast", str(letter.write(place.folder)), "--to", "all")
        before, began = _until(place, peer, 1, emails, workers)
        sink_before = peer.seconds()
        _until(place, peer, emails, emails, workers)
        sink_seconds, sending = peer.seconds() - sink_before, time.perf_counter() - began
        _settled(place, emails)
        done = _spent(workers)
        memory = max(peak_memory(worker.pid) for worker in workers)
    rate, whole, planned = _times(place)
    _check(place, peer, emails)
    return Sent(
        emails=emails,
        rate=rate,
        whole=whole,
        planned=planned,
        processor=(done - before) / emails * 1e6,
        everything=(done - idle) / emails * 1e6,
        sink=sink_seconds / emails * 1e6,
        share=sink_seconds / sending,
        memory=memory,
        crew=crew,
    )


def _spent(workers: list[subprocess.Popen[bytes]]) -> float:
    return sum(processor_seconds(worker.pid) for worker in workers)


def _until(
    place: Place, peer: Sink, count: int, emails: int, workers: list[subprocess.Popen[bytes]]
) -> tuple[float, float]:
    """Wait until the sink has so many; the workers' processor time and the moment then."""
    # A first email that does not come within a minute never does; the proof run of a million takes some more.
    give_up = time.monotonic() + 60 + (count - 1) / SLOWEST + emails / 5_000
    while peer.count() < count:
        if time.monotonic() > give_up or any(worker.poll() is not None for worker in workers):
            raise SystemExit(f"the broadcast got stuck at {peer.count():,} of {emails:,}. {place.complaints()}")
        time.sleep(LOOK)
    return _spent(workers), time.perf_counter()


def accepted(place: Place) -> float:
    """How many broadcast emails the ledger has as accepted."""
    return place.number("SELECT count(*) FROM deliveries WHERE state = 'accepted' AND reason LIKE 'broadcast:%'")


def _settled(place: Place, emails: int) -> None:
    until = time.monotonic() + 60
    while accepted(place) < emails and time.monotonic() < until:
        time.sleep(0.1)


def _times(place: Place) -> tuple[float, float, float]:
    """Emails a second from the first acceptance to the last; seconds from queueing to the last, and to the plan."""
    sqlite_file = place.url.startswith("sqlite")
    unix = "(julianday({0}) - 2440587.5) * 86400" if sqlite_file else "extract(epoch FROM {0})"
    first, last = (
        place.number(f"SELECT {unix.format(f'{which}(accepted_at)')} FROM deliveries")  # noqa: S608 - our own words
        for which in ("min", "max")
    )
    queued, started = (
        place.number(f"SELECT {unix.format(f'max({column})')} FROM broadcasts")  # noqa: S608
        for column in ("send_at", "started_at")
    )
    # Those of the first commit were under way before the clock began, so they do not count.
    later = "SELECT count(*) FROM deliveries WHERE accepted_at > (SELECT min(accepted_at) FROM deliveries)"
    return place.number(later) / (last - first), last - queued, started - queued


def _check(place: Place, peer: Sink, emails: int) -> None:
    took, recorded = peer.count(), accepted(place)
    if not took == recorded == emails:
        raise SystemExit(f"of {emails:,} emails the sink took {took:,} and the ledger calls {recorded:,.0f} accepted")


@contextmanager
def ready(sizes: Sizes, stack: ExitStack, *, server: bool = False, readers: int = 0) -> Iterator[tuple[Place, Sink]]:
    """An installation with readers and a sink that it sends to."""
    peer = stack.enter_context(postfix.sink(stack.enter_context(scratch())))
    opened = (postgresql if server else sqlite)(readers or sizes.broadcast, {"SMTP_URL": peer.url})
    yield stack.enter_context(opened), peer


def _one(sizes: Sizes, *, server: bool = False, how: tuple[str, ...] = (), kinds: tuple[str, ...] = ()) -> Sent:
    with ExitStack() as stack, ready(sizes, stack, server=server) as (place, peer):
        if kinds:
            place.sign_with(kinds)
        return broadcast(place, peer, sizes.broadcast, how)


@dataclass(frozen=True)
class Round:
    """A broadcast, and what its reference reached just before and after it (emails a second)."""

    ours: Sent
    beside: float
    words: str

    @property
    def ratio(self) -> float:
        """How much of the reference we reach."""
        return self.ours.rate / self.beside


def _middle(work: str, rounds: list[Round], goal: float | None) -> Line:
    """The middle one: within minutes a machine's speed changes by a third, and not for both sides of a ratio alike."""
    ordered = sorted(rounds, key=lambda one: one.ratio)
    found, several = ordered[len(ordered) // 2], len(ordered) > 1
    spread = f"; {len(ordered)} rounds, {ordered[0].ratio:.2f} to {ordered[-1].ratio:.2f} ×" if several else ""
    ratio, wanted, met = at_least(found.ratio, goal or 0)
    promised = (wanted, met) if goal else ("", None)
    return Line(work, found.ours.words, found.words + spread, ratio, *promised)


def plain(sizes: Sizes) -> list[Line]:
    """Unsigned on SQLite and PostgreSQL against smtp-source, which measures before and after."""
    rounds, stored = list[Round](), list[Round]()
    with scratch() as folder:
        for _ in range(sizes.rounds):
            before = postfix.source(sizes.broadcast, folder)
            ours = _one(sizes, how=UNSIGNED)
            after = postfix.source(sizes.broadcast, folder)
            beside, cost = (before.a_second + after.a_second) / 2, (before.sender + after.sender) / 2
            words = f"smtp-source: {beside:,.0f} a second, {cost:.0f} µs of processor each"
            rounds.append(Round(ours, beside, words))
            kept = _one(sizes, server=True, how=UNSIGNED)
            stored.append(Round(kept, ours.rate, f"ours on SQLite: {ours.rate:,.0f} a second"))
    return [
        _middle(f"broadcast of {sizes.broadcast:,}, unsigned, SQLite", rounds, 1.0),
        _middle("the same on PostgreSQL", stored, 0.7),
    ]


def signed(sizes: Sizes) -> list[Line]:
    """Signed with RSA-2048, against what the cores that the sink leaves could sign; and with both kinds of keys."""
    return [
        _middle(
            f"broadcast of {sizes.broadcast:,}, signed with {name}, SQLite",
            [_signed(sizes, name) for _ in range(sizes.rounds)],
            0.6 if name == PROMISED else None,
        )
        for name in sizes.signed
    ]


def _signed(sizes: Sizes, name: str) -> Round:
    before = postfix.rsa_signatures(sizes.openssl)
    ours = _one(sizes, kinds=KEYS[name])
    signs, left = (before + postfix.rsa_signatures(sizes.openssl)) / 2, CORES - ours.share
    return Round(ours, signs * left, f"openssl speed rsa2048: {signs:,.0f} a second and core, × {left:.2f} cores left")


def measure(sizes: Sizes) -> list[Line]:
    """All of them."""
    return [*plain(sizes), *signed(sizes)]
