"""One execution of the lessons, for all tests that look at it."""

from pathlib import Path

import pytest
from filelock import FileLock
from helpers import NOTEBOOKS, SMALL

from fmnist_utils.batch import series


@pytest.fixture(scope="session")
def small_run(tmp_path_factory, worker_id) -> Path:
    """The whole series, executed with small values into one run folder, once for all cores that test."""
    alone = worker_id == "master"
    folder = (
        tmp_path_factory.getbasetemp() / "small" if alone else tmp_path_factory.getbasetemp().parent / "small"
    )
    with FileLock(f"{folder}.lock"):
        return folder if folder.exists() else series.run(NOTEBOOKS, SMALL, folder, jobs=1)
