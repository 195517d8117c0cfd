"""What the notebook tests share: which outputs are cited, and nbval's verdict cell by cell."""

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

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


def nbval(notebook: Path, store: Path, report: Path) -> dict[int, bool]:
    """Run nbval, not lax, on a notebook, in a store of its own.

    Returns:
        For each code cell, counted from 0 as nbval does, whether it passed.
    """
    command = [sys.executable, "-m", "pytest", "--nbval", str(notebook), f"--junitxml={report}"]
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(notebook.parent)]
    environment = os.environ | {"FMNIST_RUNS_DIR": str(store)}
    done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True)
    if not report.exists():
        raise RuntimeError(done.stdout + done.stderr)
    return {
        int(case.get("name").split()[-1]): case.find("failure") is None and case.find("error") is None
        for case in ElementTree.parse(report).iter("testcase")
    }


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for a condition, and fail if it does not come."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


def running(pid: int) -> bool:
    """Whether there is such a process, other than as a zombie."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
