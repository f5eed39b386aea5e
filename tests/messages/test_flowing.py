"""Plans of the text part: right for each shape, and never more of them than there is room for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.messages import flowing, plain
from newsletter.messages.dialect import Dialect
from newsletter.messages.flowing import Flow
from newsletter.messages.script import Script

MARKED = plain.Line("words " * 12, first="- ", rest="  ").marked()
STANDING = frozenset({MARKED, " more of the line, and words and words and words.\n\n\n\n", "\n", ""})
values = st.text(alphabet="ab. \u00a0\u3000\u00e4\U000f0001\U0010ffff", max_size=90) | st.sampled_from(sorted(STANDING))


def _flow(standing: frozenset[str]) -> Flow:
    dialect = Dialect(escape=False)
    return Flow(Script(dialect.from_string(""), {}, standing, dialect), plain.finish)


@given(st.lists(st.lists(values, max_size=8), max_size=5))
def test_a_plan_says_what_wrapping_each_text_alone_says(texts: list[list[str]]) -> None:
    flow = _flow(STANDING)
    for pieces in texts + texts:
        assert str(flow.laid_out(pieces, [])) == plain.finish("".join(pieces))


def test_signs_like_empty_words_in_the_template_are_no_empty_words() -> None:
    flow = _flow(frozenset({"\U000f0000 "}))
    assert str(flow.laid_out(["\U000f0000 ", "Alice"], [])) == "\U000f0000 Alice\n"


def test_equal_lengths_share_a_plan() -> None:
    flow = _flow(STANDING)
    for name in ("Alice", "Boban", "Cesar"):
        flow.laid_out([MARKED, name], [])
    assert len(flow.plans) == 1


def test_plans_are_dropped_when_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flowing, "MOST_PLANS", 20)
    monkeypatch.setattr(flowing, "MOST_SIGNS", 5000)
    flow = _flow(STANDING)
    for length in range(60):
        pieces = [MARKED, "x" * (length % 13), " ", "y" * (length // 13), "\n", MARKED * 12]
        assert str(flow.laid_out(pieces, [])) == plain.finish("".join(pieces))
        assert len(flow.plans) <= 20
    long = [("y" * 73 + "\n") * 50 + "z" * number for number in range(20)]
    flow, kept = _flow(frozenset(long)), []
    for piece in long:
        flow.laid_out([piece], [])
        kept.append(sum(map(len, flow.known)))
    assert 5000 < max(kept) < 10_000
