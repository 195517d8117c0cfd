"""The states of runs and sweeps as they are, which is not always what crashes and cloud drives leave."""

import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from fmnist_utils import runs
from fmnist_utils.support import files


def begun() -> dict[str, Any]:
    """The state of what begins now, with the process by which one can tell later whether it still runs."""
    process = {"host": platform.node(), "process": os.getpid(), "process_began": psutil.Process().create_time()}
    return {"status": "running", "started": runs.now()} | process


def read(path: Path) -> dict[str, Any]:
    """The state in ``run.json`` or ``sweep.json``: "killed", there too, if its process ended without a word.

    Raises:
        UnreadableError: the file is missing or damaged.
    """
    state = files.read_json(path, dict)
    if "status" not in state:
        raise files.UnreadableError(f"{path} is no state of a run: it has no status")
    if state["status"] == "running" and state.get("host") == platform.node() and not _is_running(state):
        state["status"] = "killed"
        with suppress(OSError):  # in a folder that may only be read it is known all the same
            files.write_json(path, state)
    return state


def entries(folder: Path) -> tuple[dict[str, dict[str, Any]], dict[Path, str]]:
    """The runs of a sweep's folder by their keys, and the folders there that are none, each with its fault.

    A run counts if ``run.json`` is sound, names this folder, and all files that it lists are there.
    """
    found, faults = {}, {}
    for path in sorted(folder.glob("runs/[!.]*")):
        try:
            found[path.name] = _entry(path)
        except files.UnreadableError as error:
            faults[path] = str(error)
    return found, faults


def _is_running(state: dict[str, Any]) -> bool:
    with suppress(psutil.Error):
        return psutil.Process(state.get("process")).create_time() == state.get("process_began")
    return False


def _entry(path: Path) -> dict[str, Any]:
    state = files.read_json(path / "run.json", dict)
    if state.get("key") != path.name:
        raise files.UnreadableError(f"{path} is a copy or was renamed: it holds the run {state.get('key')}")
    for name, size in state.get("files", {}).items():
        file = path / name
        if not file.is_file() or file.stat().st_size != size:
            raise files.UnreadableError(f"{file} is missing or cut off")
    return state
