"""Files and folders that appear whole or not at all, and where the project is. No TensorFlow here."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

PROJECT = Path(__file__).resolve().parents[2]


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all: beside its place first, then renamed into it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(beside, 0o644)  # mkstemp's 0600 would shut others out of a shared folder
        os.replace(beside, path)
    finally:
        Path(beside).unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """``write_text`` for anything that JSON holds."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Keep other processes from making ``target`` meanwhile: they wait, and then find it made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.parent / f".{target.name}.lock"
    with FileLock(path):
        try:
            yield
        finally:
            with suppress(OSError):  # Windows does not delete what is open
                path.unlink()


def store(target: Path, fill: Callable[[Path], None]) -> Path:
    """Make the folder ``target`` whole or not at all, and return it.

    ``fill`` writes the content into the folder it is given. If another process was first, its folder stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        fill(beside)
        os.chmod(beside, 0o755)
        beside.rename(target)
    except OSError:
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def discard(folder: Path) -> None:
    """Delete a folder, renamed first, so that at no moment a half of it stands in its place."""
    if folder.is_dir():
        aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        folder.rename(aside / folder.name)
        shutil.rmtree(aside)
