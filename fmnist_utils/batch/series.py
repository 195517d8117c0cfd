"""The notebooks executed headless by papermill into a run folder. No TensorFlow here."""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from fmnist_utils import parameters, runs
from fmnist_utils.batch import grid, states, supplies
from fmnist_utils.support import cores, files, formatting, terminal

NOTEBOOKS = files.PROJECT / "notebooks"
SECONDS = files.PROJECT / "results" / "seconds.json"  # what each notebook took in the published run


class BatchError(RuntimeError):
    """A run failed; the message says where and what to do."""


class RefusedError(BatchError):
    """A run was refused before it began."""


def lessons(folder: Path = NOTEBOOKS) -> list[Path]:
    """The notebooks of the series, in order; copies that JupyterLab makes beside them are none.

    Raises:
        RefusedError: the package was installed without them.
    """
    if not folder.is_dir():
        raise RefusedError(f"There are no notebooks in {folder}. They come with the repository: {files.CLONE}.")
    return sorted(path for path in folder.glob("*.ipynb") if re.fullmatch(r"\d\d_[a-z_]+", path.stem))


def resolve(names: Sequence[str]) -> list[Path]:
    """Notebooks by path, by name (``02_basic_cnn``) or by number (``02``); none names the whole series.

    Raises:
        BatchError: no such notebook; lists those there are.
    """
    if not names:
        return lessons()
    return [_resolve_one(name) for name in names]


def parse(pairs: Sequence[Sequence[str]]) -> dict[str, Any]:
    """``-p NAME VALUE`` pairs; a value that is no Python literal is text."""
    return {name: parameters.literal(value) for name, value in pairs}


def plan(notebooks: Sequence[Path], given: Mapping[str, Any]) -> dict[Path, dict[str, Any]]:
    """Which notebook gets which of the given parameters: each goes to the notebooks that define it.

    Raises:
        BatchError: a name that no notebook defines.
        ParameterError: a value that makes no sense.
    """
    known = {notebook: set(grid.Notebook(notebook).defaults) for notebook in notebooks}
    everything = sorted(set().union(*known.values()))
    unknown = [name for name in given if name not in everything]
    if unknown:
        raise RefusedError(
            f"No notebook of this run has a parameter {', '.join(unknown)}. Known: {', '.join(everything)}."
        )
    parameters.check(given)
    return {
        notebook: {name: value for name, value in given.items() if name in names}
        for notebook, names in known.items()
    }


def data_folders() -> dict[str, str]:
    """Where data is, for a kernel: relative to where the command was given, not to the notebook."""
    names = ("FMNIST_DATA_DIR", "FMNIST_WEIGHTS_DIR", "FMNIST_PHOTOS_DIR")
    return {name: str(files.place(os.environ[name])) for name in names if os.environ.get(name)}


def new_folder() -> Path:
    """A name for a run folder that no other run has."""
    stamp = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    return files.PROJECT / "runs" / f"{stamp}-{os.getpid()}"


def run(notebooks: Sequence[Path], given: Mapping[str, Any], folder: Path, jobs: int = 1) -> Path:
    """Execute notebooks into a new or empty folder, and write its table of results; returns the folder.

    One at a time, they are begun in their order; ``jobs`` at a time, those that take longest first, and they
    share the processor's cores. ``run.json`` says "running" until the end, then "complete" or "failed". A
    notebook that cannot be read or that fails stops no other, and is kept as far as it came. One that needs
    what cannot be had is left out, which ``run.json`` and a line say.

    Raises:
        BatchError: the folder is in use, a parameter is unknown, ``jobs`` is below 1, no notebook is left, or
            some failed.
        ParameterError: a value makes no sense.
    """
    if jobs < 1:
        raise RefusedError(f"jobs is {jobs}; at least one notebook at a time is needed.")
    sound, failed = readable(notebooks)
    planned = plan(sound, given)
    left_out = supplies.missing(sound)
    if len(left_out) == len(sound):
        raise RefusedError("\n".join(dict.fromkeys([*failed.values(), *left_out.values()])))
    folder = files.place(folder)
    asked = [path.name for path in notebooks if path not in left_out]
    state: dict[str, Any] = states.begun() | {"notebooks": asked, "parameters": dict(given)}
    state |= {"left_out": {path.name: reason for path, reason in left_out.items()}, "seconds": {}}
    _claim(folder, state)
    if left_out:
        terminal.say(told_left_out(state))
    planned = {path: values for path, values in planned.items() if path not in left_out}
    try:
        failed |= _execute_all(planned, folder, jobs, state["seconds"])
        write_results(folder)
        if failed:
            listed = "".join(f"\n  {error}" for error in failed.values())
            raise BatchError(
                f"{len(failed)} of {len(notebooks)} notebooks failed:{listed}\n"
                f"What was executed is kept, as far as it came: {folder / 'notebooks'}."
            )
    except BaseException as error:
        state |= {"status": "failed", "error": str(error) or type(error).__name__, "ended": runs.now()}
        with suppress(OSError):  # the disk may be what failed
            files.write_json(folder / "run.json", state)
        raise
    files.write_json(folder / "run.json", state | {"status": "complete", "ended": runs.now()})
    return folder


