"""What the tests share: which outputs of a notebook are cited, and how to wait."""

import time
from collections.abc import Callable

import nbformat
import psutil

from fmnist_utils import parameters
from fmnist_utils.batch import series

NOTEBOOKS = series.lessons()
IGNORED = "nbval-ignore-output"

# Values that make each notebook short; what a notebook does not define is left out by ``batch``.
SMALL = {name: rule.small for name, rule in parameters.RULES.items() if getattr(rule, "small", None)}


def cited_texts(cell: nbformat.NotebookNode) -> list[tuple[nbformat.NotebookNode, str]]:
    """The outputs of a cell that nbval compares: each with the key that holds its text."""
    if cell.cell_type != "code" or IGNORED in cell.metadata.get("tags", []):
        return []
    texts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            texts.append((output, "text"))
        elif "data" in output and "image/png" not in output.data:
            texts.append((output.data, "text/plain"))
    return texts


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for a condition, and fail if it does not come."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


def running(pid: int) -> bool:
    """Whether there is such a process, other than as a zombie."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
