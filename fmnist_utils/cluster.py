"""Dask for a sweep: workers on this machine, or a scheduler that has its own."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import distributed
from distributed.system import MEMORY_LIMIT

from fmnist_utils import batch, cores, worker

MEMORY_A_RUN = 2 * 2**30  # bytes; TensorFlow and the data of one notebook
PATIENCE = "15s"  # for a scheduler's first answer


def local_jobs() -> int:
    """How many runs at a time suit this machine: a core and two gigabytes each."""
    return max(1, min(cores.available(), MEMORY_LIMIT // MEMORY_A_RUN))


@contextmanager
def client(scheduler: str | None, jobs: int) -> Iterator[distributed.Client]:
    """A client of the named scheduler; or, without one, of ``jobs`` workers on this machine.

    Raises:
        BatchError: no scheduler answers there.
    """
    logging.getLogger("distributed").setLevel(logging.ERROR)  # it tells of each connection
    if not scheduler:
        with _local_cluster(jobs) as cluster, distributed.Client(cluster, set_as_default=False) as found:
            found.register_plugin(_NoCtrlC())
            yield found
        return
    try:
        found = distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise batch.BatchError(f"No Dask scheduler answers at {scheduler} ({error}).") from None
    with found:
        yield found


def stop(client: distributed.Client, futures: list[distributed.Future], owner: str) -> None:
    """End a sweep's runs, those that wait and those that run; Ctrl-C does not interrupt that."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with suppress(Exception):  # the connection may be what was lost
            client.cancel(futures, force=True)
            client.run(worker.stop, owner, on_error="ignore")
    finally:
        signal.signal(signal.SIGINT, before)


def _local_cluster(jobs: int) -> distributed.LocalCluster:
    return distributed.LocalCluster(
        n_workers=jobs,
        threads_per_worker=1,
        memory_limit=MEMORY_LIMIT // jobs,
        env={"OMP_NUM_THREADS": str(cores.share(jobs))},
        dashboard_address="127.0.0.1:0",
        silence_logs="CRITICAL",
    )


class _NoCtrlC(distributed.WorkerPlugin):
    """Ctrl-C in a terminal reaches all its processes; here it is for the command to deal with."""

    def setup(self, worker: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
