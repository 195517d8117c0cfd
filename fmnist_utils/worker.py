"""One run of a sweep, on whichever machine: the notebook comes as text, what it made goes back as bytes."""

import platform
import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import distributed

from fmnist_utils import cores, engine, fingerprint, limits, runs

_KEPT = ("notebook.ipynb", "models/*/*", "*.csv", "test_labels.log")


@dataclass(frozen=True)
class Order:
    """What a worker is asked to do.

    Attributes:
        key: the run's.
        notebook: the notebook's name, without ending.
        parameters: values for its parameters cell.
        package: the fingerprint of the package for which the key stands.
        sweep: whose run it is.
    """

    key: str
    notebook: str
    parameters: dict[str, Any]
    package: str
    sweep: str


@dataclass(frozen=True)
class Result:
    """What a worker gives back: ``state``, which becomes ``run.json``, and the run's files by relative path."""

    state: dict[str, Any]
    files: dict[str, bytes] = field(repr=False)


def execute(order: Order, text: str) -> Result:
    """Execute one run in a folder of its own, which is deleted afterwards.

    Args:
        order: what to run.
        text: the notebook, as JSON.

    Returns:
        The run, "complete", or "failed" with its error and its notebook as far as it came.
    """
    state = {"key": order.key, "notebook": order.notebook, "parameters": order.parameters}
    state |= {"started": runs.now(), "environment": environment()}
    if fingerprint.package() != order.package:
        error = f"{platform.node()} has another version of fmnist_utils. Install the same one there."
        return Result(state | {"status": "failed", "error": error, "seconds": 0.0}, {})
    worker = distributed.get_worker()
    with tempfile.TemporaryDirectory(dir=worker.local_directory, prefix="run-") as beside:
        folder = Path(beside)
        source = folder / f"{order.notebook}.ipynb"
        source.write_text(text, encoding="utf-8")
        began = time.perf_counter()
        try:
            engine.execute(
                source,
                folder / "notebook.ipynb",
                order.parameters,
                _share(worker) | {"FMNIST_RUNS_DIR": str(folder)},
                owner=order.sweep,
                say=_quiet,
            )
            state |= {"status": "complete"}
        except engine.NotebookError as error:
            state |= {"status": "failed", "error": str(error)}
        state |= {"seconds": round(time.perf_counter() - began, 2), "models": runs.finished(folder)}
        return Result(state, _files(folder))


def stop(sweep: str) -> None:
    """End the kernels of a sweep on this worker."""
    engine.kill_kernels(sweep)


def environment() -> dict[str, Any]:
    """On what a run was executed, for its line in the table."""
    packages = ("tensorflow", "keras", "numpy")
    return {
        "host": platform.node(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": cores.available(),
        "python": platform.python_version(),
    } | {package: version(package) for package in packages}


def _share(worker: distributed.Worker) -> dict[str, str]:
    """A kernel's share of its worker's machine: cores as the worker counts them, memory for each thread."""
    share = {"OMP_NUM_THREADS": str(cores.available())}
    limit = worker.memory_manager.memory_limit
    if limit:
        share[limits.MEMORY] = str(limit // worker.state.nthreads // 2**20)
    return share


def _files(folder: Path) -> dict[str, bytes]:
    found = [path for pattern in _KEPT for path in folder.glob(pattern)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found if path.is_file()}


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _quiet(text: str, passing: bool = False) -> None:
    """What passes in one of many runs is of no interest."""
    del text, passing