def published_seconds(measured: Path = SECONDS) -> dict[str, float]:
    """What each notebook took in the published run, as far as that is known."""
    with suppress(files.UnreadableError):
        kept = files.read_json(measured, dict)
        return {name: seconds for name, seconds in kept.items() if isinstance(seconds, int | float)}
    return {}


def described(folder: Path) -> str:
    """The state of a run, what went wrong if something did, and its table.

    Raises:
        UnreadableError: ``run.json`` is damaged.
    """
    state = states.read(folder / "run.json")
    if state["status"] == "killed":  # before it came to its table
        with suppress(OSError):
            write_results(folder)
    table = folder / "results.md"
    table_text = table.read_text(encoding="utf-8") if table.is_file() else ""
    told = (f"{states.told(state)}: {folder}", state.get("error"), told_left_out(state), table_text)
    return "\n\n".join(str(text) for text in told if text)


def told_left_out(state: Mapping[str, Any]) -> str:
    """Which notebooks a run left out, and why; empty if none."""
    return "\n".join(f"{name} was left out. {reason}" for name, reason in state.get("left_out", {}).items())


def longest_first(notebooks: Iterable[Path], measured: Path = SECONDS) -> list[Path]:
    """Notebooks by what they took in the published run, unknown ones first: none is then left to run alone."""
    seconds = published_seconds(measured)
    return sorted(notebooks, key=lambda path: -seconds.get(path.stem, float("inf")))


def write_results(folder: Path) -> str:
    """Write ``results.md`` and ``results.json`` of a run folder, and return the Markdown table."""
    metrics = [found for found in runs.finished(folder) if _is_whole(found)]
    chosen = [m for m in metrics if "test_accuracy" in m] or metrics
    if not chosen:
        return ""
    table = results_table(sorted(chosen, key=lambda m: (-m.get("test_accuracy", m["val_accuracy"]), m["name"])))
    files.write_json(folder / "results.json", metrics)
    files.write_text(folder / "results.md", table + "\n")
    return table


