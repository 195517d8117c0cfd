"""nbval sees every change of an output that the lessons cite, and nothing else."""

import copy
import re

import nbformat
import pytest
from helpers import NOTEBOOKS, cited_texts, nbval

pytestmark = pytest.mark.slow


def changed(text: str) -> str:
    """The same text with its last number, answer or word changed."""
    for pattern, replace in (
        (r"\d(?=\D*$)", lambda m: str((int(m[0]) + 1) % 10)),
        (
            r"(yes|no|True|False)(?=\W*$)",
            lambda m: {"yes": "no", "no": "yes", "True": "False"}.get(m[0], "True"),
        ),
    ):
        new, count = re.subn(pattern, replace, text, count=1)
        if count:
            return new
    return text + " changed"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_nbval_fails_each_changed_cell_and_passes_the_others(notebook, small_run, tmp_path):
    executed = nbformat.read(small_run / "notebooks" / notebook.name, as_version=4)
    altered = copy.deepcopy(executed)
    expected = {}
    for number, cell in enumerate(cell for cell in altered.cells if cell.cell_type == "code"):
        cited = cited_texts(cell)
        for holder, key in cited:
            holder[key] = changed(holder[key])
        expected[number] = not cited
    assert sum(not passes for passes in expected.values()) >= 5
    path = tmp_path / notebook.name
    nbformat.write(altered, path)
    assert nbval(path, small_run, tmp_path / "report.xml") == expected
