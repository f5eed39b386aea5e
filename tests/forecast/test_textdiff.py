"""Two texts beside each other: nothing is lost, what differs is marked, what is equal is left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from newsletter.forecast.textdiff import Pair, compare, shortened, words

SAME = "The same as before."


def plain(pieces: tuple[tuple[bool, str], ...]) -> str:
    return "".join(text for _, text in pieces)


def test_words_that_differ_are_marked() -> None:
    pair = words("How are the glides?", "How are your glides today?")
    assert pair.old == ((False, "How are "), (True, "the"), (False, " "), (True, "glides?"))
    assert pair.new == ((False, "How are "), (True, "your"), (False, " "), (True, "glides today?"))


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
