"""A folder for students: lessons without solutions, and all that they need to run without network.

It was run by its own package before it gets its name. Its README is made from ``students.md``.
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

from fmnist_utils.batch import classroom, notebook_files, series, supplies, watching
from fmnist_utils.batch.classroom import Planned
from fmnist_utils.batch.watching import Seen
from fmnist_utils.support import cores, files, fingerprint, sources, terminal

_MODEL = ("model.keras", "history.json", "metrics.json")  # without what lessons have measured of it
_ROOT = ("requirements.txt", "setup_venv.py", "Makefile", "pyproject.toml", "LICENSE")
# Of results/, what no lesson reads and what names the networks that solutions train.
_UNREAD = ("published.json", "published.md", "kept.json")
_STORE = Path("runs") / "interactive"  # where the lessons of the folder look for their networks


def give(lessons: Sequence[Path], given: Mapping[str, Any], precision: str | None, target: Path) -> None:
    """Write a folder for students: lessons without solutions, the package, data and trained networks.

    What is missing is trained into the store that JupyterLab reads here, and copied. The folder appears
    whole, and after each of its lessons has run there without training, or not at all. ``precision`` None
    trains in this machine's own and in float32, which most laptops compute in.

    Raises:
        DataError: the data is missing.
        BatchError: names the lessons that could not be executed; RefusedError: the folder is in use.
    """
    target = files.place(target)
    _require_free(target)
    arrays = sources.load_arrays()
    supplied = {fetch() for lesson in lessons for fetch in supplies.needed(lesson)}
    with tempfile.TemporaryDirectory(prefix="students-", ignore_cleanup_errors=True) as scratch:
        copies = [without_solutions(path, Path(scratch)) for path in lessons]
        done = _executed(classroom.passes(copies, given, precision, usual=["auto", "float32"]))
        models = _models(done)

        def filled(beside: Path) -> None:
            fill(beside, copies, models, arrays, supplied)
            for planned, seen in done:
                _check(beside, planned, seen, given)
            _tidy(beside)

        files.store(target, filled)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    terminal.say(f"\nFor students, {size / 1e6:.0f} MB, with {len(models)} trained networks: {target}")


def without_solutions(lesson: Path, folder: Path) -> Path:
    """Write a lesson without the cells tagged ``solution`` into a folder, all others with their outputs."""
    from nbconvert.preprocessors import TagRemovePreprocessor  # not before: it takes a while to import

    remover = TagRemovePreprocessor(enabled=True, remove_cell_tags={"solution"})
    notebook, _ = remover.preprocess(notebook_files.read(lesson), {})
    nbformat.write(notebook, folder / lesson.name)
    return folder / lesson.name


def fill(
    folder: Path, lessons: Sequence[Path], models: set[Path], arrays: sources.Arrays, supplied: set[Path]
) -> None:
    """Write a students' folder: ``lessons`` as they are, the trainings in the folders ``models``, the data.

    ``supplied`` are the files and folders that some of these lessons need besides.
    """
    _copy(fingerprint.PACKAGE, folder / fingerprint.PACKAGE.name)
    _copy(files.PROJECT / "results", folder / "results", without=_UNREAD)
    glossary = Path("docs") / "glossary.md"
    copied = {folder / name: files.PROJECT / name for name in (*_ROOT, glossary)}
    copied |= {folder / "notebooks" / lesson.name: lesson for lesson in lessons}
    for model in models:
        copied |= {folder / _STORE / "models" / model.name / name: model / name for name in _MODEL}
    for path, origin in copied.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, path)
    pinned = _pinned((folder / "requirements.txt").read_text(encoding="utf-8"))
    (folder / "requirements.txt").write_text(pinned, encoding="utf-8")
    (folder / "README.md").write_text(_readme(models), encoding="utf-8")
    sources.write_folder(arrays, folder / "data")
    for path in supplied:
        copy = _copy if path.is_dir() else shutil.copyfile
        copy(path, folder / "data" / path.name)
    sources.read_folder(folder / "data")  # as it lies there now


def _require_free(target: Path) -> None:
    """Refuse a folder that could not be made whole by being renamed into its place."""
    another = "Name another with --to."
    if target.exists() and not target.is_dir():
        raise series.RefusedError(f"{target} is a file. {another}")
    if target.is_dir() and any(target.iterdir()):
        raise series.RefusedError(f"{target} is not empty. {another}")
    if target.is_mount():
        raise series.RefusedError(f"{target} is a disk. Name a folder on it, such as {target / 'lessons'}.")
    if target.is_relative_to(files.PROJECT) and not target.is_relative_to(files.PROJECT / "runs"):
        raise series.RefusedError(f"{target} is in the project itself. {another}")


def _executed(planned_passes: Sequence[Planned]) -> list[tuple[Planned, dict[Path, Seen]]]:
    """Each pass with what was seen of its lessons; none in float32 where this machine's own is just that."""
    done: list[tuple[Planned, dict[Path, Seen]]] = []
    for planned in planned_passes:
        if _precisions(_models(done)) == {"float32"}:
            break
        terminal.say(classroom.announced(planned))
        seen, failed = classroom.execute_all(planned, _as_on_laptops(), again=False)
        classroom.require_all(failed, list(planned), "Nothing was written.")
        done.append((planned, seen))
    return done


