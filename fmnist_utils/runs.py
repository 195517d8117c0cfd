"""The run folder: where models, metrics, figures and executed notebooks of one run are kept.

    RUN/models/NAME-KEY/   model.keras · history.json · metrics.json · scores.json (measured later)
    RUN/aside/             such folders that could not be read any more
    RUN/figures/           the pictures that a reader would want again
    RUN/notebooks/         executed notebooks (``python -m fmnist_utils run``)
    RUN/run.json           running, complete or failed
    RUN/test_labels.log    who read the test labels, when and for what

``FMNIST_RUNS_DIR`` names the folder; without it a notebook uses ``runs/interactive`` of the project, or, where
the package is installed without its repository, of the working directory.
"""

import logging
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fmnist_utils.support import files, fingerprint

log = logging.getLogger("fmnist_utils")


def runs_dir() -> Path:
    """The folder of the run that this process belongs to."""
    named = os.environ.get("FMNIST_RUNS_DIR")
    if named:
        return files.place(named)
    project = files.PROJECT if (files.PROJECT / "notebooks").is_dir() else Path.cwd()
    return project / "runs" / "interactive"


def models_dir() -> Path:
    """Where this run keeps its finished trainings."""
    return runs_dir() / "models"


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def figure_path(name: str) -> Path:
    """Where this run keeps the figure ``name`` (without ``.png``)."""
    return runs_dir() / "figures" / f"{name}.png"


def log_test_read(purpose: str) -> None:
    """Add a line to the run's record of who read the test labels."""
    folder = runs_dir()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "test_labels.log").open("a", encoding="utf-8") as file:
        file.write(f"{now()}  {purpose}\n")


def record(folder: Path, scores: Mapping[str, Any]) -> None:
    """Keep what a notebook has measured of a finished model beside it, for tables of results."""
    files.write_json(folder / "scores.json", scores)


def finished(folder: Path) -> list[dict[str, Any]]:
    """``metrics.json`` of every model in a run folder, joined with its ``scores.json`` where there is one.

    What cannot be read is left out, and so are copies that a cloud drive or a user made; a line says which.
    """
    found = []
    for path in filter(Path.is_dir, sorted(folder.glob("models/[!.]*"))):
        try:
            found.append(_measured(path))
        except files.UnreadableError as error:
            log.warning("Left out of the results: %s.", error)
    return found


def _measured(folder: Path) -> dict[str, Any]:
    metrics = files.read_json(folder / "metrics.json", dict)
    files.require(metrics, folder / "metrics.json", name=str)
    name = metrics["name"]
    if not re.fullmatch(rf"{re.escape(name)}-[0-9a-f]{{{fingerprint.DIGITS}}}", folder.name):
        raise files.UnreadableError(f"{folder} is a copy or was renamed: it holds a training of {name}")
    scores = folder / "scores.json"
    return metrics | (files.read_json(scores, dict) if scores.exists() else {})
