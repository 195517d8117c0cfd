"""A line that says how far a training is."""

from fmnist_utils.support import progress


def test_progress_lines_are_printed_outside_a_kernel(capsys):
    progress.Line("one").update("two")
    assert capsys.readouterr().out == "one\ntwo\n"
