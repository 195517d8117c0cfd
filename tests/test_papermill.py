"""papermill itself, without this package's command line, runs a notebook from any directory."""

import subprocess
import sys

import pytest
from helpers import NOTEBOOKS

from fmnist_utils import runs

pytestmark = pytest.mark.slow


def papermill(tmp_path, *options):
    command = [sys.executable, "-m", "papermill", str(NOTEBOOKS[1]), "out.ipynb", "--no-progress-bar", *options]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)


def test_papermill_runs_from_any_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("FMNIST_RUNS_DIR", str(tmp_path / "store"))
    done = papermill(tmp_path, "-p", "EPOCHS", "1", "-p", "TRAIN_SIZE", "2000", "-p", "MODEL", "two_conv")
    assert done.returncode == 0, done.stderr
    metrics = runs.finished(tmp_path / "store")
    assert {m["name"] for m in metrics} == {"dense", "two_conv", "scaled", "unscaled", "no_dense"}
    assert {m["train_size"] for m in metrics if m["name"] == "two_conv"} == {2000}
    assert {path.name for path in tmp_path.iterdir()} == {"out.ipynb", "store"}


@pytest.mark.parametrize(("name", "value"), [("EPOCHS", "-1"), ("DROPOUT", "2"), ("TRAIN_SIZE", "10000000")])
def test_papermill_refuses_bad_values_before_anything_is_trained(name, value, tmp_path, monkeypatch):
    monkeypatch.setenv("FMNIST_RUNS_DIR", str(tmp_path / "store"))
    done = papermill(tmp_path, "-p", name, value)
    assert done.returncode != 0
    assert f"ParameterError: {name} = {value}" in done.stderr
    assert not (tmp_path / "store").exists()
