"""One notebook executed by papermill, whose engine is made to show each cell and each epoch as they pass."""

import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import LocalHandler, papermill_io

from fmnist_utils.batch import kernels, notebook_files
from fmnist_utils.support import files, progress, terminal

_ENGINE = "fmnist_utils"
_KERNEL = {"kernel_name": "python3", "language": "python"}  # a notebook may name another environment's, or none
_COMPUTES = re.compile(r"\b(tensorflow|keras|training|models|sklearn)\b")  # the others are begun sooner
_running: dict["_Client", str] = {}

Say = Callable[[str, bool], None]  # (text, passing)


class NotebookError(RuntimeError):
    """A cell failed or the kernel died; the message says which and why."""


def say(text: str, passing: bool = False) -> None:
    """A line on the terminal; a passing one is overwritten by the next where that is possible."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        terminal.say(f"\r{text[:width]:<{width}}", end="" if passing else "\n")
    else:
        terminal.say(text)


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
            *map(_papermills, (notebook, output)), dict(values), _ENGINE, progress_bar=False, **_KERNEL, **ours
        )
    except PapermillExecutionError as error:
        why = error.evalue if len(error.evalue) <= 600 else f"{error.evalue[:600]} …"
        message = f"{notebook.name}, code cell {error.exec_count}: {error.ename}: {why}"
        raise NotebookError(message) from None
    return time.perf_counter() - began


def kill_kernels(owner: str | None = None) -> None:
    """End the kernels of what this process is executing, all or one owner's; each execution then fails."""
    for client, whose in list(_running.items()):
        process = getattr(getattr(client.km, "provisioner", None), "process", None)  # none before its start
        if process is not None and owner in (None, whose):
            with suppress(OSError):  # it ended in between
                process.kill()


def _papermills(path: Path) -> str:
    """A path for papermill, which fills parameters in where a path has braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _how_it_ended(client: "_Client", said: TextIO) -> str:
    """What is known of a kernel's end: its status, and the last that it wrote about itself."""
    status = client.manager.launched and client.manager.launched.poll()
    known = []
    if status == -9:  # SIGKILL, which Windows does not have
        known.append(
            "It was killed (SIGKILL): a system does that to what takes more memory than there is, and "
            "a notebook needs about 2 GB; a user can do it too."
        )
    elif status is not None:
        known.append(f"It ended with {_signal(-status) if status < 0 else f'status {status}'}.")
    said.seek(0)
    words = said.read().strip()[-300:]
    return " ".join([*known, f"Its last words: {words}"] if words else known)


def _signal(number: int) -> str:
    with suppress(ValueError):  # those of real time have no names
        return signal.Signals(number).name
    return f"signal {number}"


@contextmanager
def _scratch() -> Iterator[tuple[str, TextIO]]:
    """A folder for a kernel, and a file in it for what it says about itself.

    A kernel that is ended does not clear away; TensorFlow leaves the source of each traced function.
    """
    options: Any = {"encoding": "utf-8", "errors": "replace"}
    with (
        tempfile.TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True) as folder,
        open(Path(folder) / "stderr", "w+", **options) as said,
    ):
        yield folder, said


class _Handler(LocalHandler):
    """papermill's reading and writing of files: read with a sentence for what is wrong, written whole."""

    def read(self, path: str) -> str:
        return nbformat.writes(notebook_files.read(Path(path)))

    def write(self, buf: str, path: str) -> None:
        files.write_text(Path(path), buf)


class _Client(PapermillNotebookClient):
    """papermill's client, which also shows the progress lines of a training as they pass."""

    say: Say
    manager: kernels.KernelManager  # which stays when the kernel has ended

    def create_kernel_manager(self):
        self.manager = super().create_kernel_manager()
        return self.manager

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
        with _scratch() as (scratch, said):
            variables = os.environ | dict(environment) | {"TMPDIR": scratch}
            if any(_COMPUTES.search(cell.source) for cell in nb_man.nb.cells if cell.cell_type == "code"):
                variables[kernels.COMPUTES] = "1"
            try:
                # What cells write to stderr reaches the notebook; this is the kernel's chatter about itself.
                return client.execute(stderr=said, env=variables)
            except DeadKernelError:
                raise NotebookError(f"{title}.ipynb: its kernel died. {_how_it_ended(client, said)}") from None
            except RuntimeError as error:  # so says Jupyter
                how = _how_it_ended(client, said)
                raise NotebookError(
                    f"{title}.ipynb: its kernel did not start: {error}. {how}".strip()
                ) from None
            finally:
                del _running[client]


papermill_engines.register(_ENGINE, _Engine)
papermill_io.register(files.PROJECT.anchor, _Handler())
