"""Durations and tables as a reader would want them written."""

import pytest

from fmnist_utils.support import formatting


def test_a_markdown_table_aligns_its_columns():
    assert formatting.markdown_table(["a", "b"], [["x", "1"]]) == "| a | b |\n| :-- | --: |\n| x | 1 |"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (8.24, "8.2 s"),
        (47, "47 s"),
        (200, "3 min 20 s"),
        (59.7, "1 min 00 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_are_said_as_a_reader_would(seconds, text):
    assert formatting.duration(seconds) == text
