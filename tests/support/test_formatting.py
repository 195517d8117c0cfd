"""Durations and tables as a reader would want them written."""

from fmnist_utils.support import formatting


def test_a_markdown_table_aligns_its_columns():
    assert formatting.markdown_table(["a", "b"], [["x", "1"]]) == "| a | b |\n| :-- | --: |\n| x | 1 |"


def test_durations_are_said_as_a_reader_would(seconds, text):
    assert formatting.duration(seconds) == text
