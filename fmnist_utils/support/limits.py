"""What a container or a batch system lets this process have of its machine. No TensorFlow here.

On Linux that is said by control groups, in version 1 or 2. A group lies in others, and each of them may be
limited, so all are read, from this process's own up to the outermost one that can be seen.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import psutil

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def cores() -> float:
    """The processor time that this process may use, in cores; infinite where nothing limits it."""
    limits = [math.inf]
    for folder in _folders("cpu"):
        quota, period = _read(folder / "cpu.max") or [  # version 2 has both in one file
            *(_read(folder / "cpu.cfs_quota_us") or [math.inf]),
            *(_read(folder / "cpu.cfs_period_us") or [1]),
        ]
        limits += [quota / period] if quota > 0 else []  # -1 is none
    return min(limits)


def memory() -> int:
    """The memory that this process may use, in bytes: the machine's, or less."""
    names = ("memory.max", "memory.high", "memory.limit_in_bytes")
    limits = [limit for folder in _folders("memory") for name in names for limit in _read(folder / name)]
    return int(min([psutil.virtual_memory().total, *limits]))


def _folders(controller: str) -> Iterator[Path]:
    """The folders of the groups that this process is in, as far as they can be seen from where it is."""
    lines = _OWN.read_text(encoding="utf-8").splitlines() if os.access(_OWN, os.R_OK) else []
    for _, controllers, group in (line.split(":", 2) for line in lines if line.count(":") > 1):
        if not controllers or controller in controllers.split(","):  # version 2 names none
            trees = {_GROUPS / controllers, _GROUPS / controller} if controllers else {_GROUPS}
            for place in (PurePosixPath(group), *PurePosixPath(group).parents):
                yield from (tree / place.relative_to("/") for tree in trees)


def _read(path: Path) -> list[float]:
    """The numbers in a file of a group's; none where there is no such file."""
    try:
        return [float(word.replace("max", "inf")) for word in path.read_text(encoding="utf-8").split()]
    except (OSError, ValueError):
        return []
