"""The notebooks really run, headless with small values."""

import re

import pytest

from fmnist_utils import runs
from fmnist_utils.support import files

pytestmark = pytest.mark.slow


def test_the_small_run_is_complete(small_run):
    assert files.read_json(small_run / "run.json")["status"] == "complete"
    tested = [metrics for metrics in runs.finished(small_run) if "test_accuracy" in metrics]
    fresh = [m for m in tested if "fresh_val_accuracy" in m]
    lines = (small_run / "results.md").read_text().splitlines()
    assert len(lines) == 2 + len(tested) + len(fresh) == 2 + 7 + 2
    readme = (files.PROJECT / "README.md").read_text(encoding="utf-8")
    allowed = re.search(r"The test labels are read in lessons ([\d, and]+) only", readme)[1]
    read = re.findall(r"lesson (\d+)", (small_run / "test_labels.log").read_text())
    assert set(read) == set(re.findall(r"\d+", allowed)), "no other lesson reads the test labels"
    assert not list(small_run.rglob(".*"))


def test_the_evaluation_trains_nothing_that_the_lessons_have_trained(small_run):
    names = sorted(path.name.rpartition("-")[0] for path in (small_run / "models").iterdir())
    for name in ("dense", "two_conv", "three_conv", "blog", "control", "batchnorm", "augmented"):
        assert names.count(name) == 1
