"""How many processor cores there are for whom. No TensorFlow here."""

import os


def available() -> int:
    """The cores that this process may use: its share, where OMP_NUM_THREADS gives one, else all it sees."""
    share = os.environ.get("OMP_NUM_THREADS", "")
    if share.isdigit() and int(share):
        return int(share)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share(processes: int) -> int:
    """The cores for each of several processes, at least one."""
    return max(1, available() // processes)
