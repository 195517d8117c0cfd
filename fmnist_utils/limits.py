"""A process's memory limit, given by whoever starts it. No TensorFlow here."""

import os
from contextlib import suppress

MEMORY = "FMNIST_MEMORY_MB"


def apply() -> None:
    """Let no more memory be had than FMNIST_MEMORY_MB says, where it is set and the system can do that.

    What counts is the memory that the process writes to, on Linux close to what it occupies. What asks for
    more gets a ``MemoryError``, or ends.
    """
    megabytes = os.environ.get(MEMORY, "")
    if not megabytes.isdigit():
        return
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limit, macOS does not keep to it
        import resource

        limit = int(megabytes) * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
