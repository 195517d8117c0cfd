"""One notebook executed by papermill, whose engine is made to show each cell and each epoch as they pass."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from fmnist_utils.batch import kernels
from fmnist_utils.support import progress

_ENGINE = "fmnist_utils"
_COMPUTES = re.compile(r"\b(tensorflow|keras|training|models|sklearn)\b")  # the others are begun sooner
_running: dict["_Client", str] = {}

Say = Callable[[str, bool], None]  # (text, passing)


class NotebookError(RuntimeError):
    """A cell failed or the kernel died; the message says which and why."""


def say(text: str, passing: bool = False) -> None:
    """A line on the terminal; a passing one is overwritten by the next where that is possible."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{text[:width]:<{width}}", end="" if passing else "\n", flush=True)
    else:
        print(text, flush=True)


def execute(
    notebook: Path,
    output: Path,
    values: Mapping[str, Any],
    environment: Mapping[str, str],
    owner: str = "",
    say: Say = say,
) -> float:
    """Execute a notebook with papermill, in the notebook's folder; returns the seconds it took.

    ``output`` is written after each cell. ``values`` are for the parameters cell; ``environment`` is for the
    kernel, beside the variables of this process. ``owner`` is for whom it is: ``kill_kernels`` can end one
    owner's kernel. ``say`` is told what passes.

    Raises:
        NotebookError: a cell failed, or the kernel died or did not start; ``output`` holds what came before.
    """
    output.parent.mkdir(exist_ok=True)
    began = time.perf_counter()
    ours: dict[str, Any] = {"title": notebook.stem, "folder": str(notebook.parent), "environment": environment}
    ours |= {"owner": owner, "say": say}
    try:
        papermill.execute_notebook(
            str(notebook), str(output), dict(values), engine_name=_ENGINE, progress_bar=False, **ours
        )
    except PapermillExecutionError as error:
        why = error.evalue if len(error.evalue) <= 600 else f"{error.evalue[:600]} …"
        message = f"{notebook.name}, code cell {error.exec_count}: {error.ename}: {why}"
        raise NotebookError(message) from None
    except DeadKernelError:
        raise NotebookError(
            f"{notebook.name}: its kernel died, most likely for want of memory (about 2 GB are needed)."
        ) from None
    except RuntimeError as error:  # so says Jupyter
        raise NotebookError(f"{notebook.name}: its kernel did not start: {error}") from None
    return time.perf_counter() - began


def kill_kernels(owner: str | None = None) -> None:
    """End the kernels of what this process is executing, all or one owner's; each execution then fails."""
    for client, whose in list(_running.items()):
        process = getattr(getattr(client.km, "provisioner", None), "process", None)  # none before its start
        if process is not None and owner in (None, whose):
            with suppress(OSError):  # it ended in between
                process.kill()


class _Client(PapermillNotebookClient):
    """papermill's client, which also shows the progress lines of a training as they pass."""

    say: Say

    def process_message(self, msg, cell, cell_index):
        content = msg["content"]
        if content.get("metadata", {}).get(progress.PROGRESS):
            self.say(f"    {content['data']['text/plain']}", True)
        return super().process_message(msg, cell, cell_index)


class _Engine(NBClientEngine):
    """papermill's engine with a line for each cell."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man, kernel_name, title, folder, environment, owner, say, start_timeout=60, **options
    ):
        total = sum(cell.cell_type == "code" for cell in nb_man.nb.cells)
        number = 0
        start = nb_man.cell_start

        def cell_start(cell, index=None, **more):
            nonlocal number
            if cell.cell_type == "code":
                number += 1
                first_line = cell.source.strip().partition("\n")[0]
                say(f"{title}: cell {number}/{total}  {first_line}", True)
            start(cell, index, **more)

        nb_man.cell_start = cell_start
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            kernel_manager_class=kernels.KernelManager,
            shutdown_kernel="immediate",  # what it made is saved; a farewell would take a second
            startup_timeout=start_timeout,
            timeout=None,
            resources={"metadata": {"path": folder}},
        )
        client.say = say
        _running[client] = owner
        # A kernel that is ended does not clear away; TensorFlow leaves the source of each traced function.
        with tempfile.TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True) as scratch:
            variables = os.environ | dict(environment) | {"TMPDIR": scratch}
            if any(_COMPUTES.search(cell.source) for cell in nb_man.nb.cells if cell.cell_type == "code"):
                variables[kernels.COMPUTES] = "1"
            try:
                # What cells write to stderr reaches the notebook; this is the kernel's chatter about itself.
                return client.execute(stderr=subprocess.DEVNULL, env=variables)
            finally:
                del _running[client]


papermill_engines.register(_ENGINE, _Engine)
