"""Dask for a sweep: workers on this machine, or a scheduler that has its own."""

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import dask
import distributed
import distributed.comm

from fmnist_utils.batch import series, worker
from fmnist_utils.support import cores, fingerprint, limits

PATIENCE = 15.0  # seconds, for a scheduler's first answer


@contextmanager
def client(scheduler: str | None, jobs: int) -> Iterator[distributed.Client]:
    """A client of the named scheduler; or, without one, of ``jobs`` workers on this machine.

    Raises:
        BatchError: no scheduler answers there.
    """
    for name in ("distributed", "distributed.client", "tornado", "asyncio"):  # of connections, at length
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if not scheduler:
        options = {
            "distributed.nanny.pre-spawn-environ": {},  # it would change this process's environment too
            "distributed.worker.profile.enabled": False,  # an hour of stack samples is 200 MB a worker
        }
        with (
            dask.config.set(options),
            _local_cluster(jobs) as cluster,
            distributed.Client(cluster, set_as_default=False) as found,
        ):
            found.register_plugin(_NoCtrlC())
            yield found
        return
    try:
        asyncio.run(_connect(scheduler))
    except (OSError, ValueError, TypeError) as error:  # the last for tls:// without certificates
        raise series.BatchError(f"No Dask scheduler answers at {scheduler} ({error}).") from None
    with distributed.Client(scheduler, set_as_default=False) as found:
        yield found


async def _connect(scheduler: str) -> None:
    """Connect once and go; a ``Client`` that finds nobody would talk for half a minute."""
    arguments = distributed.Security().get_connection_args("client")
    comm = await distributed.comm.connect(scheduler, timeout=PATIENCE, **arguments)
    await comm.close()


def require_compatible(client: distributed.Client) -> None:
    """Look at every worker that is there, or comes within some seconds if none is.

    Raises:
        RefusedError: names each whose package is not this one, or that has no data.
    """
    with suppress(TimeoutError):
        client.wait_for_workers(1, timeout=PATIENCE)
    answers = client.run(worker.incompatibility, fingerprint.package(), on_error="return")
    wrong = [
        f"{address} {f'cannot load fmnist_utils as it is here: {why!r}' if isinstance(why, Exception) else why}"
        for address, why in answers.items()
        if why is not None
    ]
    if wrong:
        raise series.RefusedError("Not every worker can do these runs. " + "; ".join(wrong) + ".")


def cancel(client: distributed.Client, futures: list[distributed.Future]) -> None:
    """Call off a sweep's runs, those that wait and those that run; signals do not interrupt that."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with suppress(Exception):  # the connection may be what was lost
            client.cancel(futures, force=True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _local_cluster(jobs: int) -> distributed.LocalCluster:
    return distributed.LocalCluster(
        host="127.0.0.1",  # whoever reaches these ports can run programs here
        n_workers=jobs,
        threads_per_worker=1,
        memory_limit=limits.memory() // jobs,
        env={"OMP_NUM_THREADS": str(cores.per_process(jobs))} | series.data_folders(),
        dashboard_address="127.0.0.1:0",
        silence_logs="CRITICAL",
    )


class _NoCtrlC(distributed.WorkerPlugin):
    """Ctrl-C in a terminal reaches all its processes; here it is for the command to deal with."""

    def setup(self, worker: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
