"""Many runs of one notebook on Dask: here by default, or on the workers of any Dask scheduler.

    SWEEP/sweep.json        what was asked for; running, stopped, killed, failed (some of its runs) or complete
    SWEEP/runs/KEY/         run.json · notebook.ipynb · models/ of one run, complete or failed
    SWEEP/aside/            such folders that could not be read any more
    SWEEP/results.csv       a row for each run and model

A run's folder appears whole, when the run has ended, so the folder is consistent at any moment, and the same
command again does what is left. Nothing is shared with the workers but the connection to their scheduler.
"""

import math
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock

from fmnist_utils import runs
from fmnist_utils.batch import grid, series, states
from fmnist_utils.support import files, fingerprint, formatting, terminal

POLL = 0.2  # seconds between two looks at what has come back
STARTUP = 5.0  # seconds of a run that do not depend on how much is trained, for the estimate


@dataclass
class Sweep:
    """A notebook, its planned runs and the folder for their results."""

    notebook: grid.Notebook
    folder: Path
    planned: dict[str, grid.Run]  # each run's parameters, defaults included, by key
    done: set[str] = field(default_factory=set)  # the keys of the runs that ended
    failed: set[str] = field(default_factory=set)

    @property
    def left(self) -> list[str]:
        """The keys of the runs still to be done, failed ones among them: another try may succeed."""
        return [key for key in self.planned if key not in self.done]


def open_folder(notebook: grid.Notebook, planned: Sequence[grid.Run], folder: Path) -> Sweep:
    """The sweep as its folder has it: which of the planned runs are complete already."""
    complete = [notebook.complete(run) for run in planned]
    keyed = {f"{notebook.name}-{fingerprint.run(notebook.cells, run)}": run for run in complete}
    found, _ = states.entries(folder)
    done = {key for key in keyed if found.get(key, {}).get("status") == "complete"}
    return Sweep(notebook, folder, keyed, done)


def default_folder(notebook: grid.Notebook) -> Path:
    """Where a notebook's sweeps go when nobody names a folder: the same each time, so that they resume."""
    return files.PROJECT / "runs" / f"sweep-{notebook.name}"


def run(sweep: Sweep, scheduler: str | None = None, jobs: int = 1) -> None:
    """Do what is left of a sweep; a run that fails is in ``sweep.failed`` afterwards.

    Without the address of a Dask scheduler, it starts ``jobs`` workers on this machine.

    Raises:
        RefusedError: another sweep has the folder, or a worker cannot do these runs.
        BatchError: the scheduler cannot be reached or was lost.
    """
    from fmnist_utils.batch import report  # not before: pandas and Dask take a second to import

    with _exclusively(sweep.folder):
        _clear(sweep)
        state = states.begun() | {"notebook": sweep.notebook.name, "runs": list(sweep.planned)}
        files.write_json(sweep.folder / "sweep.json", state)
        ended = "stopped"
        try:
            if sweep.left:
                _run_left(sweep, scheduler, jobs)
            ended = "failed" if sweep.failed else "complete"
        finally:
            try:
                files.write_json(sweep.folder / "sweep.json", state | {"status": ended, "ended": runs.now()})
                report.write_table(sweep.folder)
            except OSError as error:  # the first one may be on its way; `report` writes the table another time
                runs.log.warning("The sweep's state or table could not be written: %s.", error)


def described(sweep: Sweep, jobs: int) -> str:
    """What a sweep would do: its runs, and roughly how long what is left would take, ``jobs`` at a time."""
    defaults = sweep.notebook.defaults
    names = [name for name in defaults if any(run[name] != defaults[name] for run in sweep.planned.values())]
    lines = [
        f"{'complete' if key in sweep.done else 'to do':<9} "
        + ", ".join(f"{name} {run[name]}" for name in names)
        for key, run in sweep.planned.items()
    ]
    lines.append(f"{len(lines)} runs of {sweep.notebook.name} into {sweep.folder}, {len(sweep.left)} to do")
    if not sweep.left:
        return "\n".join(lines)
    seconds = _seconds_with_defaults(sweep)
    if seconds:
        total = sum(STARTUP + (seconds - STARTUP) * _relative_size(sweep, key) for key in sweep.left)
        lines.append(f"{jobs} at a time: roughly {formatting.duration(total / jobs)}, by runs that were timed")
    else:
        lines.append("no estimate of the time: no run of it has been timed yet")
    return "\n".join(lines)


def _seconds_with_defaults(sweep: Sweep) -> float | None:
    """What a run with all defaults takes: by this folder's complete runs, or else by the published run."""
    found, _ = states.entries(sweep.folder)
    timed = {key: found[key]["seconds"] for key in sweep.done}
    if timed:
        training = [max(seconds - STARTUP, 0.0) / _relative_size(sweep, key) for key, seconds in timed.items()]
        return STARTUP + statistics.median(training)
    return series.published_seconds().get(sweep.notebook.name)


def _relative_size(sweep: Sweep, key: str) -> float:
    """How much is trained in a run, as a share of what the defaults train: by epochs and images."""
    defaults = sweep.notebook.defaults
    names = {"EPOCHS", "TRAIN_SIZE"} & set(defaults)
    return math.prod(sweep.planned[key][name] / defaults[name] for name in names)


