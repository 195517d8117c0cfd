"""papermill itself, without this package's command line, runs a notebook from any directory."""

import re
import subprocess
import sys

import pytest

from fmnist_utils import runs
from fmnist_utils.batch import series

pytestmark = pytest.mark.slow


def papermill(tmp_path, *options, notebook=series.NOTEBOOKS / "02_basic_cnn.ipynb"):
    command = [sys.executable, "-m", "papermill", str(notebook), "out.ipynb", "--no-progress-bar", *options]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)


def test_papermill_runs_from_any_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("FMNIST_RUNS_DIR", str(tmp_path / "store"))
    small = {
        "EPOCHS": 1,
        "TRAIN_SIZE": 2000,
        "SHORT_EPOCHS": 1,
    }
    given = [text for name, value in small.items() for text in ("-p", name, str(value))]
    done = papermill(tmp_path, *given, notebook=series.NOTEBOOKS / "03_batchnorm_cnn.ipynb")
    assert done.returncode == 0, done.stderr
    metrics = runs.finished(tmp_path / "store")
    assert {m["name"] for m in metrics} == {"batchnorm", "control", "momentum 0.9", "momentum 0.99"}
    assert {m["train_size"] for m in metrics} == {2000}
    assert {path.name for path in tmp_path.iterdir()} == {"out.ipynb", "store"}


def test_papermill_refuses_bad_values_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setenv("FMNIST_RUNS_DIR", str(tmp_path / "store"))
    bad = {"EPOCHS": "-1", "DROPOUT": "2", "TRAIN_SIZE": "10000000"}
    done = papermill(tmp_path, *(text for name, value in bad.items() for text in ("-p", name, value)))
    assert done.returncode != 0
    (said,) = re.findall(r"^.*ParameterError: (.*)$", done.stderr, flags=re.M)[-1:]
    assert all(f"{name} = {value}, but it must be" in said for name, value in bad.items())
    assert not (tmp_path / "store").exists()


def test_the_form_trains_what_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("FMNIST_RUNS_DIR", str(tmp_path / "store"))
    options = {
        "NETWORK": "control",
        "OPTIMIZER": "sgd_onecycle",
        "LEARNING_RATE": 0.1,
        "EPOCHS": 1,
        "SHIFT": 0.1,
    }
    given = [
        text for name, value in (options | {"TRAIN_SIZE": 500}).items() for text in ("-p", name, str(value))
    ]
    done = papermill(tmp_path, *given, notebook=series.NOTEBOOKS / "one_training.ipynb")
    assert done.returncode == 0, done.stderr
    (metrics,) = runs.finished(tmp_path / "store")
    assert (metrics["name"], metrics["parameters"], metrics["train_size"]) == ("control", 241_546, 500)
    assert metrics["optimizer"]["class_name"] == "SGD"
    assert metrics["optimizer"]["config"]["learning_rate"]["config"]["warmup_target"] == 0.1
    assert metrics["augment"]["settings"]["shift"] == 0.1
