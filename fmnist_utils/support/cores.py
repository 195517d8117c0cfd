"""How many processor cores there are for whom. No TensorFlow here."""

import math
import os

from fmnist_utils.support import limits


def available() -> int:
    """The cores that this process may use: as OMP_NUM_THREADS says, where it is set, else all that it gets."""
    allowed = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # others are for nested loops
    if allowed.isascii() and allowed.isdigit() and int(allowed):
        return int(allowed)
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return math.ceil(min(seen, limits.cores()))


def per_process(processes: int) -> int:
    """The cores for each of several processes, at least one."""
    return max(1, available() // processes)
