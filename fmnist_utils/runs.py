"""The run folder: where models, metrics, figures and executed notebooks of one run are kept.

    RUN/models/NAME-KEY/   model.keras · history.json · metrics.json · scores.json (measured later)
    RUN/figures/           the pictures that a reader would want again
    RUN/notebooks/         executed notebooks (``python -m fmnist_utils run``)
    RUN/run.json           running, complete or failed
    RUN/test_labels.log    who read the test labels, when and for what

``FMNIST_RUNS_DIR`` names the folder; without it a notebook uses ``runs/interactive`` of the project.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

PROJECT = Path(__file__).resolve().parent.parent


def runs_dir() -> Path:
    """The folder of the run that this process belongs to."""
    named = os.environ.get("FMNIST_RUNS_DIR")
    return Path(named).expanduser().resolve() if named else PROJECT / "runs" / "interactive"


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


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
    """Make the folder ``target`` whole or not at all.

    Args:
        target: the folder's final place. If another process got there first, its folder stays.
        fill: writes the content into the folder it is given.

    Returns:
        ``target``.
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
        condemned = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        folder.rename(condemned / folder.name)
        shutil.rmtree(condemned)


def figure_path(name: str) -> Path:
    """Where this run keeps the figure ``name`` (without ``.png``); makes the folder."""
    folder = runs_dir() / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.png"


def log_test_read(purpose: str) -> None:
    """Add a line to the run's record of who read the test labels."""
    folder = runs_dir()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "test_labels.log").open("a", encoding="utf-8") as log:
        log.write(f"{now()}  {purpose}\n")


def record(folder: Path, scores: Mapping[str, Any]) -> None:
    """Keep what a notebook has measured of a finished model beside it, for tables of results."""
    write_json(folder / "scores.json", scores)


def finished(folder: Path) -> list[dict[str, Any]]:
    """The metrics of every model in a run folder, with what notebooks have measured since.

    Returns:
        One dictionary a model: the keys of ``metrics.json`` and of ``scores.json``.
    """
    found = []
    for path in sorted(folder.glob("models/[!.]*/metrics.json")):
        metrics = read_json(path)
        scores = path.with_name("scores.json")
        found.append(metrics | (read_json(scores) if scores.exists() else {}))
    return found


def markdown_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table: the first column to the left, the others to the right."""
    header = list(header)
    rule = [":--"] + ["--:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, rule, *map(list, rows)])
