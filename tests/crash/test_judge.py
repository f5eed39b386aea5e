"""The judge of the storms finds what it is there to find."""

from __future__ import annotations

import pytest

from tests.crash.judge import Row, violations

WHO, WHY, MARK = "alice@example.org", "broadcast:1", "<1@example.org>"


def row(state: str, *, uncertain: bool = False) -> Row:
    return Row(WHO, WHY, state, MARK, uncertain)


@pytest.mark.parametrize(
    ("rows", "times", "found"),
    [
        ([row("accepted")], 1, ""),
        ([row("accepted")], 0, "lost: alice@example.org broadcast:1 (accepted) never came"),
        ([row("accepted")], 2, "doubled"),
        ([row("accepted", uncertain=True)], 2, ""),
        ([row("unknown", uncertain=True)], 0, ""),
        ([row("unknown", uncertain=True)], 1, ""),
        ([row("planned")], 0, "not finished"),
        ([row("sending")], 1, "not finished"),
        ([row("canceled")], 1, "wrong: alice@example.org broadcast:1 (canceled) came 1 times"),
        ([row("canceled")], 0, ""),
        ([row("rejected")], 1, "wrong"),
        ([], 1, "alice@example.org got <1@example.org>, which is not in the ledger"),
    ],
)
def test_what_breaks_the_promise(rows: list[Row], times: int, found: str) -> None:
    said = violations(rows, [(WHO, MARK)] * times, [])
    assert bool(said) == bool(found), said
    assert found in "".join(said)


@pytest.mark.parametrize(
    ("promised", "kept"),
    [(WHY, True), ("broadcast", True), ("broadcast:12", False), ("confirm", False)],
)
def test_what_was_promised_must_be_planned(promised: str, kept: bool) -> None:
    assert (violations([row("accepted")], [(WHO, MARK)], [(WHO, promised)]) == []) is kept


def test_an_email_that_came_under_another_mark_is_both_lost_and_not_ours() -> None:
    said = violations([row("accepted")], [(WHO, "<2@example.org>")], [])
    assert len(said) == 2
