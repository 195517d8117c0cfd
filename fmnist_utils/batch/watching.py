"""What a lesson's kernel does, noted by the kernel: the models that it opens, and how long Keras trains.

Nothing is judged by what a command should have done. What was seen is remembered in the store, to foretell
how long it will take the next time. No TensorFlow here, but for ``watch``, which a kernel calls.
"""

import functools
import importlib.metadata
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from fmnist_utils import runs
from fmnist_utils.batch import grid, notebook_files, series
from fmnist_utils.support import cores, files, fingerprint, progress

READ_BACK = "read back from this run's models"  # as `training.train_or_load` says it
MEMORY = "class.json"  # in the store
DECIDING = ("tensorflow", "keras")  # the versions that a training's key holds

Note = Callable[[str, Any], None]


@dataclass(frozen=True)
class Seen:
    """What an execution of a lesson was seen to do.

    Attributes:
        seconds: it took.
        models: the folders of the kept trainings that it opened.
        trained: what it trained to be kept, by the folder's name or by the line that the lesson shows.
        training: seconds that Keras trained, whether that is kept or not.
    """

    seconds: float
    models: frozenset[Path]
    trained: tuple[str, ...]
    training: float


def execute(lesson: Path, values: Mapping[str, Any], environment: Mapping[str, str], scratch: Path) -> Seen:
    """Execute a lesson once in this machine's store, and tell what its kernel noted.

    Raises:
        BatchError: the lesson failed, or its kernel noted nothing.
    """
    log, startup = scratch / f"{uuid.uuid4().hex}.jsonl", scratch / "startup.py"
    # The name of no module is left behind, where a lesson's own names begin.
    startup.write_text(f"__import__({__name__!r}, fromlist=['watch']).watch({str(log)!r})\n", encoding="utf-8")
    surroundings = {"FMNIST_RUNS_DIR": str(runs.runs_dir()), "PYTHONSTARTUP": str(startup)}
    before = {path.resolve() for path in runs.models_dir().glob("*")}
    seconds = series.execute(lesson, values, scratch, surroundings | dict(environment) | series.data_folders())
    if not log.exists():
        raise series.BatchError(f"{lesson.name}: it ran, but its kernel did not note what it read and trained.")
    notes = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    models = frozenset(Path(what) for kind, what in notes if kind == "model")
    new = sorted(model.name for model in models - before)
    shown = _lines_of_training(notebook_files.read(scratch / "notebooks" / lesson.name))
    training = sum(what for kind, what in notes if kind == "training")
    return Seen(seconds, models, tuple(new or shown), training)


def _lines_of_training(executed: nbformat.NotebookNode) -> list[str]:
    """The progress lines of a lesson that tell of anything else than of a network that was read back."""
    return [
        output.data["text/plain"]
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output.get("metadata", {}).get(progress.PROGRESS) and READ_BACK not in output.data["text/plain"]
    ]


def watch(log: str) -> None:
    """In a kernel that starts: note in the file ``log`` what models are opened and how long Keras trains."""

    def note(kind: str, what: Any) -> None:
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps([kind, what]) + "\n")

    def opened(event: str, arguments: tuple) -> None:
        if event == "open" and str(arguments[0]).endswith("model.keras") and str(arguments[1]).startswith("r"):
            note("model", os.path.realpath(os.path.dirname(str(arguments[0]))))

    from IPython import get_ipython  # type: ignore[attr-defined]

    note("began", time.time())
    sys.addaudithook(opened)
    get_ipython().events.register("pre_run_cell", lambda *_: _time_trainings(note))


def _time_trainings(note: Note) -> None:
    """Have Keras's ways to train noted, once Keras has been imported."""
    keras: Any = sys.modules.get("keras")
    if not hasattr(keras, "Model") or hasattr(keras.Model.fit, "noted"):
        return
    for name in ("fit", "train_on_batch"):
        setattr(keras.Model, name, _timed(getattr(keras.Model, name), note))


def _timed(train: Any, note: Note) -> Any:
    @functools.wraps(train)
    def timed(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return train(*arguments, **named)
        finally:
            note("training", time.perf_counter() - began)

    timed.noted = True  # type: ignore[attr-defined]
    return timed


def remembered(store: Path) -> dict[str, dict[str, Any]]:
    """What lessons took that train nothing, by ``key``, if what they read is in the store still."""
    with suppress(files.UnreadableError):
        entries = files.read_json(store / MEMORY, dict).items()
        return {key: entry for key, entry in entries if _is_there(entry, store)}
    return {}


def _is_there(entry: Any, store: Path) -> bool:
    with suppress(KeyError, TypeError):
        return entry["seconds"] > 0 and all((store / "models" / name).is_dir() for name in entry["models"])
    return False


def remember(store: Path, lesson: Path, values: Mapping[str, Any], seen: Seen) -> None:
    """Remember in a store what a lesson took; what it trained to be kept will be read the next time."""
    seconds = seen.seconds - (seen.training if seen.trained else 0)
    models = sorted(model.name for model in seen.models)
    entry = {"lesson": lesson.stem, "seconds": round(seconds, 1), "models": models}
    with suppress(OSError):  # it only helps to foretell the time
        files.write_json(store / MEMORY, remembered(store) | {key(lesson, values): entry})


def key(lesson: Path, values: Mapping[str, Any]) -> str:
    """What decides whether a lesson finds its trainings, as far as that can be told without TensorFlow."""
    notebook = grid.Notebook(lesson)
    surroundings = [importlib.metadata.version(name) for name in DECIDING] + [str(cores.available())]
    return fingerprint.hashed([fingerprint.run(notebook.cells, notebook.complete(dict(values))), surroundings])
