"""The notebooks really run, headless with small values, and nbval sees every change."""

import copy
import re
from pathlib import Path

import nbformat
import pytest
from helpers import NOTEBOOKS, SMALL, cited_texts, nbval

from fmnist_utils.batch import series
from fmnist_utils.support import files

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def small_run(tmp_path_factory) -> Path:
    """The whole series, executed with small values into one run folder, two notebooks at a time."""
    return series.run(NOTEBOOKS, SMALL, tmp_path_factory.mktemp("small"), jobs=2)


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


def test_the_small_run_is_complete(small_run):
    assert files.read_json(small_run / "run.json")["status"] == "complete"
    assert len((small_run / "results.md").read_text().splitlines()) == 2 + 7
    assert set(re.findall(r"lesson \d", (small_run / "test_labels.log").read_text())) == {
        "lesson 5",
        "lesson 7",
        "lesson 8",
    }, "no other lesson reads the test labels"
    assert not list(small_run.rglob(".*"))


def test_the_evaluation_trains_nothing_that_the_lessons_have_trained(small_run):
    names = sorted(path.name.rpartition("-")[0] for path in (small_run / "models").iterdir())
    for name in ("dense", "two_conv", "three_conv", "blog", "control", "batchnorm", "augmented"):
        assert names.count(name) == 1


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
