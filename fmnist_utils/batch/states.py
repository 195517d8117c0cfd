"""The states of runs and sweeps as they are, which is not always what crashes and cloud drives leave."""

import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from fmnist_utils import runs
from fmnist_utils.support import files

# What a run's state has for sure, and what it may have.
_ENTRY = {
    "status": str,
    "notebook": str,
    "program": str,
    "started": str,
    "parameters": dict,
    "seconds": int | float,
}
_MODEL = {"name": str, "val_accuracy": int | float | None}


def begun() -> dict[str, Any]:
    """The state of what begins now, with the process by which one can tell later whether it still runs."""
    process = {"host": platform.node(), "process": os.getpid(), "command": psutil.Process().cmdline()}
    return {"status": "running", "started": runs.now()} | process


def read(path: Path) -> dict[str, Any]:
    """The state in ``run.json`` or ``sweep.json``: "killed", there too, if its process ended without a word.

    Raises:
        UnreadableError: the file is missing or damaged.
    """
    state = _read(path)
    if state["status"] == "running" and state.get("host") == platform.node() and not _is_running(state):
        state = _read(path)  # it may have ended just now, with a word
        if state["status"] == "running":
            state["status"] = "killed"
            with suppress(OSError):  # in a folder that may only be read it is known all the same
                files.write_json(path, state)
    return state


def told(state: dict[str, Any]) -> str:
    """A state in words: of another machine's processes nobody here knows whether they still run."""
    elsewhere = state["status"] == "running" and state.get("host") != platform.node()
    return state["status"] + (f", when last heard of, on {state.get('host')}" if elsewhere else "")


def entries(folder: Path) -> tuple[dict[str, dict[str, Any]], dict[Path, str]]:
    """The runs of a sweep's folder by their keys, and the folders there that are none, each with its fault.

    A run counts if ``run.json`` is sound, names this folder, and all files that it lists are there.
    """
    found, faults = {}, {}
    for path in filter(Path.is_dir, sorted(folder.glob("runs/[!.]*"))):
        try:
            found[path.name] = _entry(path)
        except files.UnreadableError as error:
            faults[path] = str(error)
    return found, faults


def _read(path: Path) -> dict[str, Any]:
    state = files.read_json(path, dict)
    files.require(state, path, status=str)
    return state


def _is_running(state: dict[str, Any]) -> bool:
    """By the command: a process's number is given anew, and when it began depends on the clock."""
    try:
        return psutil.Process(state.get("process")).cmdline() == state.get("command")
    except (psutil.NoSuchProcess, TypeError, ValueError):
        return False
    except psutil.Error:  # of another user
        return True


def _entry(path: Path) -> dict[str, Any]:
    state = files.read_json(path / "run.json", dict)
    if state.get("key") != path.name:
        raise files.UnreadableError(f"{path} is a copy or was renamed: it holds the run {state.get('key')}")
    optional = {"files": dict, "environment": dict, "models": list}
    kinds = _ENTRY | {name: kind for name, kind in optional.items() if name in state}
    files.require(state, path / "run.json", **kinds)
    for model in state.get("models", []):
        files.require(model if isinstance(model, dict) else {}, path / "run.json", **_MODEL)
    for name, size in state.get("files", {}).items():
        file = path / name
        if not file.is_file() or file.stat().st_size != size:
            raise files.UnreadableError(f"{file} is missing or cut off")
    return state
