"""What the tests share: a tiny Fashion-MNIST in the official form, and folders of their own."""

import gzip
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pytest

from fmnist_utils import data
from fmnist_utils.support import downloads, sources

matplotlib.use("agg")
os.environ["KERAS_HOME"] = os.devnull  # no test reads or writes a user's keras.json

pytest_plugins = ["photo_sources", "tiny_sweep"]

COUNTS = {"train": 40, "test": 20}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that none is left to run alone; what looks at the executed lessons, last."""
    long = ("test_execution", "test_sweep_interrupted", "test_set_up", "test_file_systems", "test_environment")
    long += ("test_classroom", "test_dragging", "test_uploads", "test_decks", "test_files_as_left")
    turns = {"test_sweep_on_a_scheduler": 0, "test_nbval": 2} | dict.fromkeys(long, 0)
    items.sort(key=lambda item: turns.get(item.path.stem, 1))


@pytest.fixture
def own_folders(tmp_path, monkeypatch) -> Path:
    """Caches, runs and home under ``tmp_path``; no other source of data than what a test puts there."""
    monkeypatch.delenv("FMNIST_DATA_DIR", raising=False)
    monkeypatch.setenv("FMNIST_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(sources, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.setattr(downloads, "SYSTEM_DIR", tmp_path / "system")
    monkeypatch.setattr(downloads, "with_keras", _no_network)
    monkeypatch.setattr(downloads, "with_apt", _no_network)
    return tmp_path


def _no_network(folder: Path) -> Path:
    raise OSError("host not found")


@pytest.fixture
def tiny(own_folders, monkeypatch) -> dict[str, np.ndarray]:
    """Forty training and twenty test images, four and two of each class; their sums stand for the real ones."""
    rng = np.random.default_rng(0)
    arrays = {}
    for name, count in COUNTS.items():
        arrays[f"{name}_images"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{name}_labels"] = np.arange(count, dtype=np.uint8) % 10
    files = {}
    for key, file in sources.FILES.items():
        resized = replace(file, shape=arrays[key].shape)
        content = resized.header + arrays[key].tobytes()
        files[key] = replace(resized, sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(sources, "FILES", files)
    return arrays


@pytest.fixture
def write_idx(tiny):
    """A function that writes the tiny data as gzipped IDX files into a folder, and returns the folder."""

    def write(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for key, file in sources.FILES.items():
            (folder / f"{file.name}.gz").write_bytes(gzip.compress(file.header + tiny[key].tobytes()))
        return folder

    return write


@pytest.fixture(scope="session")
def real() -> data.FashionMNIST:
    """The real data, which the set-up has put into the cache."""
    return data.load()


@pytest.fixture
def small_split(real) -> data.Split:
    """A hundred real training images, ten of each class."""
    return data.subset(real.train, 100, seed=0)


@pytest.fixture
def write_notebook(tmp_path):
    """A function that makes a notebook of a parameters cell and the given cells, and returns its path."""

    def write(name: str, *sources: str, parameters: str = "EPOCHS: int = 1  # passes") -> Path:
        tagged = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        cells = [tagged, *map(nbformat.v4.new_code_cell, sources)]
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
        return path

    return write
