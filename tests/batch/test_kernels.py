"""Forked kernels: quick to start, and otherwise like kernels that start anew."""

import tempfile
from pathlib import Path

import nbformat
import psutil
import pytest
from helpers import running, wait_until

from fmnist_utils.batch import engine, kernels

pytestmark = pytest.mark.skipif(not kernels.can_fork(), reason="kernels are forked on Linux without a GPU only")

SAYS = """import os, sys
print(os.getppid(), "tensorflow" in sys.modules, os.getcwd(), os.environ["WHO"], sys.argv[1:2], sys.path[0])"""
TRAINS = """from fmnist_utils import data, models, plots, training
import keras, numpy as np, subprocess
print(keras.backend.floatx(), training.use_precision("float32"))
few = data.subset(data.load().train, 500, seed=0)
config = training.TrainingConfig(epochs=1, batch_size=50, seed=0)
trained = training.train_or_load(models.two_conv(), few, few, config, name="tiny")
print(trained.history)
plots.show(plots.bars({"loss": trained.history["loss"][0]}, "loss"), "the loss")
print(subprocess.run(["echo", "children work"], capture_output=True, text=True).stdout)
import matplotlib.pyplot as plt
_ = plt.plot([1, 2])"""


def execute(notebook: Path, output: Path, **environment: str) -> nbformat.NotebookNode:
    engine.execute(notebook, output, {}, {"OMP_NUM_THREADS": "1"} | environment)
    return nbformat.read(output, as_version=4)


def test_a_kernel_is_a_copy_with_its_own_environment(write_notebook, tmp_path):
    notebook = write_notebook("says", SAYS)
    texts = [execute(notebook, tmp_path / f"{who}.ipynb", WHO=who).cells[-1].outputs[0].text for who in "ab"]
    (parent, loaded, folder, *rest_a), (same_parent, _, _, *rest_b) = (text.split() for text in texts)
    assert parent == same_parent, "both are copies of one process"
    assert loaded == "True"
    assert folder == str(notebook.parent)
    assert (rest_a[0], rest_b[0]) == ("a", "b")


def test_nothing_runs_in_the_process_that_is_copied(write_notebook, tmp_path):
    parent = (
        execute(write_notebook("says", SAYS), tmp_path / "out.ipynb", WHO="a")
        .cells[-1]
        .outputs[0]
        .text.split()[0]
    )
    names = {thread.id for thread in psutil.Process(int(parent)).threads()}
    assert names == {int(parent)}, "threads do not survive a fork"


@pytest.mark.slow
def test_a_forked_kernel_computes_and_shows_what_a_new_one_does(write_notebook, tmp_path, monkeypatch):
    notebook = write_notebook("trains", TRAINS)
    outputs = []
    for forked in (True, False):
        monkeypatch.setattr(kernels, "can_fork", lambda forked=forked: forked)
        store = tmp_path / f"store-{forked}"
        executed = execute(notebook, tmp_path / "out.ipynb", FMNIST_RUNS_DIR=str(store))
        outputs.append([o for cell in executed.cells if cell.cell_type == "code" for o in cell.outputs])
    forked, new = outputs
    assert len(forked) == len(new) >= 5
    for one, other in zip(forked, new, strict=True):
        assert one.output_type == other.output_type
        if "epoch" not in str(one.get("data")):  # the progress line says how long it took
            assert one == other


def test_a_kernel_that_is_killed_is_noticed(write_notebook, tmp_path):
    with pytest.raises(engine.NotebookError, match="dies.ipynb: its kernel died"):
        execute(write_notebook("dies", "import os\nos.kill(os.getpid(), 9)"), tmp_path / "out.ipynb")


def test_no_kernel_is_left(write_notebook, tmp_path):
    done = execute(write_notebook("pid", "import os\nprint(os.getpid())"), tmp_path / "out.ipynb")
    wait_until(lambda: not running(int(done.cells[-1].outputs[0].text)))


def test_a_kernel_keeps_to_its_memory_limit(write_notebook, tmp_path):
    notebook = write_notebook("greedy", "hoard = bytearray(3 * 2**30)")
    with pytest.raises(engine.NotebookError, match="MemoryError"):
        execute(notebook, tmp_path / "out.ipynb", **{kernels.MEMORY: "2000"})
    execute(notebook, tmp_path / "out.ipynb", **{kernels.MEMORY: "8000"})


def test_copies_do_not_draw_the_same(write_notebook, tmp_path):
    notebook = write_notebook("draws", "import numpy, random\nprint(numpy.random.rand(), random.random())")
    draws = [execute(notebook, tmp_path / "out.ipynb").cells[-1].outputs[0].text.split() for _ in range(2)]
    assert set(draws[0]).isdisjoint(draws[1])


def test_a_nursery_that_was_killed_is_replaced(write_notebook, tmp_path):
    notebook = write_notebook("parent", "import os\nprint(os.getppid())")
    parents = []
    for _ in range(2):
        parents.append(int(execute(notebook, tmp_path / "out.ipynb").cells[-1].outputs[0].text))
        psutil.Process(parents[-1]).kill()
        wait_until(lambda: not running(parents[-1]))
    assert parents[0] != parents[1]


def test_a_kernel_that_cannot_start_is_reported_in_a_sentence(write_notebook, tmp_path):
    with pytest.raises(engine.NotebookError, match="says.ipynb: its kernel did not start"):
        execute(write_notebook("says", SAYS), tmp_path / "out.ipynb", **{kernels.MEMORY: "1"})


@pytest.mark.parametrize("forked", [True, False])
def test_temporary_files_of_a_kernel_are_deleted_after_it(forked, write_notebook, tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "can_fork", lambda: forked)
    notebook = write_notebook("leaves", "import tempfile\nprint(tempfile.mkstemp()[1])")
    left = Path(execute(notebook, tmp_path / "out.ipynb").cells[-1].outputs[0].text.strip())
    assert left.parent.parent == Path(tempfile.gettempdir())
    assert not left.parent.exists()
