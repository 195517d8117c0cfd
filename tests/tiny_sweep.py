"""What the tests of sweeps share: a notebook that costs nothing, and a scheduler with workers of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from distributed import Client
from helpers import wait_until

from fmnist_utils.support import files

# A run that costs nothing: it leaves a model's metrics, and what it was given.
PARAMETERS = """SEED: int = 0  # of the draw
RATE: float = 0.5  # adds to the score
SLEEP: float = 0.0  # seconds
FAIL: int = -1  # the seed that fails
PRECISION: str = "auto"  # a name that the lessons have, as a column of the table has too
MODEL: str = "all"  # likewise"""
WORK = """import os, time
from fmnist_utils import runs
from fmnist_utils.support import files
print("cores", os.environ["OMP_NUM_THREADS"], "memory", os.environ.get("FMNIST_MEMORY_MB"))
folder = runs.runs_dir() / "models" / "tiny-0123456789ab"
files.write_json(folder / "metrics.json", {
    "name": "tiny", "parameters": 7, "precision": "float32", "accuracy": 1.0, "loss": 0.1, "seconds": 0.1,
    "val_accuracy": round(RATE + SEED / 1000, 4), "val_loss": 0.2})
(folder / "model.keras").write_bytes(b"weights")"""
WAIT = """if os.environ.get("TRACE"):
    open(os.path.join(os.environ["TRACE"], f"{os.getpid()}-{SEED}"), "w").close()
time.sleep(SLEEP)
if SEED == FAIL:
    raise ValueError("no more wool")"""


@pytest.fixture
def notebook(write_notebook) -> Path:
    return write_notebook("tiny", WORK, WAIT, parameters=PARAMETERS)


@pytest.fixture
def trace(tmp_path, monkeypatch) -> Path:
    """A folder in which each kernel that begins leaves a file named by its process and its seed."""
    folder = tmp_path / "trace"
    folder.mkdir()
    monkeypatch.setenv("TRACE", str(folder))
    return folder


def begun(trace: Path) -> list[tuple[int, int]]:
    return [tuple(map(int, path.name.split("-"))) for path in trace.iterdir()]


def command(notebook: Path, folder: Path, *options: str) -> list[str]:
    start = [sys.executable, "-m", "fmnist_utils", "sweep", str(notebook), "--to", str(folder)]
    return [*start, *options]


def states(folder: Path) -> list[dict]:
    return [files.read_json(path) for path in folder.glob("runs/[!.]*/run.json")]


def left_behind(folder: Path) -> list[Path]:
    return list((folder / "runs").glob(".*"))


@pytest.fixture
def scheduler(tmp_path, trace):
    """A scheduler and two workers, each a process of its own; gives its address, the workers and itself."""
    address_file, processes = tmp_path / "scheduler.json", []

    def start(*arguments: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
        )
        processes.append(process)
        return process

    options = ["--host", "127.0.0.1", "--no-dashboard"]
    start("scheduler", *options, "--port", "0", "--scheduler-file", str(address_file))
    wait_until(address_file.exists)
    address = json.loads(address_file.read_text())["address"]
    workers = [
        start("worker", address, *options, "--nthreads", "1", "--no-nanny", "--memory-limit", "1GiB")
        for _ in range(2)
    ]
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    yield address, workers, processes[0]
    for process in processes:
        process.kill()
        process.wait()
