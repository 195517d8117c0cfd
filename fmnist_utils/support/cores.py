"""How many processor cores there are for whom. No TensorFlow here."""

import os


def available() -> int:
    """The cores that this process may use: as OMP_NUM_THREADS says, where it is set, else all it sees."""
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    if allowed.isdigit() and int(allowed):
        return int(allowed)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def per_process(processes: int) -> int:
    """The cores for each of several processes, at least one."""
    return max(1, available() // processes)