def _models(done: Sequence[tuple[Planned, Mapping[Path, Seen]]]) -> set[Path]:
    return {model for _, seen in done for one in seen.values() for model in one.models}


def _precisions(models: set[Path]) -> set[str]:
    return {files.read_json(model / "metrics.json", dict).get("precision", "") for model in models}


def _as_on_laptops() -> dict[str, str]:
    """What a kernel needs to train with the key that a laptop has: two cores, and no GPU."""
    return {"CUDA_VISIBLE_DEVICES": "-1", "OMP_NUM_THREADS": str(max(2, cores.available()))}


def _copy(folder: Path, to: Path, without: Sequence[str] = ()) -> None:
    """The files of a folder; their permissions are none of a stick's business, and some refuse them."""
    to.mkdir()
    for path in sorted(folder.iterdir()):
        if path.name in without or path.name.startswith((".", "__pycache__")):
            continue
        if path.is_dir():
            _copy(path, to / path.name)
        else:
            shutil.copyfile(path, to / path.name)


def _pinned(requirements: str) -> str:
    """Requirements with the very versions that the networks were trained with: others would train anew."""
    for name, version in _versions().items():
        requirements = re.sub(rf"^{name}[<>=][^\s#]*", f"{name}=={version}", requirements, flags=re.MULTILINE)
    return requirements


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in watching.DECIDING}


def _readme(models: set[Path]) -> str:
    template = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    kinds = sorted(kind.removeprefix("mixed_") for kind in _precisions(models))
    return template.format(precisions=" and ".join(kinds) or "no precision", **_versions())


def _check(folder: Path, planned: Planned, seen: Mapping[Path, Seen], given: Mapping[str, Any]) -> None:
    """Run lessons in a students' folder, by its own package: they must train nothing there."""
    store = folder / _STORE
    before = set(store.glob("models/*"))
    for lesson, values in planned.items():
        watching.remember(store, lesson, values, seen[lesson])
    command = [sys.executable, "-m", "fmnist_utils", "class", *(path.stem for path in planned)]
    command += ["--precision", classroom.precision_of(planned)]
    for name, value in given.items():
        command += ["-p", name, value if isinstance(value, str) else repr(value)]
    environment = os.environ | _as_on_laptops() | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("FMNIST_RUNS_DIR", "PYTHONSAFEPATH", *series.data_folders()):
        environment.pop(name, None)
    terminal.say("\nOnce more, in the students' folder itself.")
    if subprocess.run(command, cwd=folder, env=environment).returncode:
        raise series.BatchError("The lessons do not run in the students' folder, so it was not kept.")
    if anew := sorted(path.name for path in set(store.glob("models/*")) - before):
        raise series.BatchError(f"The students' folder was not kept: it had to train {', '.join(anew)} again.")


def _tidy(folder: Path) -> None:
    """Leave nothing of what running the lessons has left in a students' folder."""
    store = folder / _STORE
    for path in [*store.parent.iterdir(), *store.glob("*")]:
        if path not in (store, store / "models"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in [*store.glob("models/*/*"), *store.glob("models/.*")]:
        if path.name not in _MODEL:
            path.unlink()
