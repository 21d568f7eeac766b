"""Tests of what docstrings say of fields."""

from scorelib.field_docs import field_docs
from scorelib.spec import Spec


def test_the_first_sentence_of_an_entry_gives_meaning_and_range():
    class Documented(Spec):
        """A class.

        Attributes:
            a, b: both of a pair, > 0 and < 5. Another sentence, > 7.
            c: share of a thing, such as version 1.2 of it, in [0, 1) or 2; None for none.
            d: length, at least 3, of
                a longer line.
        """

        KIND = "test-documented"

    docs = field_docs(Documented)
    assert (docs["a"].meaning, docs["a"].range) == ("both of a pair", "> 0 and < 5")
    assert docs["b"] == docs["a"]
    assert (docs["c"].meaning, docs["c"].range) == (
        "share of a thing, such as version 1.2 of it", "in [0, 1) or 2",
    )  # fmt: skip
    assert (docs["d"].meaning, docs["d"].range) == ("length, of a longer line", "at least 3")
