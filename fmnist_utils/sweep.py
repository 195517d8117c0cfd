"""Many runs of one notebook on Dask: here by default, or on the workers of any Dask scheduler.

    SWEEP/sweep.json        what was asked for; running, complete or stopped
    SWEEP/runs/KEY/         run.json · notebook.ipynb · models/ of one run, complete or failed
    SWEEP/results.csv       a row for each run and model; results.sqlite holds the same

A run's folder appears whole, when the run has ended, so the folder is consistent at any moment, and the same
command again does what is left. Nothing is shared with the workers but the connection to their scheduler.
"""

import os
import platform
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock

from fmnist_utils import batch, fingerprint, grid, progress, runs

POLL = 0.2  # seconds between two looks at what has come back
STARTUP = 12.0  # seconds of a run that do not depend on how much is trained, for the estimate


@dataclass
class Sweep:
    """A notebook, its planned runs and their folder.

    Attributes:
        notebook: what is run.
        folder: where the results go.
        planned: each run's parameters, defaults included, by key.
        done, failed: the keys of the runs that ended.
    """

    notebook: grid.Notebook
    folder: Path
    planned: dict[str, grid.Run]
    done: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    @property
    def left(self) -> list[str]:
        """The keys of the runs still to be done, failed ones among them: another try may succeed."""
        return [key for key in self.planned if key not in self.done]


def open_folder(notebook: grid.Notebook, planned: Sequence[grid.Run], folder: Path) -> Sweep:
    """The sweep as its folder has it: which of the planned runs are complete already."""
    complete = [notebook.complete(run) for run in planned]
    keyed = {f"{notebook.name}-{fingerprint.run(notebook.cells, run)}": run for run in complete}
    done = {key for key in keyed if (folder / "runs" / key / "notebook.ipynb").exists()}
    done = {key for key in done if runs.read_json(folder / "runs" / key / "run.json")["status"] == "complete"}
    return Sweep(notebook, folder, keyed, done)


def default_folder(notebook: grid.Notebook) -> Path:
    """Where a notebook's sweeps go when nobody names a folder: the same each time, so that they resume."""
    return runs.PROJECT / "runs" / f"sweep-{notebook.name}"


def run(sweep: Sweep, scheduler: str | None = None, jobs: int = 1) -> None:
    """Do what is left of a sweep.

    Args:
        sweep: from ``open_folder``.
        scheduler: address of a Dask scheduler; None starts workers on this machine.
        jobs: how many of them.

    Raises:
        RefusedError: another sweep has the folder.
        BatchError: the scheduler cannot be reached or was lost, or some of the runs failed.
    """
    from fmnist_utils import report

    if jobs < 1:
        raise batch.RefusedError(f"jobs is {jobs}; at least one run at a time is needed.")
    with _alone(sweep.folder):
        _clear(sweep.folder)
        state = {"status": "running", "notebook": sweep.notebook.name, "started": runs.now()}
        state |= {"runs": list(sweep.planned), "host": platform.node(), "process": os.getpid()}
        runs.write_json(sweep.folder / "sweep.json", state)
        ended = "stopped"
        try:
            _run_left(sweep, scheduler, jobs)
            ended = "complete"
        finally:
            report.write_table(sweep.folder)
            runs.write_json(sweep.folder / "sweep.json", state | {"status": ended, "ended": runs.now()})
    if sweep.failed:
        raise batch.BatchError(
            f"{len(sweep.failed)} of {len(sweep.planned)} runs failed. Their errors and notebooks, as far as "
            f"they came, are in {sweep.folder / 'runs'}. The same command tries them again."
        )


def described(sweep: Sweep, jobs: int) -> str:
    """What a sweep would do: its runs, and roughly how long those that are left would take.

    Args:
        sweep: from ``open_folder``.
        jobs: how many runs would go on at a time.
    """
    defaults = sweep.notebook.defaults
    names = [name for name in defaults if any(run[name] != defaults[name] for run in sweep.planned.values())]
    lines = [
        f"{'complete' if key in sweep.done else 'to do':<9} "
        + ", ".join(f"{name} {run[name]}" for name in names)
        for key, run in sweep.planned.items()
    ]
    lines.append(f"{len(lines)} runs of {sweep.notebook.name} into {sweep.folder}, {len(sweep.left)} to do")
    measured = runs.read_json(batch.SECONDS).get(sweep.notebook.name) if batch.SECONDS.exists() else None
    if measured:
        seconds = sum(_estimate(measured, sweep.planned[key], defaults) for key in sweep.left) / jobs
        lines.append(f"{jobs} at a time: roughly {progress.duration(seconds)}, by what the published run took")
    return "\n".join(lines)