def _run_left(sweep: Sweep, scheduler: str | None, jobs: int) -> None:
    from distributed.comm import CommClosedError

    from fmnist_utils.batch import cluster, worker

    with cluster.client(scheduler, jobs) as client:
        cluster.require_compatible(client)
        owner, futures = uuid.uuid4().hex, {}
        program, package = fingerprint.program(sweep.notebook.cells), fingerprint.package()
        try:
            # A task, not scattered data: if every worker that holds it is lost, it can be made again.
            text = client.submit(str, sweep.notebook.text, key=f"notebook-{owner}")
            for key in sweep.left:
                order = worker.Order(key, sweep.notebook.name, sweep.planned[key], program, package)
                futures[client.submit(worker.execute, order, text, key=f"{key}-{owner}", pure=False)] = order
            _collect(sweep, client, futures)
        except BaseException as error:
            cluster.cancel(client, list(futures))
            if isinstance(error, CommClosedError):  # it may be lost just when it is asked something
                raise _lost(len(futures)) from None
            raise


def _collect(sweep: Sweep, client: Any, futures: dict[Any, Any]) -> None:
    """Write each run's folder as its result comes back."""
    from distributed import as_completed

    from fmnist_utils.batch import worker

    shown = _Progress(sweep, client)
    coming = as_completed(futures, loop=client.loop, with_results=True, raise_errors=False)
    while futures:
        for future, result in coming.next_batch(block=False):
            order = futures.pop(future)
            if future.status == "cancelled":
                raise _lost(len(futures) + 1)
            if not isinstance(result, worker.Result):
                result = _without_result(order, result)
            _record(sweep, result)
            future.release()  # the workers need not keep it
            shown.ended(result.state)
        if client.status != "running" or any(future.status == "cancelled" for future in futures):
            raise _lost(len(futures))
        shown.tick()
        time.sleep(POLL)


def _lost(count: int) -> series.BatchError:
    return series.BatchError(
        f"The scheduler was lost, with {count} runs still to come. The same command goes on where this ended."
    )


def _without_result(order: Any, error: tuple) -> Any:
    """The result of a run that gave none: its worker was lost too often, or could not start it."""
    from fmnist_utils.batch import worker

    message = f"{error[0].__name__}: {error[1]}" if isinstance(error, tuple) else str(error)
    state = {"key": order.key, "notebook": order.notebook, "program": order.program, "status": "failed"}
    state |= {"parameters": order.parameters}
    return worker.Result(state | {"error": message[:600], "started": runs.now(), "seconds": 0.0}, {})


def _record(sweep: Sweep, result: Any) -> None:
    """Keep a run that has ended: its folder, whole, in the place of one that failed before."""
    key = result.state["key"]
    target = sweep.folder / "runs" / key

    def fill(beside: Path) -> None:
        for name, content in result.files.items():
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            (beside / name).write_bytes(content)
        sizes = {name: len(content) for name, content in result.files.items()}
        files.write_json(beside / "run.json", result.state | {"files": sizes})

    try:
        files.discard(target)
        files.store(target, fill)
    except OSError as error:
        kept = files.store(Path(tempfile.mkdtemp(prefix="fmnist-")) / key, fill)
        raise series.BatchError(
            f"A run could not be kept in the sweep's folder ({error}). It is in {kept}: move it to {target} "
            "once there is room, and the same command goes on from there."
        ) from None
    (sweep.done if result.state["status"] == "complete" else sweep.failed).add(key)


def _clear(sweep: Sweep) -> None:
    """Remove what a killed sweep had begun to write, and set aside what stands in the way and is no run."""
    for unfinished in (sweep.folder / "runs").glob(".*"):
        files.discard(unfinished)
    _, faults = states.entries(sweep.folder)
    for path, fault in faults.items():
        if path.name in sweep.planned:
            runs.log.warning("Done anew, and the old one is in %s: %s.", files.set_aside(path), fault)


@contextmanager
def _exclusively(folder: Path) -> Iterator[None]:
    """Keep another sweep out of the folder; the system frees the lock when this process ends, however."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock", blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise series.RefusedError(
            f"Another sweep is writing into {folder}. Wait for it, or name another folder with --to."
        ) from None
    except OSError as error:
        runs.log.warning("No other sweep may use %s now: it cannot be locked (%s).", folder, error.strerror)
    try:
        yield
    finally:
        if lock.is_locked:
            lock.release()


class _Progress:
    """A line that says how far the sweep is."""

    def __init__(self, sweep: Sweep, client: Any) -> None:
        self._sweep, self._client = sweep, client
        self._began = self._shown = time.monotonic()
        self._total, self._ended = len(sweep.left), 0
        self._say(self._line())

    def ended(self, state: dict[str, Any]) -> None:
        self._ended += 1
        if state["status"] == "failed":
            self._say(f"failed: {state['key']}: {state['error']}")
        self._say(self._line())

    def tick(self, every: float = 10.0) -> None:
        """Show that time passes, on a terminal."""
        if sys.stdout.isatty() and time.monotonic() - self._shown > every:
            self._say(self._line())

    def _line(self) -> str:
        sweep, left = self._sweep, self._total - self._ended
        threads = sum(self._client.nthreads().values())
        parts = [f"{len(sweep.done)} done", f"{len(sweep.failed)} failed", f"{min(threads, left)} running"]
        if not threads:
            parts.append("no worker has come yet")
        if left and self._ended:
            each = (time.monotonic() - self._began) / self._ended
            parts.append(f"{formatting.duration(each * left)} left")
        return f"{len(sweep.planned)} runs: " + ", ".join(parts)

    def _say(self, text: str) -> None:
        self._shown = time.monotonic()
        terminal.say(text)
