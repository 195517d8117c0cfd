"""One run of a sweep, on whichever machine: the notebook comes as text, what it made goes back as bytes."""

import platform
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import distributed

from fmnist_utils import runs
from fmnist_utils.batch import engine, kernels
from fmnist_utils.support import cores, fingerprint, sources

INCOMPATIBLE_SECONDS = 30.0  # so that a machine that joins late with another version cannot eat the grid
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # Dask sets all to 1
_KEPT = ("notebook.ipynb", "models/*/*", "*.csv", "test_labels.log")


@dataclass(frozen=True)
class Order:
    """A run that a worker is asked to do; its key stands for the fingerprints ``program`` and ``package``."""

    key: str
    notebook: str  # its name, without ending
    parameters: dict[str, Any]
    program: str
    package: str


@dataclass(frozen=True)
class Result:
    """What a worker gives back: ``state``, which becomes ``run.json``, and the run's files by relative path."""

    state: dict[str, Any]
    files: dict[str, bytes] = field(repr=False)


def execute(order: Order, text: str) -> Result:
    """Execute one run of a notebook, given as JSON, in a folder of its own, which is deleted afterwards.

    The result is "complete", or "failed" with its error and its notebook as far as it came.
    """
    worker = distributed.get_worker()
    state: dict[str, Any] = {"key": order.key, "notebook": order.notebook, "program": order.program}
    state |= {"parameters": order.parameters, "started": runs.now(), "environment": environment()}
    began = time.perf_counter()
    place = tempfile.TemporaryDirectory(dir=worker.local_directory, prefix="run-", ignore_cleanup_errors=True)
    with place as beside:
        folder = Path(beside)
        try:
            _require(order.package)
            source, output = folder / f"{order.notebook}.ipynb", folder / "notebook.ipynb"
            source.write_text(text, encoding="utf-8")
            variables = _limits(worker) | {"FMNIST_RUNS_DIR": str(folder)}
            with _ended_with_its_task(worker) as task:
                engine.execute(source, output, order.parameters, variables, owner=task, say=lambda *_: None)
            _require(order.package)  # it may have been edited meanwhile
            state |= {"status": "complete"}
        except Exception as error:  # whatever it is, it is this run's, and its notebook is worth keeping
            name = "" if isinstance(error, RuntimeError) else f"{type(error).__name__}: "
            state |= {"status": "failed", "error": f"{name}{error}"}
        state |= {"seconds": round(time.perf_counter() - began, 2), "models": runs.finished(folder)}
        return Result(state, _files(folder))


def incompatibility(package: str) -> str | None:
    """Why this machine cannot do a sweep's runs; None if it can. Fetches the data if need be."""
    try:
        if fingerprint.package_now() != package:
            return "has another version of fmnist_utils. Install the same one there"
        sources.fetch()
    except (sources.DataError, OSError) as error:
        return f"has no data: {error}"
    return None


def _require(package: str) -> None:
    if fingerprint.package_now() != package:
        time.sleep(INCOMPATIBLE_SECONDS)
        raise RuntimeError(
            f"{platform.node()} has another version of fmnist_utils. Install the same one there."
        )


@contextmanager
def _ended_with_its_task(worker: distributed.Worker) -> Iterator[str]:
    """Kill the kernel of this task, by whose key it goes, when nobody waits for the result any more."""
    task, over = str(worker.get_current_task()), threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            known = worker.state.tasks.get(task)
            if known is None or known.state != "executing":
                engine.kill_kernels(task)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield task
    finally:
        over.set()
        thread.join()


def environment() -> dict[str, Any]:
    """On what a run was executed, for its line in the table."""
    found: dict[str, Any] = {"host": platform.node(), "system": f"{platform.system()} {platform.machine()}"}
    found |= {"processor": _processor(), "cores": cores.available(), "python": platform.python_version()}
    return found | {package: version(package) for package in ("tensorflow", "keras", "numpy")}


def _limits(worker: distributed.Worker) -> dict[str, str]:
    """What a kernel may have of its worker's machine: cores as the worker counts them, memory by threads."""
    limits = dict.fromkeys(_THREADS, str(cores.available()))
    limit = worker.memory_manager.memory_limit
    if limit:
        limits[kernels.MEMORY] = str(limit // worker.state.nthreads // 2**20)
    return limits


def _files(folder: Path) -> dict[str, bytes]:
    found = [path for pattern in _KEPT for path in folder.glob(pattern)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found if path.is_file()}


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