def _estimate(measured: float, run: grid.Run, defaults: grid.Run) -> float:
    """Seconds for a run, from the seconds with the defaults: training grows with epochs and images."""
    training = max(measured - STARTUP, 0.0)
    for name in {"EPOCHS", "TRAIN_SIZE"} & set(defaults):
        training *= run[name] / defaults[name]
    return STARTUP + training


def _run_left(sweep: Sweep, scheduler: str | None, jobs: int) -> None:
    from fmnist_utils import cluster, worker  # not before: Dask takes a second to import

    with cluster.client(scheduler, jobs) as client:
        owner = uuid.uuid4().hex
        # A task, not scattered data: if every worker that holds it is lost, it can be made again.
        text = client.submit(str, sweep.notebook.text, key=f"notebook-{owner}")
        orders = [
            worker.Order(key, sweep.notebook.name, sweep.planned[key], fingerprint.package(), owner)
            for key in sweep.left
        ]
        futures = {
            client.submit(worker.execute, order, text, key=f"{order.key}-{owner}", pure=False): order
            for order in orders
        }
        try:
            _collect(sweep, client, futures)
        except BaseException:
            cluster.stop(client, list(futures), owner)
            raise


def _collect(sweep: Sweep, client: Any, futures: dict[Any, Any]) -> None:
    """Write each run's folder as its result comes back."""
    from distributed import as_completed

    shown = _Progress(sweep, client)
    coming = as_completed(futures, loop=client.loop, with_results=True, raise_errors=False)
    while futures:
        for future, result in coming.next_batch(block=False):
            order = futures.pop(future)
            if future.status in ("cancelled", "lost"):
                raise batch.BatchError(
                    f"The scheduler was lost, with {len(futures) + 1} runs still to come. The same command "
                    "goes on where this one ended."
                )
            if future.status == "error":
                result = _without_result(order, result)
            _record(sweep, result)
            future.release()  # the workers need not keep it
            shown.ended(result.state)
        shown.tick()
        time.sleep(POLL)


def _without_result(order: Any, error: tuple) -> Any:
    """The result of a run that gave none: its worker was lost too often, or could not start it."""
    from fmnist_utils import worker

    message = f"{error[0].__name__}: {error[1]}" if isinstance(error, tuple) else str(error)
    state = {"key": order.key, "notebook": order.notebook, "parameters": order.parameters, "status": "failed"}
    return worker.Result(state | {"error": message[:600], "started": runs.now(), "seconds": 0.0}, {})


def _record(sweep: Sweep, result: Any) -> None:
    """Keep a run that has ended: its folder, whole, in the place of one that failed before."""
    key = result.state["key"]
    target = sweep.folder / "runs" / key

    def fill(beside: Path) -> None:
        for name, content in result.files.items():
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            (beside / name).write_bytes(content)
        runs.write_json(beside / "run.json", result.state)

    runs.discard(target)
    runs.store(target, fill)
    (sweep.done if result.state["status"] == "complete" else sweep.failed).add(key)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep another sweep out of the folder; the system frees the lock when this process ends, however."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock", blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise batch.RefusedError(
            f"Another sweep is writing into {folder}. Wait for it, or name another folder with --to."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _clear(folder: Path) -> None:
    """Delete what a killed sweep had begun to write."""
    for unfinished in (folder / "runs").glob(".*"):
        runs.discard(unfinished)


class _Progress:
    """A line that says how far the sweep is."""

    def __init__(self, sweep: Sweep, client: Any) -> None:
        self._sweep, self._client = sweep, client
        self._began = self._shown = time.monotonic()
        self._total = len(sweep.left)
        self._ended = 0
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
            parts.append(f"{progress.duration(each * left)} left")
        return f"{len(sweep.planned)} runs: " + ", ".join(parts)

    def _say(self, text: str) -> None:
        self._shown = time.monotonic()
        print(text, flush=True)
