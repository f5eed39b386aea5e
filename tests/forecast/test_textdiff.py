"""Two texts beside each other: nothing is lost, what differs is marked, what is equal is left out."""

from __future__ import annotations

import random
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.forecast.textdiff import Pair, compare, shortened, words

SAME = "The same as before."


def plain(pieces: tuple[tuple[bool, str], ...]) -> str:
    return "".join(text for _, text in pieces)


def test_words_that_differ_are_marked() -> None:
    pair = words("How are the glides?", "How are your glides today?")
    assert pair.old == ((False, "How are "), (True, "the glides?"))
    assert pair.new == ((False, "How are "), (True, "your glides today?"))
    longer = words("one two", "one two  three")
    assert (longer.old, longer.new) == (((False, "one two"),), ((False, "one two  "), (True, "three")))


def test_a_changed_paragraph_stands_beside_its_old_self_and_others_alone() -> None:
    old = f"{SAME}\n\nOne two three four.\n\nThis one goes away for good."
    new = f"{SAME}\n\nOne two three five.\n\nSomething else entirely, never seen."
    pairs = compare(old, new)
    assert [(plain(pair.old), plain(pair.new)) for pair in pairs] == [
        (SAME, SAME),
        ("One two three four.", "One two three five."),
        ("This one goes away for good.", ""),
        ("", "Something else entirely, never seen."),
    ]
    assert [pair.same for pair in pairs] == [True, False, False, False]


def test_line_breaks_and_rules_that_are_there_for_the_width_are_no_difference() -> None:
    assert all(
        pair.same for pair in compare("A heading\n=========\n\none two\nthree", "A heading\n===\n\none\ntwo three")
    )
    assert plain(compare("1. one\n2. two", "1. one\n2. two")[0].old) == "1. one\n2. two"


def test_long_stretches_of_equal_paragraphs_are_counted() -> None:
    old = "\n\n".join(f"Paragraph number {number}" for number in range(9))
    short = shortened(compare(old, old.replace("number 4", "number five")))
    assert [pair.left_out for pair in short] == [3, 0, 0, 0, 3]
    assert shortened(compare(SAME, SAME)) == [Pair((), (), 1)]


TEXTS = st.lists(st.text("ab \n", min_size=1, max_size=12), max_size=6).map("\n\n".join)


@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_whole(old: str, new: str) -> None:
    pairs = compare(old, new)
    assert " ".join(plain(pair.old) for pair in pairs).split() == old.split()
    assert " ".join(plain(pair.new) for pair in pairs).split() == new.split()
    assert all(pair.same for pair in compare(old, old))


def changed_here_and_there(count: int) -> tuple[str, str]:
    """A long honest paragraph, and the same with every tenth word or so another one."""
    dice = random.Random(1)
    old = [f"word{int(dice.paretovariate(0.1)) % 4000}" for _ in range(count)]
    new = [f"new{dice.random()}" if dice.random() < 0.1 else word for word in old]
    return " ".join(old), " ".join(new)


LONG = {
    "two words in turn": ("a b " * 500, "b " * 1_000),
    "an honest paragraph": changed_here_and_there(20_000),
    "as long as a source may be": ("a b " * 50_000, "x" + "b b a " * 33_000),
    "short paragraphs": tuple("\n\n".join(f"{word} {n} {word}." for n in range(9_000)) for word in ("One", "Two")),
    "the same paragraph over and over": ("a\n\n" * 60_000, "x\n\n" + "a\n\nb\n\n" * 30_000 + "y"),
    "lines of a letter": ("a\n" * 100_000, "a\nb\n" * 50_000),
}


@pytest.mark.parametrize("name", LONG)
def test_comparing_long_texts_does_not_keep_a_web_thread(name: str) -> None:
    """Each of them took twenty seconds to hours before; now well below two, of the processor's own time."""
    old, new = LONG[name]
    began = thread_time()
    pairs = compare(old, new)
    assert thread_time() - began < 10
    assert " ".join(plain(pair.old) for pair in pairs).split() == old.split()
    assert " ".join(plain(pair.new) for pair in pairs).split() == new.split()


def test_an_honest_long_paragraph_is_still_compared_word_by_word() -> None:
    old, new = changed_here_and_there(2_400)
    (pair,) = compare(old, new)
    marked = sum(len(text.split()) for differs, text in pair.new if differs)
    assert 200 < marked < 320
