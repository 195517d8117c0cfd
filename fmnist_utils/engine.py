"""papermill's engine, made to show what runs: each cell, and the epochs of a training as they pass."""

import shutil
import subprocess
import sys
from contextlib import suppress

import nbformat
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from fmnist_utils import progress

ENGINE = "fmnist_utils"
_running: set["_Client"] = set()


class _Client(PapermillNotebookClient):
    """papermill's client, which also shows the progress lines of a training as they pass."""

    def process_message(self, msg, cell, cell_index):
        content = msg["content"]
        if content.get("metadata", {}).get(progress.PROGRESS):
            say(f"    {content['data']['text/plain']}", passing=True)
        return super().process_message(msg, cell, cell_index)


def kill_kernels() -> None:
    """End the kernels of all notebooks that this process is executing; each execution then fails."""
    for client in list(_running):
        process = getattr(getattr(client.km, "provisioner", None), "process", None)  # none before its start
        if process is not None and process.poll() is None:
            with suppress(OSError):  # it ended in between
                process.kill()


class _Engine(NBClientEngine):
    """papermill's engine with a line for each cell."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, title="", folder="", start_timeout=60, **options):
        total = sum(cell.cell_type == "code" for cell in nb_man.nb.cells)
        number = 0
        start = nb_man.cell_start

        def cell_start(cell, index=None, **more):
            nonlocal number
            if cell.cell_type == "code":
                number += 1
                say(f"{title}: cell {number}/{total}  {_first_line(cell)}", passing=True)
            start(cell, index, **more)

        nb_man.cell_start = cell_start
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            timeout=None,
            resources={"metadata": {"path": folder}},
        )
        _running.add(client)
        try:
            # What cells write to stderr reaches the notebook; this is the kernel's own chatter about itself.
            return client.execute(stderr=subprocess.DEVNULL)
        finally:
            _running.discard(client)


papermill_engines.register(ENGINE, _Engine)


def _first_line(cell: nbformat.NotebookNode) -> str:
    return cell.source.strip().partition("\n")[0]


def say(text: str, passing: bool = False) -> None:
    """A line on the terminal; a passing one is overwritten by the next where that is possible."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{text[:width]:<{width}}", end="" if passing else "\n", flush=True)
    else:
        print(text, flush=True)
