"""The run folder: whole files, whole folders, figures and the log of test reads."""

import pytest

from fmnist_utils import runs
from fmnist_utils.support import files


@pytest.fixture(autouse=True)
def run_folder(own_folders):
    return own_folders / "runs"


def test_the_folder_is_the_projects_unless_the_environment_names_one(run_folder, monkeypatch):
    assert runs.runs_dir() == run_folder
    monkeypatch.delenv("FMNIST_RUNS_DIR")
    assert runs.runs_dir() == files.PROJECT / "runs" / "interactive"


def test_test_reads_are_logged_one_line_each(run_folder):
    runs.log_test_read("first")
    runs.log_test_read("second")
    lines = (run_folder / "test_labels.log").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == ["first", "second"]


def test_finished_joins_what_training_and_testing_measured(run_folder):
    files.write_json(run_folder / "models/a-0123456789ab/metrics.json", {"name": "a", "val_accuracy": 0.5})
    runs.record(run_folder / "models/a-0123456789ab", {"test_accuracy": 0.4, "test_loss": 1.5})
    files.write_json(run_folder / "models/.half-3/metrics.json", {"name": "unfinished"})
    files.write_json(run_folder / "models/b-23456789abcd/metrics.json", {"name": "b", "val_accuracy": 0.6})
    assert runs.finished(run_folder) == [
        {
            "name": "a",
            "val_accuracy": 0.5,
            "test_accuracy": 0.4,
            "test_loss": 1.5,
        },
        {"name": "b", "val_accuracy": 0.6},
    ]