def results_table(metrics: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table of models: set-up, accuracies and loss; another for fresh averages, where measured."""
    header = ["model", "parameters", "epochs", "batch"]
    header += ["training", "validation", "test (95% interval)", "test loss"]

    def row(m: Mapping[str, Any], fresh: str = "") -> list[str]:
        shown = [m["name"], f"{m['parameters']:,}", str(m["epochs"]), str(m["batch_size"])]
        if fresh:
            shown[0] += ", fresh averages"
        shown += ["–" if fresh else f"{m['accuracy']:.2%}", f"{m[f'{fresh}val_accuracy']:.2%}"]
        if "test_accuracy" not in m:
            return [*shown, "–", "–"]
        low, high = m.get(f"{fresh}test_interval", (0, 0))
        tested, loss = m[f"{fresh}test_accuracy"], m[f"{fresh}test_loss"]
        return [*shown, f"{tested:.2%} ({low:.1%} to {high:.1%})", f"{loss:.3f}"]

    rows = []
    for m in metrics:
        rows.append(row(m))
        if "fresh_val_accuracy" in m:
            rows.append(row(m, "fresh_"))
    return formatting.markdown_table(header, rows)


def _is_whole(metrics: Mapping[str, Any]) -> bool:
    """Whether a training's figures can be shown; a line says so if not."""
    try:
        results_table([metrics])
    except (KeyError, TypeError, ValueError) as error:
        runs.log.warning("Left out of the table: %s, whose figures are not whole (%r).", metrics["name"], error)
        return False
    return True


def _resolve_one(name: str) -> Path:
    if os.path.lexists(name) and name.endswith(".ipynb"):
        return Path(os.path.abspath(name))
    found = [path for path in lessons() if name in (path.name, path.stem, path.stem[:2])]
    found += [path for path in NOTEBOOKS.glob("[a-z]*.ipynb") if name in (path.name, path.stem)]
    if not found:
        raise RefusedError(f"There is no notebook {name}. Known: {', '.join(path.stem for path in lessons())}.")
    return found[0]


def readable(notebooks: Sequence[Path]) -> tuple[list[Path], dict[Path, str]]:
    """The notebooks that can be read, and what is wrong with each of the others; refused if none is left."""
    faults = {}
    for path in notebooks:
        try:
            grid.Notebook(path)
        except (files.UnreadableError, OSError) as error:
            faults[path] = str(error)
    if len(faults) == len(notebooks):
        raise RefusedError("; ".join(faults.values()) + ".")
    return [path for path in notebooks if path not in faults], faults


def _claim(folder: Path, state: Mapping[str, Any]) -> None:
    """Make the run folder this run's own: whoever makes ``run.json`` has it."""
    if folder.exists() and not folder.is_dir():
        raise RefusedError(f"{folder} is a file. Name another folder with --to.")
    folder.mkdir(parents=True, exist_ok=True)
    if any(path.name != "run.json" for path in folder.iterdir()):
        raise RefusedError(f"{folder} is not empty. Name another folder with --to, or delete this one.")
    try:
        with (folder / "run.json").open("x") as file:
            json.dump(dict(state), file, indent=2)
    except FileExistsError:
        raise RefusedError(f"{folder} belongs to another run. Name another folder with --to.") from None


def _execute_all(
    planned: Mapping[Path, dict[str, Any]], folder: Path, jobs: int, seconds: dict[str, float]
) -> dict[Path, str]:
    """Execute notebooks, several at a time; ``seconds`` gets what each took. Returns what failed, and why."""
    threads = cores.per_process(min(jobs, len(planned)))
    environment = {"FMNIST_RUNS_DIR": str(folder), "OMP_NUM_THREADS": str(threads)} | data_folders()
    waiting = list(planned) if jobs == 1 else longest_first(planned)
    running: dict[Future, Path] = {}
    failed = {}
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    path = waiting.pop(0)
                    running[pool.submit(execute, path, planned[path], folder, environment)] = path
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    path = running.pop(future)
                    try:
                        seconds[path.stem] = round(future.result(), 1)
                    except Exception as error:
                        failed[path] = told_of(path, error)
        except BaseException:
            stop_all(running)
            raise
    return failed


def stop_all(futures: Iterable[Future]) -> None:
    """End the kernels of what is being executed, until each of the executions has ended, too."""
    from fmnist_utils.batch import engine

    not_done = set(futures)
    while not_done:  # again and again: a kernel may have been about to start
        engine.kill_kernels()
        not_done = wait(not_done, timeout=0.5).not_done


def told_of(notebook: Path, error: Exception) -> str:
    """An error's text, which is whole if it is this package's own; others name no notebook."""
    own = isinstance(error, RuntimeError)
    return str(error) if own else f"{notebook.name}: {type(error).__name__}: {error}"


def execute(notebook: Path, values: Mapping[str, Any], folder: Path, environment: Mapping[str, str]) -> float:
    """Execute one notebook; returns the seconds it took."""
    from fmnist_utils.batch import engine  # not before: papermill takes a second or two to import

    try:
        seconds = engine.execute(notebook, folder / "notebooks" / notebook.name, values, environment)
    except Exception as error:
        engine.say(f"{notebook.stem}: failed: {told_of(notebook, error)}")
        raise
    engine.say(f"{notebook.stem}: done in {formatting.duration(seconds)}")
    return seconds
